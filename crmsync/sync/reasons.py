"""What to tell people about all that can be left out or go wrong: what happened, what we did, what they can do.

One row per `Reason` (about one contact) and one per error code of a run. The short captions are in `models.py`; no
other place words an error.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from crmsync.sync.choices import Reason
from exchange_setup.models import Trouble

Text = str | Promise

SETUP = "exchange_setup:setup"
START = "sync:start"
LEFT_OUT = "sync:left-out"
CARD = "contacts:contact-detail"
EDIT = "contacts:contact-update"
CONTACTS = "contacts:contact-list"
ABOUT_A_CONTACT = {CARD, EDIT}
# The reasons whose detail is the numbers of contacts: 'CT000012, CT000340'.
NAMES_CONTACTS = {
    Reason.SHARED_EMAIL,
    Reason.DUPLICATE,
    Reason.AMBIGUOUS,
    Reason.COMPANY_EMAIL,
    Reason.IN_TRASH,
    Reason.PRIVACY_BLOCKED,
    Reason.NEVER,
}


@dataclass(frozen=True)
class Button:
    """A way to the remedy: its caption, a URL name and perhaps a query string."""

    caption: Text
    page: str
    query: str = ""


@dataclass(frozen=True)
class Advice:
    """One row: three sentences and, where there is one, the button that leads to the remedy."""

    happened: Text
    did: Text
    can_do: Text
    button: Button | None = None

    def url(self, contact: Contact | None = None, *, number: str = "", email: str = "") -> str:
        """Where the button leads; '' without a button, or where it needs a contact or an e-mail and there is none.

        Where there is no `contact` to open, `number` is that of the one to open instead.
        """
        number, email = (contact.number, contact.email) if contact else (number, email)
        if self.button is None:
            return ""
        if self.button.page in ABOUT_A_CONTACT:
            return reverse(self.button.page, args=[number]) if number else ""
        if self.button.page == CONTACTS:
            return f"{reverse(CONTACTS)}?{urlencode({'q': email})}" if email else ""
        return reverse(self.button.page) + self.button.query


EDIT_CONTACT = Button(_("Edit the contact"), EDIT)
OPEN_CONTACT = Button(_("Open the contact"), CARD)
CHANGE_RULES = Button(_("Change the rules"), SETUP)
CONNECT = Button(_("Connect again"), SETUP)
SHOW_ALL_WITH_EMAIL = Button(_("Show who has this e-mail"), CONTACTS)
OPEN_SETUP = Button(_("Open the setup"), SETUP)
SYNC_AGAIN = Button(_("Sync with Microsoft 365"), START)
FULL_SYNC = Button(_("Full sync with Microsoft 365"), START, "?kind=full")

LEFT_ALONE = _("It was left as it is on both sides.")
LEFT_AS_IT_IS = _("The undo left it as it is.")
REST_SYNCED = _("This value was left as it is; everything else was synced.")
TRIES_AGAIN = _("Nothing to do: the next sync tries it again.")

REASONS: dict[str, Advice] = {
    Reason.NO_EMAIL: Advice(
        _("It has no e-mail, and the e-mail is how the two sides know each other."),
        LEFT_ALONE,
        _("Give it an e-mail, and the next sync takes it along."),
        EDIT_CONTACT,
    ),
    Reason.NO_NAME: Advice(
        _("It has no name."), LEFT_ALONE, _("Give it a name, and the next sync takes it along."), EDIT_CONTACT
    ),
    Reason.BAD_EMAIL: Advice(
        _("Its e-mail is not a valid address."),
        LEFT_ALONE,
        _("Correct the e-mail, and the next sync takes it along."),
        EDIT_CONTACT,
    ),
    Reason.NOT_A_PERSON: Advice(
        _("It is a company. Only people are synced."),
        LEFT_ALONE,
        _("Nothing to do. If it is really a person, change its type."),
        OPEN_CONTACT,
    ),
    Reason.PRIVATE: Advice(
        _("You marked it Private in Outlook."),
        _("It stays in your Outlook, and the CRM holds nothing of it."),
        _("If the CRM may have it, take the mark off in Outlook."),
    ),
    Reason.PRIVACY_BLOCKED: Advice(
        _("It is privacy blocked in the CRM."),
        _("It goes to nobody's Outlook."),
        _("Nothing to do, unless the block is a mistake: then take it off the contact."),
        EDIT_CONTACT,
    ),
    Reason.SHARED_EMAIL: Advice(
        _("Another CRM contact has the same e-mail and a lower number."),
        _("Only that other contact goes to Outlook."),
        _("Merge them if they are the same, give this one an e-mail of its own, or change the rule for such cases."),
        SHOW_ALL_WITH_EMAIL,
    ),
    Reason.DUPLICATE: Advice(
        _("Outlook holds this e-mail more than once."),
        _("The one of the same name, else the oldest, is synced; this one is left alone, with no second contact."),
        _("Delete the one that you do not need, in Outlook."),
        OPEN_CONTACT,
    ),
    Reason.AMBIGUOUS: Advice(
        _("Several CRM contacts have this e-mail, so it is not clear which one is meant."),
        _("It was paired with none of them."),
        _("Let the e-mail or the name tell them apart in the CRM, and the next sync pairs it."),
        SHOW_ALL_WITH_EMAIL,
    ),
    Reason.COMPANY_EMAIL: Advice(
        _("The e-mail belongs to a company in the CRM."),
        _("The company was left alone, and no person was made of it."),
        _("Give the person an e-mail of their own, in Outlook."),
        Button(_("Open the company"), CARD),
    ),
    Reason.IN_TRASH: Advice(
        _("It is in the CRM's trash."),
        LEFT_ALONE,
        _("Restore the contact, or delete it in Outlook too."),
        OPEN_CONTACT,
    ),
    Reason.REMOVED_IN_OUTLOOK: Advice(
        _("You removed it from your Outlook folder."),
        _("The CRM keeps it, and it stays out of your Outlook."),
        _("A full sync puts it back."),
        FULL_SYNC,
    ),
    Reason.HELD_FOR_REVIEW: Advice(
        _("It is new in Outlook, and by your rules new contacts wait for your review."),
        _("The CRM did not take it."),
        _("Say whether it comes into the CRM."),
        Button(_("Decide"), LEFT_OUT, f"?reason={Reason.HELD_FOR_REVIEW}"),
    ),
    Reason.NOT_IMPORTED: Advice(
        _("It is new in Outlook, and by your rules new contacts stay there."),
        _("The CRM did not take it."),
        _("Add it if the CRM should have it, or set the rule for new contacts to “add it to the CRM”."),
        CHANGE_RULES,
    ),
    Reason.NOT_WANTED: Advice(
        _("You left the Outlook contact with this e-mail out of the CRM for good."),
        _("It stays in your Outlook as it is."),
        _("You can still add it to the CRM."),
        Button(_("Look at it"), LEFT_OUT, f"?reason={Reason.NOT_WANTED}"),
    ),
    Reason.MADE_IN_OUTLOOK: Advice(
        _("It was in Outlook before the CRM knew it, or somebody added it there."),
        _("It stays in Outlook; only what the CRM put there was to be removed."),
        _("Nothing to do. If it should go too, delete it in Outlook."),
    ),
    Reason.EDITED_SINCE: Advice(
        _("Somebody edited it in Outlook after the CRM had put it there."),
        _("It stays in Outlook, so that nothing that was written there is lost."),
        _("Nothing to do. If it should go too, delete it in Outlook."),
    ),
    Reason.NEVER: Advice(
        _("You set this contact to never sync with your Outlook."),
        LEFT_ALONE,
        _("You can set it to “by filter” or “always” on its card."),
        OPEN_CONTACT,
    ),
    Reason.ERASED: Advice(
        _("An administrator has erased this person, because they asked for it."),
        _("The CRM does not take the person in again. A copy that was there when they were erased goes from Outlook."),
        _("Nothing to do. If the person is a customer again, add them in the CRM by hand."),
    ),
    Reason.CONFLICT: Advice(
        _("The same field was changed differently on both sides, and by your rules you decide."),
        _("Each side keeps its own value."),
        _("Say which side is right."),
        Button(_("Decide"), LEFT_OUT, f"?reason={Reason.CONFLICT}"),
    ),
    Reason.TOO_LONG: Advice(
        _("A value is too long for its place."),
        REST_SYNCED,
        _("Shorten it in Outlook, and the next sync takes it along."),
        OPEN_CONTACT,
    ),
    Reason.NOT_UNDERSTOOD: Advice(
        _("A value was not understood, such as a country that nobody knows."),
        REST_SYNCED,
        _("Correct it in Outlook, and the next sync takes it along."),
        OPEN_CONTACT,
    ),
    Reason.COMPANY_NOT_FOUND: Advice(
        _("The CRM has no company of this name."),
        _("The company's name was kept as text; everything was synced."),
        _("To tie the person to the company, add the company or choose another one."),
        EDIT_CONTACT,
    ),
    Reason.COMPANY_NOT_UNIQUE: Advice(
        _("Several companies in the CRM have this name."),
        _("The company's name was kept as text; everything was synced."),
        _("Choose the right company on the contact."),
        EDIT_CONTACT,
    ),
    Reason.REFUSED: Advice(
        _("Outlook refused the change."),
        _("This contact was left as it was; the others were synced."),
        _("Look at what Outlook says about it, and correct the contact."),
        OPEN_CONTACT,
    ),
    Reason.NO_ANSWER: Advice(
        _("Outlook did not answer, so it is not known whether it made the change."),
        _("Nothing was sent twice."),
        _("Nothing to do: the next sync looks, and does what is still to do."),
    ),
    Reason.GONE: Advice(
        _("Outlook no longer has it."), _("Nothing was changed."), _("Nothing to do: the next sync takes note of it.")
    ),
    Reason.EDITED_MEANWHILE: Advice(
        _("Somebody edited it while the sync was running."), _("The new edit was left untouched."), TRIES_AGAIN
    ),
    Reason.NOT_THIS_TIME: Advice(
        _("You left it out of this sync."),
        LEFT_ALONE,
        _("Nothing to do: the next sync looks at it again."),
    ),
    Reason.NOT_IN_PREVIEW: Advice(
        _("It is not, or no longer, what the preview showed you."),
        LEFT_ALONE,
        _("Nothing to do: the next sync carries it over as it is now."),
    ),
    Reason.BROKEN: Advice(
        _("Outlook sent something that cannot be read."),
        LEFT_ALONE,
        _("Open it in Outlook, change a word and save it; then sync again."),
    ),
    Reason.CHANGED_SINCE: Advice(
        _("It is no longer as that sync left it: somebody or a later sync has changed it since."),
        LEFT_AS_IT_IS,
        _("If the former value is the right one, edit the contact."),
        OPEN_CONTACT,
    ),
    Reason.ALREADY_UNDONE: Advice(_("This was undone before."), LEFT_AS_IT_IS, _("There is nothing to do.")),
    Reason.NOTHING_TO_UNDO: Advice(
        _("That sync wrote no value here that could be taken back."),
        _("A pair stays a pair: it is the same person on both sides."),
        _("There is nothing to do."),
    ),
    Reason.IN_USE: Advice(
        _("A colleague has paired this contact with one in their own Outlook."),
        LEFT_AS_IT_IS,
        _("If nobody needs it, move it to the trash on its card; it then goes from every Outlook."),
        OPEN_CONTACT,
    ),
}

NOTHING_LOST = _("The sync stopped; nothing is lost.")

TROUBLES: dict[str, Advice] = {
    Trouble.NEEDS_SIGN_IN: Advice(
        _("Microsoft 365 no longer accepts your sign-in: it ran out or was withdrawn."),
        NOTHING_LOST,
        _("Connect your mailbox again, then sync."),
        CONNECT,
    ),
    Trouble.FOLDER_GONE: Advice(
        _("The folder in Outlook is gone."),
        _("The sync stopped. The CRM did not take this as a wish to delete anything."),
        _("Have the folder made again and filled from the CRM, or choose another folder."),
        Button(_("Choose a folder"), SETUP),
    ),
    Trouble.MAILBOX_UNAVAILABLE: Advice(
        _("Microsoft 365 has no mailbox for you that can be reached."),
        NOTHING_LOST,
        _("Ask your administrator whether your mailbox is in Exchange Online and your licence is in order."),
        OPEN_SETUP,
    ),
    Trouble.ACCESS_DENIED: Advice(
        _("Microsoft 365 does not allow the CRM to reach your contacts."),
        NOTHING_LOST,
        _("Connect your mailbox again and agree to the permissions. If that does not help, ask your administrator."),
        CONNECT,
    ),
    Trouble.MAILBOX_CHANGED: Advice(
        _("Your mailbox is another one than the one that was synced so far."),
        _("The sync stopped before it changed anything."),
        _("Connect the mailbox that you mean, and choose its folder."),
        OPEN_SETUP,
    ),
    Trouble.QUOTA_FULL: Advice(
        _("Your mailbox is full."),
        NOTHING_LOST,
        _("Make room in Outlook, then sync again."),
        SYNC_AGAIN,
    ),
    "throttled": Advice(
        _("Microsoft 365 is busy and asked us to wait longer than a sync may take."),
        NOTHING_LOST,
        _("Sync again in some minutes; it goes on where it stopped."),
        SYNC_AGAIN,
    ),
    "unreachable": Advice(
        _("Microsoft 365 could not be reached."),
        NOTHING_LOST,
        _("Sync again in some minutes. If it goes on, ask your administrator about the network."),
        SYNC_AGAIN,
    ),
    "bad_answer": Advice(
        _("Microsoft 365 sent an answer that makes no sense."),
        _("The sync stopped rather than guess; whatever was done before is kept."),
        _("Sync again in some minutes. If it happens again, tell your administrator."),
        SYNC_AGAIN,
    ),
    "wrong_configuration": Advice(
        _("The CRM's own registration with Microsoft 365 is wrong or has run out."),
        NOTHING_LOST,
        _("Tell your administrator: the app registration must be put right."),
        OPEN_SETUP,
    ),
    "wrong_filter": Advice(
        _("The filter has a mistake in it."),
        _("The sync stopped before it changed anything."),
        _("Correct the filter in the setup, then sync again."),
        Button(_("Change the filter"), SETUP),
    ),
    "setup_changed": Advice(
        _("The folder or the mailbox was changed while the sync was running."),
        _("The sync stopped; whatever was done before is kept."),
        _("Sync again, with the folder as it is now."),
        SYNC_AGAIN,
    ),
    "lost": Advice(
        _("The background worker that ran the sync stopped in the middle of it."),
        NOTHING_LOST,
        _("Sync again. If it happens again, tell your administrator."),
        SYNC_AGAIN,
    ),
    "crashed": Advice(
        _("The sync met a fault of its own."),
        NOTHING_LOST,
        _("Tell your administrator: the log has the details. You can sync again."),
        SYNC_AGAIN,
    ),
}


def named(reason: str, detail: str) -> list[str]:
    """The numbers of the contacts that a row's detail names."""
    return detail.split(", ") if detail and reason in NAMES_CONTACTS else []


def about(reason: str) -> Advice | None:
    """The row of a contact's reason, or None where there is no reason."""
    return REASONS.get(reason)


def trouble(error: str) -> Advice:
    """The row of a run's error; an unknown code gets the row of a fault of our own."""
    return TROUBLES.get(error, TROUBLES["crashed"])
