"""A file that somebody wants to import, from the moment they choose it until they say yes: at most a day."""

import io
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, BinaryIO, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Q
from django.utils import timezone

KEPT = timedelta(days=1)
WHOLE_EXPORT = 10  # so many known headings make it another program's own
LIKE_EARLIER = r"^\[[0-9]"  # what `Twin.kept` begins with where it is about a row


class UploadQuerySet(models.QuerySet["Upload"]):
    def waiting_of(self, user: models.Model) -> Self:
        """The one that `user` has waiting, if any."""
        return self.filter(user=user, created_at__gte=timezone.now() - KEPT)

    def outdated(self) -> Self:
        """What has waited for a day."""
        return self.filter(created_at__lt=timezone.now() - KEPT)


class Upload(models.Model):
    """A file that was looked at and waits for its owner's word to be imported. Everybody has at most one.

    `columns` has heading, field, surety and an example of each. `digest` stands for what the file would do. `emptying`
    rows empty a field; `emptied` are the first of them as [row, name, fields], led by those that lose the e-mail.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=255, blank=True)
    content = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    origin = models.CharField(max_length=10, blank=True)
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    columns = models.JSONField(default=list)
    duplicates = models.CharField(max_length=10, default="skip")
    digest = models.CharField(max_length=64, blank=True)
    emptied = models.JSONField(default=list)
    emptying = models.PositiveIntegerField(default=0)

    objects = UploadQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name or str(self.id)

    @classmethod
    @transaction.atomic
    def keep(cls, file: Iterable[bytes], *, user: models.Model, name: str = "") -> Self:
        """`file`, in place of the one that `user` had waiting. What waited for a day is forgotten."""
        cls.objects.filter(user=user).delete()
        cls.objects.outdated().delete()
        return cls.objects.create(user=user, name=name[-255:], content=b"".join(file))

    def opened(self) -> BinaryIO:
        return io.BytesIO(bytes(self.content))

    @property
    def fields(self) -> list[str]:
        """The field that each column holds, '' for none."""
        return [column["name"] for column in self.columns]

    @property
    def unused(self) -> list[str]:
        return [column["heading"] for column in self.columns if column["heading"] and not column["name"]]

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody has to say what a column with values holds.

        Outlook's and Google's own exports have many that are of no use here; those need nobody's word.
        """
        known = sum(column["surety"] == "known" for column in self.columns)
        is_whole_export = self.origin in ("outlook", "google") and known >= WHOLE_EXPORT
        unsure = ("guessed",) if is_whole_export else ("guessed", "")
        return not any(self.fields) or any(column["example"] and column["surety"] in unsure for column in self.columns)

    def counts(self) -> dict[str, int]:
        """The rows by what becomes of them; those that are like somebody as "like", those of them that are like an
        earlier row as "like_earlier".
        """
        found = dict(self.rows.values_list("kind").annotate(count=Count("pk")).order_by())
        earlier = Count("pk", filter=Q(like__regex=LIKE_EARLIER))
        alike = self.rows.exclude(like="").aggregate(all=Count("pk"), earlier=earlier)
        return found | {"like": alike["all"], "like_earlier": alike["earlier"]}


class UploadRow(models.Model):
    """What the file would make of one row. The fields are those of contacts.transfer.report.RowOutcome."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="rows", db_index=False)
    row = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)
    name = models.TextField(blank=True)
    contact = models.ForeignKey("contacts.Contact", models.SET_NULL, null=True, related_name="+")
    like = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    fields = models.JSONField(default=dict)
    mistakes = models.JSONField(default=list)

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["upload", "row"], name="a_row_of_an_upload_once")]
        indexes = [models.Index(fields=["upload", "kind", "row"], name="upload_rows_by_kind")]

    def __str__(self) -> str:
        return f"{self.row}: {self.kind}"

    @property
    def emptied(self) -> list[str]:
        """The fields that hold something now and would be empty."""
        if self.kind != "changed":
            return []
        return [name for name, (_before, after) in self.fields.items() if not after and name != "privacy_blocked"]

    @classmethod
    def of(cls, upload: Upload, outcome: dict[str, Any]) -> Self:
        contact = outcome.pop("contact")
        return cls(upload=upload, contact_id=contact, **outcome)
