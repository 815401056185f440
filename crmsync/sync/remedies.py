"""The one thing to do about a contact that is, or isn't, in an Outlook: a sentence, and the button that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from crmsync.sync import reasons
from crmsync.sync.choices import Preference, Reason
from crmsync.sync.explain import LEAVES_FILTER, LEAVES_NEVER, LEAVES_TRASHED, NOT_IN_FILTER, State
from crmsync.sync.forms import BY_FILTER
from crmsync.sync.reasons import Advice
from crmsync.sync.why import Answer
from crmsync.sync.words import Text

MERGE = "contacts:contact-merge"
RESTORE = "contacts:contact-restore"
PREFERENCE = "sync:contact-preference"


@dataclass(frozen=True)
class Remedy:
    """What to do, and its button: a way there, or with `posts` the deed itself. Without a caption there is none.

    `is_said_above`: the banner on top of the page offers it, too.
    """

    text: Text
    caption: Text = ""
    url: str = ""
    posts: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    in_dialog: bool = False
    is_said_above: bool = False


def remedy(answer: Answer) -> Remedy:
    """The one thing to do. Nobody but the owner can decide about their Outlook."""
    found = about_contact(answer) or (about_sync(answer) if answer.mine else None)
    if found or not answer.mine:
        return found or of_others(answer)
    advice = answer.verdict.advice
    return from_advice(answer, advice) if advice else Remedy(_("Nothing to do."))


def about_contact(answer: Answer) -> Remedy | None:
    """What anybody may do who may edit contacts."""
    number, reason = answer.contact.number, answer.verdict.reason
    if reason in (Reason.IN_TRASH, LEAVES_TRASHED):
        if stands := answer.contact.merged_into:
            text = _("It was merged; %(name)s stands for it.") % {"name": stands}
            return Remedy(text, _("Open that contact"), stands.get_absolute_url())
        caption = _("Restore from the trash")
        return Remedy(caption, caption, reverse(RESTORE, args=[number]), True)
    if reason == Reason.SHARED_EMAIL and answer.verdict.named:
        query = urlencode({"contact": [number, answer.verdict.named[0]]}, doseq=True)
        text = _("Merge them if they are the same person; else give this one an e-mail of its own.")
        return Remedy(text, _("Compare and merge"), f"{reverse(MERGE)}?{query}")
    if reason in (Reason.NO_EMAIL, Reason.NO_NAME, Reason.BAD_EMAIL, Reason.PRIVACY_BLOCKED, Reason.NOT_A_PERSON):
        return from_advice(answer, reasons.REASONS[reason])
    return None


def about_sync(answer: Answer) -> Remedy | None:
    """What the owner can do about their own sync: decide, choose, resume, start."""
    facts = answer.facts
    if facts is None:
        return None
    if facts.held_run:
        caption = _("Look and decide")
        text = _("A sync that would change it is held. Look at it, and decide.")
        url = reverse("sync:run-detail", args=[facts.held_run])
        return Remedy(caption if answer.verdict.held_run else text, caption, url, is_said_above=True)
    if word := WORDS.get(answer.verdict.reason):
        return word(answer)
    waits = answer.verdict.state in (State.DUE, State.BEHIND, State.CREATING)
    return start(answer) if waits else None


def start(answer: Answer) -> Remedy:
    """Have the next sync come now, or do what stands in its way."""
    setup = answer.setup
    if setup and setup.trouble:
        return from_advice(answer, reasons.trouble(setup.trouble))
    if setup and not setup.enabled:
        return Remedy(_("Contact sync is paused."), _("Resume"), reverse("exchange_setup:enable"), posts=True)
    text = _("The next sync does it; you can have it now.")
    return Remedy(text, _("Sync now"), reverse("sync:start"), True, {"go": "at_once"}, in_dialog=True)


def always(answer: Answer) -> Remedy:
    text = _("Change the filter, or have this one contact in your Outlook whatever the filter says.")
    return choose(answer, text, _("Always sync this contact"), Preference.ALWAYS)


def keep(answer: Answer) -> Remedy:
    text = _("Nothing to do if it may go. To keep it, set it to “always”.")
    return choose(answer, text, _("Always sync this contact"), Preference.ALWAYS)


def no_longer_never(answer: Answer) -> Remedy:
    """Undo "never": let the filter decide, or go above it where it would say no."""
    if answer.facts and answer.facts.is_selected:
        return choose(answer, _("You said so. The filter would select it."), _("Let the filter decide"), BY_FILTER)
    text = _("You said so, and the filter does not select it either.")
    return choose(answer, text, _("Always sync this contact"), Preference.ALWAYS)


WORDS: dict[str, Callable[[Answer], Remedy]] = {
    NOT_IN_FILTER: always,
    LEAVES_FILTER: keep,
    LEAVES_NEVER: no_longer_never,
    Reason.NEVER: no_longer_never,
}


def choose(answer: Answer, text: Text, caption: Text, choice: str) -> Remedy:
    url = reverse(PREFERENCE, args=[answer.contact.number])
    return Remedy(text, caption, url, posts=True, values={"choice": choice, "back": "why"})


def from_advice(answer: Answer, advice: Advice) -> Remedy:
    url = advice.url(answer.contact)
    is_dialog = bool(advice.button and advice.button.page == reasons.START)
    return Remedy(advice.can_do, advice.button.caption if advice.button and url else "", url, in_dialog=is_dialog)


def of_others(answer: Answer) -> Remedy:
    """What is left to an administrator: to look at the mailbox as a whole."""
    is_held = bool(answer.facts and answer.facts.held_run)
    if answer.facts is None or (answer.verdict.state is State.IN and not is_held):
        return Remedy(_("Nothing to do."))
    text = _("Only %(user)s can decide about their own Outlook.") % {"user": answer.owner}
    if is_held:
        text = _("A sync is held; only %(user)s can decide.") % {"user": answer.owner}
    elif answer.verdict.state in (State.DUE, State.BEHIND, State.CREATING):
        text = _("The next sync does it.")
    return Remedy(text, _("Open the mailbox"), reverse("sync:mailbox-detail", args=[answer.owner.pk]))
