"""Recover: what was being created when a run died, or when an answer was lost, is looked for by its marker.

Found: adopted, so that nothing is created twice. Not found after a while: forgotten, so that it is created after all.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from crmsync.sync.choices import Action, Cause, ChangeOutcome, LinkState, Reason, Side, Step
from crmsync.sync.fields import complete, fingerprint
from crmsync.sync.mapping import read_whole
from crmsync.sync.mirror import take_in
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.record import LINK_COLUMNS, take_intent_back
from crmsync.sync.slots import Broken
from crmsync.sync.work import Work, chunks
from exchange_setup.graph.batch import LARGEST
from exchange_setup.graph.calls import FindMarker
from exchange_setup.graph.errors import ItemError

# A create that Outlook did carry out can be found this long after it was sent, at the latest.
VISIBLE_AFTER = timedelta(seconds=30)


def recover(work: Work) -> None:
    """Find out about every item whose creation was begun and never heard of again."""
    for links in chunks(work.links.filter(state=LinkState.CREATING).select_related("contact"), LARGEST):
        work.lease.rest(step=Step.RECOVERING)
        answers = work.graph.batch([FindMarker(work.setup.folder_id, str(link.marker)) for link in links])
        with transaction.atomic():
            work.lease.hold()
            for link, answer in zip(links, answers, strict=True):
                look_after(work, link, answer)


def look_after(work: Work, link: ContactLink, answer: dict[str, Any] | ItemError) -> None:
    """Adopt the item that was found, or forget the intent once it is old enough."""
    if isinstance(answer, ItemError):
        return
    found = sorted(answer["value"], key=lambda item: str(item.get("createdDateTime") or ""))
    if found:
        adopt(work, link, found[0])
    elif link.intended_at is None or link.intended_at < timezone.now() - VISIBLE_AFTER:
        take_intent_back(link)
        link.dirty = True
        link.save(update_fields=LINK_COLUMNS)


def is_written_again(link: ContactLink) -> bool:
    """Whether somebody has been at the item since it was made; within a second that is Exchange itself."""
    created, modified = link.outlook_created_at, link.outlook_modified_at
    return bool(created and modified and modified - created > timedelta(seconds=1))


def adopt(work: Work, link: ContactLink, item: dict[str, Any]) -> None:
    """Make the found item the link's own. Its base is what we sent: what differs now is the user's edit since."""
    work.links.filter(outlook_id=item["id"], state=LinkState.SEEN).delete()
    link.state = LinkState.LINKED if link.contact_id else LinkState.SEEN  # erased meanwhile
    link.outlook_id, link.linked_at = item["id"], timezone.now()
    link.generation, link.fingerprint = work.setup.read_generation, fingerprint(complete(link.base_outlook))
    if link.problem == Reason.NO_ANSWER:
        link.note_problem("")
    try:
        take_in(link, read_whole(item))
    except Broken:
        link.change_key = ""
    # Where it was written again the user has been at it already: made by us, but no version of it is ours alone.
    is_as_made = link.outlook is None and not is_written_again(link)
    link.own_key = (link.change_key if is_as_made else "") or str(link.marker)
    link.missing = True  # as with any item that we created
    link.save(update_fields=LINK_COLUMNS)
    journal(work, link)


def journal(work: Work, link: ContactLink) -> None:
    """Say in this run that the item is there after all; the run that sent it could not know."""
    mine = work.run.changes.filter(Q(link=link) | Q(link=None, contact=link.contact))
    mine = mine.filter(action=Action.CREATE, side=Side.OUTLOOK)
    told = {"outcome": ChangeOutcome.DONE, "reason": "", "outlook_id": link.outlook_id, "link": link}
    if mine.update(**told, applied_at=timezone.now()):
        return
    SyncChange.objects.create(
        run=work.run, link=link, contact=link.contact, outlook_id=link.outlook_id, name=str(link.contact or "")[:400],
        side=Side.OUTLOOK, action=Action.CREATE, cause=Cause.NEW_IN_CRM, outcome=ChangeOutcome.DONE,
        fields={name: ["", value] for name, value in link.base_outlook.items()}, applied_at=timezone.now(),
    )  # fmt: skip
