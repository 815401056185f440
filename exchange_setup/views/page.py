"""The setup page: five steps in one column, each with its state and its one button."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from contacts.filter_form import ContactFilterForm
from contacts.filters import FIELDS
from exchange_setup.forms import ALWAYS, IN_SHORT, FolderForm, RulesForm, ScheduleForm, awaits_schedule
from exchange_setup.mailbox import uses_application_access
from exchange_setup.models import LAST_STEP, RULES, ExchangeSync, MailboxSignIn, Trouble
from exchange_setup.validation import Outcome
from exchange_setup.words import trouble_of

Text = str | Promise

CONNECT, FOLDER, FILTER, RULES_STEP, SCHEDULE = range(1, LAST_STEP + 1)
TITLES = {
    CONNECT: _("Connect"),
    FOLDER: _("Folder"),
    FILTER: _("Filter"),
    RULES_STEP: _("Rules"),
    SCHEDULE: _("Schedule"),
}
MAILBOX_TROUBLES = set(Trouble) - {Trouble.FOLDER_GONE}
TEMPLATES = {
    CONNECT: "exchange_setup/_connect.html",
    FOLDER: "exchange_setup/_folder.html",
    FILTER: "exchange_setup/_filter.html",
    RULES_STEP: "exchange_setup/_rules.html",
    SCHEDULE: "exchange_setup/_schedule.html",
}


@dataclass(frozen=True)
class Step:
    """`state` is done, now, warn or todo; `summary` is the one line that says what is set."""

    number: int
    title: Text
    template: str
    state: str
    summary: Text
    is_open: bool


@dataclass
class Page:
    """A setup with what is shown beyond what is stored: a refused form, the step that was asked for, the outcomes."""

    setup: ExchangeSync
    sign_in: MailboxSignIn | None
    forms: dict[int, BaseForm] = field(default_factory=dict)
    open_step: int = 0
    outcomes: Sequence[Outcome] = ()

    @property
    def is_connected(self) -> bool:
        mailbox = self.setup.user.authentication_email
        if not self.setup.belongs_to(mailbox):
            return False
        return uses_application_access() or (self.sign_in is not None and self.sign_in.is_connected)

    def context(self) -> dict[str, Any]:
        setup = self.setup
        return {
            "setup": setup,
            "sign_in": self.sign_in,
            "is_connected": self.is_connected,
            "by_organisation": uses_application_access(),
            "steps": self.steps(),
            "is_finished": self.next_step() == 0,
            "trouble": trouble_of(setup),
            "state": self.state(),
            "has_moved": not setup.belongs_to(setup.user.authentication_email),
            "next_sync_at": setup.next_sync_at if self.state() == "by_itself" else None,
            "outcomes": self.outcomes,
            "always": ALWAYS,
            "folder_is_locked": setup.is_locked("folder_name"),
            "filter_is_locked": setup.is_locked("contact_filter"),
            "folder_form": self.forms.get(FOLDER) or FolderForm(setup=setup),
            "filter_form": self.forms.get(FILTER) or filter_form(setup),
            "rules_form": self.forms.get(RULES_STEP) or RulesForm(instance=setup),
            "schedule_form": self.forms.get(SCHEDULE) or ScheduleForm(instance=setup),
        }

    def steps(self) -> list[Step]:
        summaries = {
            CONNECT: self.connect_summary(),
            FOLDER: folder_summary(self.setup),
            FILTER: filter_summary(self.setup.contact_filter),
            RULES_STEP: rules_summary(self.setup),
            SCHEDULE: schedule_summary(self.setup),
        }
        now = self.next_step()
        opened = self.open_step or now or (FOLDER if self.setup.trouble == Trouble.FOLDER_GONE else 0)
        states = {number: self.state_of(number, now) for number in TITLES}
        return [
            Step(number, TITLES[number], TEMPLATES[number], states[number], summaries[number], number == opened)
            for number in TITLES
        ]

    def next_step(self) -> int:
        """The step that is waiting for the user; 0 once all are done."""
        if not self.is_connected:
            return CONNECT
        done = max(self.setup.steps_done, CONNECT)
        return done + 1 if done < LAST_STEP else 0

    def state_of(self, number: int, now: int) -> str:
        if number in self.need_a_look():
            return "warn"
        if number == now:
            return "now"
        return "done" if number < now or number <= self.setup.steps_done else "todo"

    def need_a_look(self) -> set[int]:
        """The steps at which something that worked before no longer does."""
        was_connected = self.sign_in is not None or self.setup.enabled_at is not None
        steps = set()
        if (was_connected and not self.is_connected) or self.setup.trouble in MAILBOX_TROUBLES:
            steps.add(CONNECT)
        if self.setup.trouble == Trouble.FOLDER_GONE:
            steps.add(FOLDER)
        return steps

    def state(self) -> str:
        """In one word where the sync stands: stopped, cut_off, waiting, by_itself, by_hand, paused or new."""
        setup = self.setup
        if trouble_of(setup):
            return "stopped"
        if not setup.enabled:
            return "paused" if setup.enabled_at else "new"
        if not self.is_connected:
            return "cut_off"
        if setup.waits_for_first_sync:
            return "waiting"
        return "by_itself" if setup.auto_sync else "by_hand"

    def connect_summary(self) -> Text:
        if not self.is_connected:
            return self.setup.user.authentication_email
        pattern = gettext("%(mailbox)s, connected by your organisation") if uses_application_access() else "%(mailbox)s"
        return pattern % {"mailbox": self.setup.user.authentication_email}


def folder_summary(setup: ExchangeSync) -> Text:
    name = {"folder": setup.folder_name}
    if setup.folder_is_main:
        return gettext("“%(folder)s”, Outlook's main contacts") % name
    return gettext("“%(folder)s”") % name if setup.folder_id else gettext("“%(folder)s”, made at the first sync") % name


def filter_summary(contact_filter: dict[str, str]) -> Text:
    parts = [f"{FIELDS[name].label}: {text}" for name, text in contact_filter.items() if name in FIELDS and text]
    return " · ".join(parts) or _("All people with a name and an e-mail")


def rules_summary(setup: ExchangeSync) -> Text:
    """The rules that most people ask for, as they are set, and how many of all are not the usual ones."""
    summary = capfirst("; ".join(str(words[getattr(setup, name)]) for name, words in IN_SHORT.items()))
    usual = {name: ExchangeSync._meta.get_field(name).default for name in RULES}
    count = sum(getattr(setup, name) != value for name, value in usual.items())
    if not count:
        return summary
    differ = ngettext("%(count)s rule differs from the usual", "%(count)s rules differ from the usual", count)
    return f"{summary} · {differ % {'count': count}}"


def schedule_summary(setup: ExchangeSync) -> Text:
    if awaits_schedule(setup):
        return _("By hand, until you choose a schedule")
    if not setup.auto_sync:
        return _("By hand only")
    return gettext("Every %(minutes)s minutes") % {"minutes": setup.interval_minutes}


def filter_form(setup: ExchangeSync, data: Any = None) -> ContactFilterForm:
    return ContactFilterForm(data, prefix="filter", me=setup.user, stored=setup.contact_filter)


def setup_of(request: HttpRequest) -> ExchangeSync:
    """The user's own setup, made when first asked for."""
    return ExchangeSync.objects.for_user(request.user)


