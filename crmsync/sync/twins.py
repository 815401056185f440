"""Plan, continued: nobody is created in Outlook beside an item, or a contact, that stands there in their place."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q

from contacts.models import Contact
from crmsync.sync.choices import Action, LinkState, Reason
from crmsync.sync.plan import DELETE, Plan, Write
from crmsync.sync.scope import first_with_email
from crmsync.sync.work import Work
from exchange_setup.models import SharedEmailRule


@dataclass(frozen=True)
class Twins:
    """Whom the contacts of a chunk would have beside them in Outlook. Read in at most three queries."""

    items: dict[str, str] = field(default_factory=dict)  # by e-mail, items that are paired with nobody: their problem
    first: dict[str, str] = field(default_factory=dict)  # by e-mail, the number of the only contact that goes there
    paired: frozenset[int] = frozenset()  # contacts that this run pairs with an item

    def why_not(self, contact: Contact) -> tuple[str, str]:
        """The reason, with its detail, why the contact is not to be created; '' for none."""
        email = contact.email.lower()
        if self.first.get(email, contact.number) != contact.number:
            return Reason.SHARED_EMAIL, self.first[email]
        return (self.items[email] or Reason.AMBIGUOUS, "") if email in self.items else ("", "")

    def stand_against(self, decided: Plan, contact: Contact) -> bool:
        """Whether what was decided, now that the contact's item is gone, would make a twin or overlook one."""
        if decided.crm is DELETE:
            return contact.email.lower() in self.items
        return isinstance(decided.outlook, Write) and bool(self.why_not(contact)[0])


def look_for_twins(work: Work, contacts: Iterable[Contact], *, puts_back: bool = False) -> Twins:
    """Twins for `contacts`; `puts_back` while it is still being decided who of those who were removed comes back."""
    contacts = list(contacts)
    if not contacts:
        return Twins()
    emails = {contact.email.lower() for contact in contacts} - {""}
    only_one = work.setup.shared_email_rule == SharedEmailRule.LOWEST
    paired = work.run.planned.filter(contact__in=contacts, action=Action.LINK)
    return Twins(
        unpaired_items(work, emails),
        first_with_email(work.setup, emails, work.run, puts_back=puts_back) if only_one else {},
        frozenset(paired.values_list("contact_id", flat=True)),
    )


def unpaired_items(work: Work, emails: Iterable[str]) -> dict[str, str]:
    """Which of these e-mails an item has that is only in Outlook, and that this run pairs with nobody: its problem."""
    items = work.links.filter(state=LinkState.SEEN, email__in=emails).exclude(
        Exists(work.run.planned.filter(link_id=OuterRef("pk"), action=Action.LINK)) | Q(problem=Reason.ERASED)
    )
    return dict(items.values_list("email", "problem"))
