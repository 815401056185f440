"""A stage for sync tests: salespeople with their mailboxes, and one line for a whole run."""

from dataclasses import dataclass
from typing import Any

import pytest

from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.report import as_json
from crmsync.sync.runs import approve, request_run
from crmsync.sync.undo import request_undo
from crmsync.sync.verifications import as_json as verified_as_json
from crmsync.sync.verify import request_verify
from exchange_setup.graph.properties import FAX
from exchange_setup.models import ExchangeSync
from tests.factories import SetupFactory, UserFactory
from tests.outlook import Mailbox, Tenant

FOLDER = "Business Central"
NOTHING = {"created": 0, "updated": 0, "deleted": 0}


@dataclass
class Salesperson:
    """A user, their setup, and the mailbox as they see it in Outlook."""

    setup: ExchangeSync
    outlook: Mailbox
    tenant: Tenant

    def sync(self, *, full: bool = False, preview: bool = False) -> dict[str, Any]:
        """One run in the foreground; its report."""
        kind = Kind.PREVIEW if preview else Kind.FULL if full else Kind.SYNC
        setup = ExchangeSync.objects.select_related("user").get(pk=self.setup.pk)
        run, is_new = request_run(setup, kind=kind, whole=full, trigger=Trigger.COMMAND, enqueue=False)
        assert is_new, "a run is open already"
        self.tenant.clear_requests()
        perform(run.pk, budget=float("inf"))
        return as_json(SyncRun.objects.get(pk=run.pk))

    def verify(self) -> dict[str, Any]:
        """One comparison of both sides in the foreground; its report."""
        setup = ExchangeSync.objects.select_related("user").get(pk=self.setup.pk)
        run, is_new = request_verify(setup, trigger=Trigger.COMMAND, enqueue=False)
        assert is_new, "a run is open already"
        self.tenant.clear_requests()
        perform(run.pk, budget=float("inf"))
        return verified_as_json(SyncRun.objects.get(pk=run.pk))

    def undo(self, run: int | None = None, *, change: SyncChange | None = None, applies: bool = True) -> dict[str, Any]:
        """Take back a run, the last one if none is named, or one change of it; the undo's report."""
        mine = SyncRun.objects.select_related("setup__user").filter(setup=self.setup)
        undone = mine.get(pk=run) if run else mine.latest("pk")
        undo, is_new = request_undo(undone, by=self.setup.user, change=change, enqueue=False)
        assert is_new, "a run is open already"
        perform(undo.pk, budget=float("inf"))
        undo.refresh_from_db()
        if applies and undo.outcome == Outcome.HELD:
            approve(undo, self.setup.user)
            self.finish(undo)
        return as_json(SyncRun.objects.get(pk=undo.pk))

    def finish(self, run: SyncRun) -> None:
        """Do what the worker would."""
        perform(run.pk, budget=float("inf"))

    def change(self, **values: Any) -> None:
        """Change the setup."""
        ExchangeSync.objects.filter(pk=self.setup.pk).update(**values)

    def names(self, folder: str = FOLDER) -> list[str]:
        return sorted(item["displayName"] for item in self.outlook.contacts(folder))

    def card(self, name: str, folder: str = FOLDER) -> dict[str, Any]:
        """The one contact of that name in Outlook."""
        (found,) = (item for item in self.outlook.contacts(folder) if item["displayName"] == name)
        return found


@dataclass
class Stage:
    tenant: Tenant

    def salesperson(self, email: str, **setup: Any) -> Salesperson:
        user = UserFactory(email=email, authentication_email=email)
        mailbox = self.tenant.add_person(email, user.name)
        return Salesperson(SetupFactory(user=user, mailbox=email, **setup), mailbox, self.tenant)


@pytest.fixture
def stage(db: None, sandbox: Tenant, settings: Any) -> Stage:
    settings.M365_ACCESS = "application"
    return Stage(sandbox)


@pytest.fixture
def jens(stage: Stage) -> Salesperson:
    return stage.salesperson("jens@contoso.example")


@pytest.fixture
def no_brake_on_overwrites(settings: Any) -> None:
    """A run may overwrite all that there is and asks nobody."""
    settings.SYNC_OVERWRITE_PERCENT = 1000


def outlook_person(first: str, last: str, email: str, **more: Any) -> dict[str, Any]:
    """A contact as a person would make it in Outlook."""
    return {"givenName": first, "surname": last, "emailAddresses": [{"address": email}], **more}


def edit(contact: Contact, **values: Any) -> Contact:
    """Somebody saves the contact card."""
    return Contact.objects.get(pk=contact.pk).write(values, by=None)


def fax_of(item: dict[str, Any]) -> str:
    return {key.lower(): value for key, value in item["extended"].items()}.get(FAX.lower(), "")
