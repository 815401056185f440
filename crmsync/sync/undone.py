"""Apply, continued: what an undo leaves on a link, so that the next sync does not do again what was undone."""

from contacts.models import Contact
from crmsync.sync.choices import LinkState, Reason
from crmsync.sync.fields import complete, filled, fingerprint
from crmsync.sync.mapping import contact_fields
from crmsync.sync.models import ContactLink
from crmsync.sync.sheet import settle
from crmsync.sync.units import Unit, seen


def keep_out(unit: Unit) -> None:
    """The item was taken out of Outlook again."""
    take_out(unit.link, unit.contact)


def take_out(link: ContactLink, contact: Contact) -> None:
    """Set that the item is out of Outlook: as if its owner had removed it, and no rule puts it back by itself."""
    link.state, link.gone, link.missing, link.left_by_undo = LinkState.REMOVED, True, False, True
    link.outlook, link.dirty, link.contact_version = None, False, contact.version
    link.note_problem("")


def let_go(unit: Unit) -> None:
    """The contact went back to the trash: its item stays in Outlook, by itself, for as long as the contact is there."""
    link = unit.link
    if link.state != LinkState.LINKED or link.gone:
        return
    link.outlook = filled(seen(unit))
    link.state, link.contact, link.contact_version, link.linked_at = LinkState.SEEN, None, None, None
    link.base_crm, link.base_outlook, link.fingerprint = {}, {}, fingerprint(complete({}))
    link.decision, link.decided_at, link.dirty = "", None, True
    link.note_problem(Reason.IN_TRASH, unit.contact.number)


def meet_again(unit: Unit) -> None:
    """The contact came back from the trash: to the item that an undo left by itself, or else to no item, as before."""
    link, contact = unit.link, unit.contact
    if link is not None and link.state == LinkState.SEEN:
        crm, outlook = contact_fields(contact), complete(link.outlook or {})
        outlook |= {name: crm[name] for name in link.left_alone}
        crm["notes"] = ""
        link.contact, link.linked_at = contact, contact.modified_at
        settle(link, crm, outlook)
        link.contact_version = contact.version
        link.note_problem("")
    elif link is None or link.state != LinkState.LINKED:
        link = unit.link = link or ContactLink(setup=unit.first_row.run.setup, contact=contact, gone=True)
        link.state, link.left_by_undo, link.dirty = LinkState.REMOVED, True, False
        link.contact_version = contact.version
