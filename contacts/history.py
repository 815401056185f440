"""A contact's history for reading, and taking one value of it back."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from contacts.changes import MERGES, ContactChange, Source, Values, recorded
from contacts.models import Contact, ContactType
from contacts.reading import Marked, mark, shown

SAID_BY_TITLE = {"deleted_at", "merged_into"}
NAMES_OF_PERSON = ("first_name", "middle_name", "surname", "email")
ICONS: dict[str, str] = {
    Source.SYNC: "refresh-cw", Source.IMPORT: "upload", Source.MERGE: "git-merge", Source.UNMERGE: "undo-2",
}  # fmt: skip


class NotRestorable(Exception):
    """The value cannot be brought back; the message says why, to the person who asked. Nothing was written."""


@dataclass(frozen=True)
class Line:
    """What became of one field. `name` is what to ask for to have the former value back, '' where that cannot be."""

    label: str
    before: Marked
    after: Marked
    name: str


@dataclass(frozen=True)
class Entry:
    """One writing of the contact: what it did, who did it, and the fields that it changed.

    Of a merge: with whom, and by which reference it can be undone, '' where it cannot.
    """

    change: ContactChange
    icon: str
    title: str
    who: str
    run_url: str
    lines: list[Line]
    partners: list[Contact]
    undo: str


class History:
    """Reads the changes of one contact, a page at a time, for `reader`. A constant number of queries."""

    def __init__(self, contact: Contact, changes: Iterable[ContactChange], reader: Any) -> None:
        self.contact = contact
        self.changes = list(changes)
        self.reader = reader
        self.now = recorded(contact)

    @cached_property
    def entries(self) -> list[Entry]:
        return [self._entry(change) for change in self.changes]

    def _entry(self, change: ContactChange) -> Entry:
        lines = [self._line(change, name) for name in told(change)]
        partners = self._partners.get((change.source, change.reference), [])
        return Entry(
            change, icon(change), title(change, partners), who(change), self._run_url(change), lines, partners,
            undo=self._undo(change, partners),
        )  # fmt: skip

    def _undo(self, change: ContactChange, partners: list[Contact]) -> str:
        into = {contact.merged_into_id for contact in partners}
        can = change.source == Source.MERGE and not self.contact.is_trashed and into == {self.contact.pk}
        return change.reference if can else ""

    def _line(self, change: ContactChange, name: str) -> Line:
        before, after = (self._text(change.fields, name, side) for side in (0, 1))
        can = can_come_back(self.contact, self.now, change, name)
        return Line(label(name), *mark(before, after), name if can else "")

    def _text(self, fields: dict[str, list[Any]], name: str, side: int) -> str:
        """The value of a field before (0) or after (1) a change, as people write it."""
        if name == "company":
            text = fields["company_name"][side] if "company_name" in fields else self.contact.company_name
            number = self._companies.get(fields[name][side])
            return f"{text} · {number}" if number else text if "company_name" in fields else ""
        value = fields[name][side]
        if name == "salesperson" and value:
            return self._people.get(value, _("somebody who is no longer here"))
        if name == "type":
            return str(ContactType(value).label)
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        return shown(name, value)

    @cached_property
    def _companies(self) -> dict[int, str]:
        """The numbers of the companies that are named, by their keys."""
        keys = self._named("company")
        return dict(Contact.objects.filter(pk__in=keys).values_list("pk", "number")) if keys else {}

    @cached_property
    def _partners(self) -> dict[tuple[str, str], list[Contact]]:
        """Of each merge, by source and reference: who was put into this contact, or whom it was put into."""
        references = {change.reference for change in self.changes if change.source in MERGES}
        if not references:
            return {}
        rows = ContactChange.objects.filter(source__in=MERGES, reference__in=references)
        rows = list(rows.filter(fields__has_key="merged_into").select_related("contact"))
        me = self.contact.pk
        survivors = {key for row in rows if row.contact_id == me for key in row.fields["merged_into"] if key}
        others = Contact.objects.in_bulk(survivors)
        found: dict[tuple[str, str], list[Contact]] = defaultdict(list)
        for row in rows:
            put = [others[key] for key in row.fields["merged_into"] if row.contact_id == me and key in others]
            found[row.source, row.reference] += [row.contact] if me in row.fields["merged_into"] else put
        return found

    @cached_property
    def _people(self) -> dict[int, str]:
        users = get_user_model().objects
        return {user.pk: str(user) for user in users.filter(pk__in=self._named("salesperson"))}

    def _named(self, field: str) -> set[int]:
        return {key for change in self.changes for key in change.fields.get(field, ()) if key}

    def _run_url(self, change: ContactChange) -> str:
        """The page of the run that did it, where the reader may see it and it is kept still."""
        may_see = change.by_id == self.reader.pk or getattr(self.reader, "is_administrator", False)
        kept_since = timezone.now() - timedelta(days=settings.SYNC_KEEP_CHANGES_DAYS)
        if change.source != Source.SYNC or not may_see or change.at < kept_since:
            return ""
        return reverse("sync:run-detail", args=[change.reference])


def told(change: ContactChange) -> list[str]:
    """The fields that an entry lists, in the order of the card: the company once, by its name or by its number."""
    listed = [name for name in FIELD_ORDER if name in change.fields and name not in SAID_BY_TITLE]
    return [name for name in listed if name != "company_name"] if "company" in change.fields else listed


def trashes(change: ContactChange) -> bool:
    return bool(change.fields.get("deleted_at", [None, None])[1])


def icon(change: ContactChange) -> str:
    if "deleted_at" in change.fields and change.source not in MERGES:
        return "trash-2" if trashes(change) else "undo-2"
    return ICONS.get(change.source) or ("pencil" if change.fields else "plus")


def title(change: ContactChange, partners: list[Contact]) -> str:
    """What was done, in a word or two; of a merge the partners' names come after it."""
    if change.source == Source.UNMERGE and (partners or not change.fields):
        return _("Merge undone:")
    if change.source == Source.MERGE and (partners or not change.fields):
        return _("Merged into") if trashes(change) else _("Merged with")
    if not change.fields:
        return _("Added")
    if "deleted_at" in change.fields:
        return _("Moved to the trash") if trashes(change) else _("Restored from the trash")
    return _("Changed")


