"""Validate Exchange connection: try everything that a sync needs, one step after the other, and say how each went."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from exchange_setup.graph.calls import Call, Create, Delete, Get
from exchange_setup.graph.client import Folder, GraphClient, same_name
from exchange_setup.graph.errors import FolderGone, GraphError, ItemError, NotFound, RunError, Throttled, Unreachable
from exchange_setup.mailbox import open_mailbox, token_source
from exchange_setup.models import ExchangeSync
from exchange_setup.words import describe

log = logging.getLogger(__name__)

PATIENCE = 8.0  # seconds that somebody looking at the page waits, in all, for Microsoft to be less busy
GOOD_WHILE = 20.0
TIMEOUT = (5.0, 15.0)
CANARY = {"givenName": "CRM", "surname": "connection test", "displayName": "CRM connection test"}
LOOKS = 3  # what was just written may take a moment to be seen

STEPS = {
    "sign_in": _("Sign-in"),
    "mailbox": _("Mailbox"),
    "read": _("Permission to read"),
    "write": _("Permission to write"),
    "folder": _("Folder"),
}
LAST = "folder"


@dataclass(frozen=True)
class Outcome:
    """How one step went: `ok` is None where it was not tried any more. `detail` is Microsoft's own line."""

    name: str
    title: str | Promise
    ok: bool | None
    text: str | Promise
    detail: str = ""


class Impatience:
    """Waits, but not for long in all, and not again once a good while has gone by."""

    def __init__(self, wait: Callable[[float], object] = time.sleep) -> None:
        self.left = PATIENCE
        self.until = time.monotonic() + GOOD_WHILE
        self.wait = wait

    def __call__(self, seconds: float) -> None:
        if time.monotonic() > self.until:
            raise Unreachable("it took too long")
        if seconds > self.left:
            raise Throttled(seconds)
        self.left -= seconds
        self.wait(seconds)


def validate(setup: ExchangeSync) -> list[Outcome]:
    """One outcome per step; after one that failed the rest are not tried. Sets or clears the setup's trouble."""
    outcomes: list[Outcome] = []
    with closing(Check(setup, Impatience())) as check:
        for name in STEPS:
            outcomes.append(check.attempt(name) if all(outcome.ok for outcome in outcomes) else not_tried(name))
    return outcomes


def try_step(setup: ExchangeSync, name: str) -> Outcome:
    """How one step goes by itself, those before it having gone well. Sets or clears the setup's trouble."""
    with closing(Check(setup, Impatience())) as check:
        return check.attempt(name)


def not_tried(name: str) -> Outcome:
    return Outcome(name, STEPS[name], None, _("Not tried."))


class Check:
    """The steps: each returns the sentence that says it went well, or raises GraphError."""

    def __init__(self, setup: ExchangeSync, wait: Callable[[float], object]) -> None:
        self.setup = setup
        self.wait = wait
        self.graph: GraphClient | None = None
        self.main: Folder | None = None  # what an earlier step has found, if this is not the only one
        self.folders: Sequence[Folder] | None = None
        self.left_behind = False

    def close(self) -> None:
        if self.graph:
            self.graph.close()

    def attempt(self, name: str) -> Outcome:
        """Go one step. A failure that only a person can mend becomes the setup's trouble; the last success ends it."""
        try:
            text = getattr(self, name)()
        except GraphError as error:
            log.warning("setup %s, %s: %s", self.setup.pk, name, error)
            if isinstance(error, RunError) and error.trouble:
                self.note(error.trouble, error.detail)
            return Outcome(name, STEPS[name], False, self.failed(name, error), str(error))
        if name == LAST:
            self.note("")
        return Outcome(name, STEPS[name], True, text)

    def note(self, trouble: str, detail: str = "") -> None:
        if self.setup.trouble != trouble:
            self.setup.note_trouble(trouble, detail)

    def failed(self, name: str, error: GraphError) -> str:
        """What the failure means, and what can be done."""
        advice = str(describe(error))
        if self.left_behind:
            advice += " " + gettext("The test contact “%(name)s” is still there: please delete it in Outlook.") % {
                "name": CANARY["displayName"]
            }
        return advice

    def sign_in(self) -> str:
        self.open()
        token_source(self.setup, self.wait)()
        return gettext("Microsoft 365 accepts the sign-in.")

    def mailbox(self) -> str:
        self.main = self.client.main_folder()
        return gettext("The mailbox %(mailbox)s answers.") % {"mailbox": self.setup.user.authentication_email}

    def read(self) -> str:
        self.folders = self.client.folders()
        return gettext("The CRM may read the contacts.")

    def write(self) -> str:
        self.try_writing(self.writing_place())
        return gettext("A test contact was written, read back and removed.")

    def folder(self) -> str:
        name = {"folder": self.setup.folder_name}
        if self.setup.folder_id:
            return gettext("“%(folder)s” is there.") % {"folder": self.client.folder(self.setup.folder_id).name}
        folders = self.client.folders() if self.folders is None else self.folders
        if any(same_name(folder.name, self.setup.folder_name) for folder in folders):
            return gettext("“%(folder)s” is there already; it will be used.") % name
        return gettext("“%(folder)s” does not exist yet; the first sync makes it.") % name

    def open(self) -> GraphClient:
        self.graph = open_mailbox(self.setup, wait=self.wait, timeout=TIMEOUT)
        return self.graph

    @property
    def client(self) -> GraphClient:
        return self.graph or self.open()

    def writing_place(self) -> Folder:
        """The synced folder where there is one already, else the main one."""
        if self.setup.folder_id:
            try:
                return self.client.folder(self.setup.folder_id)
            except FolderGone:
                log.info("setup %s: the folder is gone, the main one is tried", self.setup.pk)
        return self.main or self.client.main_folder()

    def try_writing(self, folder: Folder) -> None:
        created = self.one(Create(folder.id, CANARY))
        self.left_behind = True
        try:
            self.read_back(created["id"])
        finally:
            self.remove(created["id"])

    def read_back(self, contact_id: str) -> None:
        for look in range(LOOKS):
            try:
                self.one(Get(contact_id))
                return
            except NotFound:
                if look == LOOKS - 1:
                    raise
                self.wait(1)

    def remove(self, contact_id: str) -> None:
        try:
            self.one(Delete(contact_id))
        except NotFound:
            log.info("the test contact was gone already")
        self.left_behind = False

    def one(self, call: Call) -> dict[str, Any]:
        [answer] = self.client.batch([call])
        if isinstance(answer, ItemError):
            raise answer
        return answer
