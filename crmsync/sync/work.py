"""What the phases of a run share: the run, its setup, the mailbox, the lease, and the small verbs on them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import QuerySet

from contacts.models import Contact
from crmsync.sync import scope
from crmsync.sync.choices import Kind, LinkState, Preference
from crmsync.sync.lease import Lease
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.scope import HELD
from exchange_setup.graph.client import GraphClient
from exchange_setup.models import ExchangeSync

PAGE = 200
Row = TypeVar("Row", bound=models.Model)


class SetupChanged(Exception):
    """Somebody chose another folder or mailbox while the run was at work."""


@dataclass
class Work:
    """One run at work."""

    run: SyncRun
    setup: ExchangeSync
    graph: GraphClient
    lease: Lease

    @property
    def is_preview(self) -> bool:
        return self.run.kind == Kind.PREVIEW

    @property
    def is_undo(self) -> bool:
        return self.run.kind == Kind.UNDO

    @property
    def links(self) -> QuerySet[ContactLink]:
        return ContactLink.objects.filter(setup=self.setup)

    def make_way(self, links: Iterable[ContactLink]) -> None:
        """Delete what else is noted of these links' contacts: a word just said, an item that is gone."""
        taking = [link for link in links if link.contact_id]
        others = self.links.filter(contact__in={link.contact_id for link in taking}).exclude(state__in=HELD, gone=False)
        if taking:
            others.exclude(pk__in=[link.pk for link in taking if link.pk]).delete()

    def look_again_at(self, contacts: Iterable[int]) -> None:
        """Have the next plan look at those of these contacts, by their keys, whom Outlook should have and of whom
        nothing is noted, whatever the dates. No query for nobody."""
        if keys := set(contacts):
            wanted = self.in_filter().filter(pk__in=keys).order_by("pk").values_list("pk", flat=True)
            links = [
                ContactLink(setup=self.setup, contact_id=pk, state=LinkState.LEFT_OUT, dirty=True) for pk in wanted
            ]
            ContactLink.objects.bulk_create(links, ignore_conflicts=True)

    @property
    def contact_url(self) -> str:
        """Where the contacts' pages are, '' where nobody said which address people open."""
        return f"{settings.BASE_URL}/contacts/" if settings.BASE_URL else ""

    def save_setup(self, **values: Any) -> None:
        """Store these fields of the setup, unless somebody chose another folder meanwhile (SetupChanged)."""
        same = ExchangeSync.objects.filter(pk=self.setup.pk, folder_id=self.setup.folder_id, mailbox=self.setup.mailbox)
        if not same.update(**values):
            raise SetupChanged
        for name, value in values.items():
            setattr(self.setup, name, value)

    def note(self, code: str) -> None:
        """Remember something about the run that its page should say."""
        if code not in self.run.notes:
            self.run.notes = [*self.run.notes, code]
            self.lease.hold(notes=self.run.notes)

    def in_filter(self) -> QuerySet[Contact]:
        """People that this setup wants in Outlook: in its filter or set to "always", and not set to "never"."""
        return scope.wanted(self.setup)

    def never(self) -> QuerySet[Any, Any]:
        return scope.preferred(self.setup, Preference.NEVER)


def store(rows: Sequence[models.Model], columns: Sequence[str]) -> None:
    """Update these columns of rows that exist. An upsert: bulk_update's CASE per value takes forty times as long."""
    if rows:
        type(rows[0])._base_manager.bulk_create(
            rows, update_conflicts=True, unique_fields=["id"], update_fields=columns
        )


def still_there(keys: Iterable[int | None]) -> set[int]:
    """Those of these contacts that exist; nobody deletes one for good before the transaction ends. One query."""
    locked = Contact.objects.filter(pk__in=set(keys) - {None}).order_by("pk").select_for_update(no_key=True)
    return set(locked.values_list("pk", flat=True))


def chunks(rows: QuerySet[Row], size: int = PAGE) -> Iterator[list[Row]]:
    """`rows` by their keys, `size` at a time, each chunk read afresh: flat memory, however many there are."""
    rows = rows.order_by("pk")
    chunk = list(rows[:size])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:size]) if len(chunk) == size else []