def show(request: HttpRequest, setup: ExchangeSync, *, status: int = 200, **shown: Any) -> HttpResponse:
    """The page, or what is missing before there can be one."""
    if not setup.user.authentication_email:
        return missing(request)
    page = Page(setup, MailboxSignIn.objects.filter(setup=setup).first(), **shown)
    return render(request, "exchange_setup/setup.html", page.context(), status=status)


def missing(request: HttpRequest) -> HttpResponse:
    """Without an authentication email there is nothing to set up; the page says who can fill it in."""
    administrators = get_user_model().objects.filter(role="administrator", is_active=True).only("name", "email")
    return render(request, "exchange_setup/missing.html", {"administrators": administrators})


@login_required
@require_safe
def setup_page(request: HttpRequest) -> HttpResponse:
    if not request.user.authentication_email:
        return missing(request)
    setup = setup_of(request)
    return show(request, setup, **kept(setup, request.kept_form)) if request.kept_form else show(request, setup)


def kept(setup: ExchangeSync, sent: Any) -> dict[str, Any]:
    """The form that survived a sign-in, at its step. Whether it is right is asked of it, but nothing is stored."""
    makers: dict[str, tuple[int, Callable[[], BaseForm]]] = {
        "exchange_setup:filter": (FILTER, lambda: filter_form(setup, sent.data)),
        "exchange_setup:rules": (RULES_STEP, lambda: RulesForm(sent.data, instance=setup)),
        "exchange_setup:schedule": (SCHEDULE, lambda: ScheduleForm(sent.data, instance=setup)),
    }
    step, make = makers[sent.view]
    form = make()
    form.is_valid()
    setup.refresh_from_db()
    return {"forms": {step: form}, "open_step": step}
