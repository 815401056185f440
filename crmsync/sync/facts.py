"""What is known of one contact and one setup's Outlook. Each fact is asked for once, and only where it is needed."""

from dataclasses import dataclass
from functools import cached_property

from contacts.filters import Clause, FilterError, clauses, held_by
from contacts.models import Contact
from crmsync.sync.alone import why_left_out
from crmsync.sync.choices import LinkState, Reason, Side
from crmsync.sync.fields import ContactFields
from crmsync.sync.forms import BY_FILTER
from crmsync.sync.mirror import INTRINSIC
from crmsync.sync.models import ContactLink
from crmsync.sync.plan import Base, Plan, Write
from crmsync.sync.planning import both_sides, decide, is_reachable, why_passed_over
from crmsync.sync.scope import first_with_email, rules_for, with_scope
from exchange_setup.models import ExchangeSync, RemovedRule, SharedEmailRule

# Outlook items that stay alone whatever the next sync finds, and keep a contact with their e-mail out.
STAY_ALONE = (Reason.AMBIGUOUS, Reason.DUPLICATE, Reason.NOT_WANTED, *INTRINSIC)


@dataclass(frozen=True)
class Pending:
    """One value that the next sync carries over to `side`."""

    side: Side
    name: str
    before: str
    after: str


@dataclass
class Facts:
    """One contact as one setup's sync sees it; `held_run` is the key of one that would change it, if it is approved."""

    contact: Contact
    setup: ExchangeSync
    held_run: int | None = None

    @cached_property
    def link(self) -> ContactLink | None:
        """The pair, with `in_filter` and `never` where the filter can be read."""
        links = self.setup.links.filter(contact=self.contact).select_related("contact")
        return links.first() if self.filter_error else with_scope(self.setup, links).first()

    @cached_property
    def choice(self) -> str:
        """What the user said about this contact: always, never, or by filter."""
        row = self.setup.preferences.filter(contact=self.contact).first()
        return row.choice if row else BY_FILTER

    @cached_property
    def parsed(self) -> list[Clause] | FilterError:
        try:
            return clauses(self.setup.contact_filter, self.setup.user)
        except FilterError as error:
            return error

    @property
    def clauses(self) -> list[Clause]:
        return [] if isinstance(self.parsed, FilterError) else self.parsed

    @property
    def filter_error(self) -> FilterError | None:
        return self.parsed if isinstance(self.parsed, FilterError) else None

    @cached_property
    def held(self) -> list[bool]:
        """Which of the clauses hold for the contact."""
        return held_by(self.contact, self.clauses)

    @property
    def is_selected(self) -> bool:
        """Whether the filter selects it, whatever else there is against it."""
        return not self.filter_error and all(self.held)

    @cached_property
    def goes_instead(self) -> str:
        """The number of the contact with the same e-mail that goes to Outlook in place of this one; '' for none."""
        email = self.contact.email.lower()
        if not email or self.filter_error or self.setup.shared_email_rule != SharedEmailRule.LOWEST:
            return ""
        number = first_with_email(self.setup, [email]).get(email, "")
        return number if number != self.contact.number else ""

    @cached_property
    def stranger(self) -> ContactLink | None:
        """The Outlook item with the contact's e-mail that is paired with nobody and stays so."""
        items = self.setup.links.filter(state=LinkState.SEEN, email=self.contact.email.lower(), problem__in=STAY_ALONE)
        return items.first() if self.contact.email else None

    @property
    def comes_back(self) -> bool:
        """Whether the next sync puts back what the user removed in Outlook."""
        link = self.link
        removed = link is not None and link.state == LinkState.REMOVED and not self.filter_error
        wants = removed and link.in_filter and not link.never and is_reachable(self.contact)
        return bool(wants and self.setup.removed_rule == RemovedRule.PUT_BACK)

    @cached_property
    def sides(self) -> tuple[ContactFields, ContactFields, Base]:
        """What the CRM and Outlook hold of the pair, and the base."""
        return both_sides(self.link, sync_notes=self.setup.sync_notes)

    @cached_property
    def plan(self) -> Plan | None:
        """What the next sync does with the pair; None where there is no pair that it would look at."""
        link = self.link
        if link is None or self.filter_error or link.state != LinkState.LINKED or link.needs_extras or link.missing:
            return None
        if why_passed_over(link):
            return None
        crm, outlook, base = self.sides
        return decide(link, crm, outlook, base, rules_for(self.setup, link))

    @property
    def pending(self) -> list[Pending]:
        """The values that the next sync carries over, as far as it is known by now what they are."""
        if self.plan is None:
            return []
        crm, outlook, _base = self.sides
        to_outlook = self.plan.outlook.fields if isinstance(self.plan.outlook, Write) else {}
        to_crm = self.plan.crm.fields if isinstance(self.plan.crm, Write) else {}
        held = {} if self.link and self.link.gone else outlook
        rows = [Pending(Side.OUTLOOK, name, held.get(name, ""), value) for name, value in to_outlook.items()]
        return rows + [Pending(Side.CRM, name, crm[name], value) for name, value in to_crm.items()]

    def why_left_out(self) -> tuple[str, str]:
        """(reason, detail) that keeps a contact which the filter selects out of Outlook; ('', '') for none."""
        if reason := why_left_out(self.contact):
            return reason, ""
        if self.goes_instead:
            return Reason.SHARED_EMAIL, self.goes_instead
        return (self.stranger.problem, "") if self.stranger else ("", "")
