"""The trash empties itself: who has been in it for long enough is deleted for good, history and all.

Whoever is still in somebody's Outlook stays until they are not: the item has to be removed first, and one that was
never paired would come back into the CRM as somebody new.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from contacts.models import Contact, ContactType
from crmsync.sync.choices import LinkState
from crmsync.sync.fields import EMAILS
from crmsync.sync.matching import alike, emails_of, have_email_of
from crmsync.sync.models import ContactLink
from crmsync.sync.work import chunks


def purge_trash(now: datetime) -> int:
    """Delete what may go; how many contacts that were. Safe to run at any time, and again."""
    expired = Contact.objects.expired(now)
    people_first = (expired.filter(type=kind) for kind in (ContactType.PERSON, ContactType.COMPANY))
    return sum(purge(contacts, now) for found in people_first for contacts in chunks(found))


@transaction.atomic
def purge(contacts: list[Contact], now: datetime) -> int:
    there = ContactLink.objects.filter(contact_id=OuterRef("pk"), state__in=(LinkState.LINKED, LinkState.CREATING))
    people = Contact.objects.filter(company_id=OuterRef("pk"))
    free = Contact.objects.expired(now).filter(pk__in=[contact.pk for contact in contacts])
    locked = list(free.exclude(Exists(there)).exclude(Exists(people)).select_for_update(of=["self"]))
    seen = ContactLink.objects.filter(state=LinkState.SEEN)
    their_own = Contact.objects.filter(pk__in=[contact.pk for contact in locked])
    items = list(have_email_of(seen, their_own).only("email", "outlook", "outlook_name"))
    gone = [contact.pk for contact in locked if not any(is_of(item, contact) for item in items)]
    Contact.objects.filter(pk__in=gone).delete()
    return len(gone)


def is_of(item: ContactLink, contact: Contact) -> bool:
    """Whether an unpaired item stands for the contact: by its first e-mail, or by another one and the name."""
    emails = {getattr(contact, name).lower() for name in EMAILS} - {""}
    return item.email in emails or (bool(emails & emails_of(item)) and alike(contact.name, item.outlook_name))
