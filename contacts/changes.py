"""Every change of a contact: what, when, by whom and from where.

Nobody writes these rows by hand. `Contact.assign` notes what the contact held before; the methods of `ContactQuerySet`
that store contacts store what has changed beside them, in the same transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_countries.fields import Country

Values = dict[str, Any]


class Source(models.TextChoices):
    """What made a change."""

    PERSON = "person", _("By hand")
    IMPORT = "import", pgettext_lazy("source", "Import")
    SYNC = "sync", _("Sync")
    MERGE = "merge", pgettext_lazy("source", "Merge")
    UNMERGE = "unmerge", _("Merge undone")
    COMMAND = "command", _("Command line")


MERGES = (Source.MERGE, Source.UNMERGE)


@dataclass(frozen=True)
class Pending:
    """What a contact held before changes that are not stored yet (None for a new contact), and what made them."""

    before: Values | None
    source: Source
    reference: str


class ContactChangeManager(models.Manager["ContactChange"]):
    def keep(self, contacts: Iterable[models.Model]) -> list["ContactChange"]:
        """Store what has changed in contacts that were stored just now. One insert, however many they are."""
        return self.bulk_create([change for contact in contacts if (change := ContactChange.of(contact))])


class ContactChange(models.Model):
    """One writing of a contact. `fields` is {name: [before, after]}, empty for the one that added it.

    A merge is kept even where it changed nothing in the survivor.
    """

    contact = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    source = models.CharField(max_length=10, choices=Source)
    reference = models.CharField(max_length=100, blank=True, help_text="Of a sync its run; of a merge its own key.")
    version = models.PositiveIntegerField(help_text="The contact's, from this change on.")
    fields = models.JSONField(default=dict)

    objects = ContactChangeManager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["contact", "-id"], name="history_of_contact"),
            models.Index(fields=["source", "reference"], name="history_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.contact} {self.version}: {', '.join(self.fields) or 'added'}"

    @classmethod
    def of(cls, contact: Any) -> "ContactChange | None":
        """What `assign` made of the contact since it was stored last (unsaved); None for nothing."""
        pending, contact.pending = contact.pending, None
        if pending is None:
            return None
        is_new = pending.before is None
        fields = {} if is_new else differences(pending.before, recorded(contact))
        if not (is_new or fields or pending.source in MERGES):
            return None
        return cls(
            contact=contact,
            at=contact.created_at if is_new else contact.modified_at,
            by_id=contact.modified_by_id,
            source=pending.source,
            reference=pending.reference,
            version=contact.version,
            fields=fields,
        )


def recorded(contact: Any) -> Values:
    """All that the history keeps of a contact, by field name, in the form that JSON can hold."""
    return {field.name: as_json(getattr(contact, field.attname)) for field in contact.recorded_fields()}


def as_json(value: Any) -> Any:
    """Dates and times as ISO text, a country as its code, everything else as it is."""
    if isinstance(value, Country):
        return value.code or ""
    return value.isoformat() if isinstance(value, date) else value


def differences(before: Values, after: Values) -> dict[str, list[Any]]:
    """{name: [before, after]} of the fields that differ, without the name that only follows from others."""
    changed = {name: [before[name], value] for name, value in after.items() if before[name] != value}
    if "type" not in changed:
        changed.pop("name" if after["type"] == "person" else "company_name", None)
    return changed