def who(change: ContactChange) -> str:
    """Whose change it was, and from where it came."""
    name = str(change.by) if change.by else ""
    if change.source == Source.SYNC:
        return _("Sync with the Outlook of %(name)s") % {"name": name} if name else _("Sync with Outlook")
    if change.source == Source.IMPORT:
        return _("Import by %(name)s") % {"name": name} if name else str(Source.IMPORT.label)
    if change.source == Source.COMMAND and not name:
        return _("Command line")
    return name or _("Somebody")


def label(name: str) -> str:
    return str(Contact._meta.get_field(name).verbose_name)


def parts(change: ContactChange, name: str) -> list[str]:
    """The fields that come back together with `name`: a company, and its name."""
    return [part for part in PAIR if part in change.fields] if name == "company" else [name]


def can_come_back(contact: Contact, now: Values, change: ContactChange, name: str) -> bool:
    """Whether the field still holds what the change made of it, and so can have its former value again."""
    if contact.is_trashed or "type" in change.fields or (name == "company_name" and contact.company_id):
        return False
    return all(now[part] == change.fields[part][1] for part in parts(change, name))


def take_back(contact: Contact, change: ContactChange, name: str, *, by: Model) -> None:
    """Give the field the value again that it had before `change`. Raises NotRestorable; call it on a locked contact."""
    now = recorded(contact)
    if name not in told(change):
        raise NotRestorable(_("That value cannot be brought back."))
    if not can_come_back(contact, now, change, name):
        message = _("%(field)s has been changed since, so nothing was done. Edit the contact instead.")
        raise NotRestorable(message % {"field": label(name)})
    before = {part: change.fields[part][0] for part in parts(change, name)}
    if why := senseless(contact, now | before):
        raise NotRestorable(why)
    contact.write({part: as_value(part, value) for part, value in before.items()}, by=by)


def senseless(contact: Contact, values: Values) -> str:
    """Why a contact cannot hold `values`, '' where it can."""
    if contact.is_person and not any(values[name] for name in NAMES_OF_PERSON):
        return _("A person needs a name or an e-mail.")
    return "" if contact.is_person or values["name"] else _("A company needs a name.")


def as_value(name: str, value: Any) -> Any:
    """What to assign for a value that the history keeps. Raises NotRestorable where it names somebody who is gone."""
    if value is None:
        return None
    if name == "company":
        company = Contact.objects.alive().companies().filter(pk=value).first()
        if company is None:
            raise NotRestorable(_("That company is no longer in the CRM. Restore it from the trash first."))
        return company
    if name == "salesperson":
        user = get_user_model().objects.filter(pk=value).first()
        if user is None:
            raise NotRestorable(_("That salesperson is no longer here."))
        return user
    return date.fromisoformat(value) if name == "birthday" else value


PAIR = ["company", "company_name"]
FIELD_ORDER = [field.name for field in Contact.recorded_fields()]
