"""What a filter would do before it is saved: who comes in, who leaves, who stays out. Reads the CRM side alone.

Everything is counted by the database in a constant number of queries, whatever the number of contacts.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from contacts.models import Contact, ContactType
from crmsync.sync import words
from crmsync.sync.brakes import limit
from crmsync.sync.choices import LinkState
from crmsync.sync.facts import STAY_ALONE
from crmsync.sync.models import ContactLink
from crmsync.sync.scope import HELD, wanted
from exchange_setup.models import ExchangeSync, LeftFilterRule, RemovedRule, SharedEmailRule

FIT = Q(privacy_blocked=False, email__contains="@") & ~Q(name="")

IN, OUT, SHARED, UNFIT = "in", "out", "shared", "unfit"

COME_IN = ngettext_lazy("%(shown)s contact comes in", "%(shown)s contacts come in", "count")
ARE_KEPT = ngettext_lazy(
    "%(shown)s contact leaves the filter and is kept in Outlook, as your rule says",
    "%(shown)s contacts leave the filter and are kept in Outlook, as your rule says",
    "count",
)
ARE_REMOVED = ngettext_lazy(
    "%(shown)s contact leaves and is removed from Outlook, as your rule says",
    "%(shown)s contacts leave and are removed from Outlook, as your rule says",
    "count",
)
STAY_OUT = ngettext_lazy(
    "%(shown)s stays out: somebody else with the same e-mail is in your Outlook, or goes there instead",
    "%(shown)s stay out: somebody else with the same e-mail is in your Outlook, or goes there instead",
    "count",
)
CANNOT_GO = ngettext_lazy(
    "%(shown)s cannot go: no name, no e-mail, or privacy blocked",
    "%(shown)s cannot go: no name, no e-mail, or privacy blocked",
    "count",
)
ICONS = {IN: ("user-plus", "ok"), OUT: ("log-out", "info"), SHARED: ("users-round", "muted"), UNFIT: ("minus", "muted")}


@dataclass(frozen=True)
class Group:
    """One line of the impact: how many, in words. `slug` asks for their names."""

    slug: str
    count: int
    text: str
    icon: str
    tone: str


@dataclass
class Impact:
    """What the next sync of `setup`, whose filter is the one being written (and not saved), means for whom."""

    setup: ExchangeSync
    stored: ExchangeSync

    @cached_property
    def groups(self) -> list[Group]:
        """The lines that have anybody in them. Three queries."""
        selected = self.selected.aggregate(fit=Count("pk", filter=FIT), unfit=Count("pk", filter=~FIT))
        shared = self.kept_out.count()
        counts = {
            IN: (selected["fit"] - shared, COME_IN),
            OUT: (self.leavers.count(), ARE_REMOVED if self.removes else ARE_KEPT),
            SHARED: (shared, STAY_OUT),
            UNFIT: (selected["unfit"], CANNOT_GO),
        }
        return [
            Group(slug, count, words.counted(phrase, count), *ICONS[slug])
            for slug, (count, phrase) in counts.items()
            if count
        ]

    @property
    def removes(self) -> bool:
        return self.setup.left_filter_rule == LeftFilterRule.REMOVE

    @property
    def changes_nothing(self) -> bool:
        return not any(group.slug in (IN, OUT) for group in self.groups)

    @cached_property
    def brake(self) -> str:
        """That the next sync stops and asks, where it would remove more than may go at once; '' otherwise."""
        leaving = sum(group.count for group in self.groups if group.slug == OUT)
        if not leaving or not self.removes:
            return ""
        most = limit(self.setup.links.filter(state=LinkState.LINKED).count(), settings.SYNC_DELETE_PERCENT)
        text = _("More than %(limit)s at a time are never removed unasked: the next sync stops, and asks you first.")
        return text % {"limit": words.number(most)} if leaving > most else ""

    def contacts(self, slug: str) -> QuerySet[Contact]:
        """Whom a line is about."""
        match slug:
            case "in":
                return self.newcomers.exclude(self.has_rival)
            case "out":
                return Contact.objects.filter(pk__in=self.leavers.values("contact_id"))
            case "shared":
                return self.kept_out
            case "unfit":
                return self.unfit
        return Contact.objects.none()

    @property
    def settled(self) -> QuerySet[ContactLink]:
        """Links of contacts that do not come in: in Outlook already, or removed there by the user."""
        states = HELD if self.setup.removed_rule == RemovedRule.PUT_BACK else (*HELD, LinkState.REMOVED)
        return self.setup.links.filter(state__in=states, contact__isnull=False)

    @property
    def selected(self) -> QuerySet[Contact]:
        """Whom the filter selects and who is not in Outlook. One pass over the contacts: no index serves it all."""
        people = wanted(self.setup, Contact.objects.alive_in_one_pass())
        return with_email(people.exclude(pk__in=self.settled.values("contact_id")))

    @property
    def newcomers(self) -> QuerySet[Contact]:
        """Of them, who may go there."""
        return self.selected.filter(FIT)

    @property
    def unfit(self) -> QuerySet[Contact]:
        return self.selected.filter(~FIT)

    @property
    def kept_out(self) -> QuerySet[Contact]:
        """Newcomers in whose place somebody else goes, or whose e-mail an item has that is paired with nobody."""
        return self.newcomers.filter(self.has_rival)

    @property
    def has_rival(self) -> Any:
        """Looks for rivals only of those whose e-mail there is more than once, which one look at its index tells."""
        alone = self.setup.links.filter(state=LinkState.SEEN, problem__in=STAY_ALONE).exclude(email="")
        has_stranger = Q(email_lower__in=alone.values("email"))
        if self.setup.shared_email_rule != SharedEmailRule.LOWEST:
            return has_stranger
        everybody = with_email(Contact.objects.order_by())
        shared = everybody.values("email_lower").annotate(number_of=Count("pk")).filter(number_of__gt=1)
        others = with_email(Contact.objects.alive()).filter(email_lower=OuterRef("email_lower"))
        is_held = Exists(self.setup.links.filter(state__in=HELD, contact_id=OuterRef("pk")))
        before = with_email(wanted(self.setup).reachable()).filter(
            email_lower=OuterRef("email_lower"), number__lt=OuterRef("number")
        )
        before = before.exclude(pk__in=self.settled.values("contact_id"))
        goes_instead = Q(Exists(others.filter(is_held))) | Q(Exists(before))
        return has_stranger | (Q(email_lower__in=shared.values("email_lower")) & goes_instead)

    @property
    def leavers(self) -> QuerySet[ContactLink]:
        """Pairs that were in the filter and would not be any more; kept ones that left it long ago do not count."""
        pairs = self.setup.links.filter(state=LinkState.LINKED, gone=False, private=False, was_in_filter=True)
        pairs = pairs.filter(contact__deleted_at=None, contact__type=ContactType.PERSON, contact__privacy_blocked=False)
        pairs = pairs.filter(~Exists(wanted(self.setup).filter(pk=OuterRef("contact_id"))))
        if self.removes:
            return pairs
        return pairs.filter(Exists(wanted(self.stored).filter(pk=OuterRef("contact_id"))))


def with_email(contacts: Any) -> Any:
    """`contacts` with their e-mail in lower case, which is how the index holds it."""
    return contacts.annotate(email_lower=Lower("email"))


def impact_of(setup: ExchangeSync, contact_filter: dict[str, str]) -> Impact:
    """The impact of `contact_filter` on `setup`, which keeps the filter that it has."""
    stored = ExchangeSync(pk=setup.pk, user=setup.user, contact_filter=setup.contact_filter)
    setup.contact_filter = contact_filter
    return Impact(setup, stored)
