"""What the watch remembers: what people were told of a mailbox, when things last happened, and running totals."""

from datetime import date, datetime

from django.db import models
from django.db.models import F, Q

from exchange_setup.models import ExchangeSync


class WatchQuerySet(models.QuerySet["Watch"]):
    def of(self, setup: ExchangeSync) -> "Watch":
        """The setup's row, made when first asked for."""
        return self.get_or_create(setup=setup)[0]


class Watch(models.Model):
    """What its user was told of one setup, and whether it is wanted soon.

    Each verb is one conditional UPDATE: of several workers that look at the same moment, one gets True and writes the
    mail. `put_back` undoes it where the mail could not be handed over.
    """

    setup = models.OneToOneField(ExchangeSync, models.CASCADE, related_name="watch")
    broken = models.CharField(max_length=20, blank=True, help_text="The health that the user was told; '' for none.")
    broken_at = models.DateTimeField(null=True)
    digest_on = models.DateField(null=True, help_text="The day of the last daily digest.")
    wanted_at = models.DateTimeField(null=True, help_text="Since when a sync is wanted soon.")

    objects = WatchQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["wanted_at"], name="watch_wanted", condition=Q(wanted_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.setup}: {self.broken or 'well'}"

    def note_break(self, health: str, now: datetime) -> bool:
        """Whether this is news, and ours to tell."""
        return bool(self._row.filter(broken="").update(broken=health, broken_at=now))

    def note_recovery(self) -> bool:
        """Whether there was a break, and its end is ours to tell."""
        return bool(self._row.exclude(broken="").filter(broken_at=self.broken_at).update(broken="", broken_at=None))

    def note_digest(self, day: date) -> bool:
        """Whether the digest of this day is ours to send."""
        return bool(self._row.filter(Q(digest_on=None) | Q(digest_on__lt=day)).update(digest_on=day))

    def take_wish(self) -> bool:
        """Whether the sync that was wanted is ours to start."""
        return bool(self._row.filter(wanted_at=self.wanted_at).update(wanted_at=None))

    def put_back(self) -> None:
        """Have somebody else try again: what this instance was read with stands once more."""
        self._row.update(broken=self.broken, broken_at=self.broken_at, digest_on=self.digest_on)

    @property
    def _row(self) -> WatchQuerySet:
        return Watch.objects.filter(pk=self.pk)


class MarkQuerySet(models.QuerySet["Mark"]):
    def set_at(self, name: str, at: datetime) -> None:
        """Note that it happened at `at`. One statement, whoever else does the same."""
        self.bulk_create([Mark(name=name, at=at)], update_conflicts=True, unique_fields=["name"], update_fields=["at"])

    def when(self, name: str) -> datetime | None:
        return self.filter(name=name).values_list("at", flat=True).first()

    def first_time(self, name: str, at: datetime) -> bool:
        """Whether it never happened before; of several that ask, one hears True."""
        return self.get_or_create(name=name, defaults={"at": at})[1]


class Mark(models.Model):
    """When something last happened: the sweep (the workers' heartbeat), a mail that is sent once."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()

    objects = MarkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name}: {self.at}"


class TallyQuerySet(models.QuerySet["Tally"]):
    def add(self, totals: dict[tuple[str, str], float]) -> None:
        """Add to these counters, by name and label; those that are new begin at nothing. Inside a transaction."""
        self.bulk_create([Tally(name=name, label=label) for name, label in totals], ignore_conflicts=True)
        for (name, label), amount in totals.items():
            self.filter(name=name, label=label).update(value=F("value") + amount)


class Tally(models.Model):
    """A counter that only grows, for `/metrics`: the journal is pruned, and a counter must not shrink with it."""

    name = models.CharField(max_length=60)
    label = models.CharField(max_length=60, blank=True)
    value = models.FloatField(default=0)

    objects = TallyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label"], name="one_tally_per_label")]

    def __str__(self) -> str:
        return f"{self.name} {self.label}: {self.value}"
