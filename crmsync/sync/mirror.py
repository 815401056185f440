"""Pull: Outlook's folder → link rows. After `read`, the link table is what the folder holds.

Every page, with the link to the next, is one transaction, so a crash resumes at the page it stopped at. Nothing of the
CRM is touched here, and nothing is written to Outlook.
"""

import logging
from collections.abc import Iterable

from django.db import transaction

from crmsync.sync.choices import LinkState, Reason, Step
from crmsync.sync.fields import BY_NAME, complete, filled, fingerprint
from crmsync.sync.mapping import MARKED_PRIVATE, PRIVATE, OutlookItem, read_fields, read_whole
from crmsync.sync.models import ContactLink
from crmsync.sync.slots import Broken, Json
from crmsync.sync.work import Work, chunks, store
from exchange_setup.graph.calls import Get
from exchange_setup.graph.client import DeltaPage
from exchange_setup.graph.errors import BadAnswer, ItemError, NotFound, ResyncRequired
from exchange_setup.graph.properties import FAX, SENSITIVITY

logger = logging.getLogger(__name__)
BATCH = 20
ITEM_COLUMNS = [
    "state", "outlook", "raw", "kept_out", "change_key", "outlook_created_at", "outlook_modified_at", "missing", "gone",
    "generation", "dirty", "needs_extras", "private", "email", "outlook_name", "problem", "problem_detail",
    "problem_since",
]  # fmt: skip
INTRINSIC = (
    Reason.PRIVATE,
    Reason.NOT_A_PERSON,
    Reason.BAD_EMAIL,
    Reason.NO_EMAIL,
    Reason.NO_NAME,
    Reason.TOO_LONG,
    Reason.BROKEN,
)


def read(work: Work, *, whole: bool) -> None:
    """Bring the link rows up to date with the folder, from the bookmark or, if `whole` or without one, from scratch."""
    setup = work.setup
    resumes = bool(setup.reading_whole and setup.delta_next_link)
    if not resumes and (whole or not (setup.delta_link or setup.delta_next_link)):
        begin_whole_reading(work)
    try:
        read_pages(work)
    except ResyncRequired:
        work.note("read_again")
        begin_whole_reading(work)
        read_pages(work)
    read_extras(work)
    verify_missing(work)


def begin_whole_reading(work: Work) -> None:
    work.save_setup(
        read_generation=work.setup.read_generation + 1, reading_whole=True, delta_link="", delta_next_link=""
    )


def read_pages(work: Work) -> None:
    """Follow the delta to its end. Each page is stored together with the link that comes after it."""
    read_rows = 0
    while True:
        work.lease.rest(step=Step.READING, done=read_rows, total=0)
        asked = work.setup.delta_next_link or work.setup.delta_link
        page = work.graph.delta(work.setup.folder_id, asked)
        with transaction.atomic():
            work.lease.hold()
            store_page(work, page)
            if page.delta_link and work.setup.reading_whole:
                unseen = work.links.exclude(outlook_id="").filter(generation__lt=work.setup.read_generation)
                unseen.filter(gone=False).exclude(state=LinkState.REMOVED).update(missing=True)
            if page.delta_link:
                work.save_setup(delta_link=page.delta_link, delta_next_link="", reading_whole=False)
            else:
                work.save_setup(delta_next_link=page.next_link)
        read_rows += len(page.rows)
        if page.delta_link:
            return
        if page.next_link == asked:
            raise BadAnswer("a page of changes that leads back to itself")


def store_page(work: Work, page: DeltaPage) -> None:
    """Upsert the link rows of one page; of several rows for one item the last one counts."""
    rows = dict(page.rows)
    known = {link.outlook_id: link for link in work.links.filter(outlook_id__in=rows)}
    changed: list[ContactLink] = []
    new: list[ContactLink] = []
    echoes: list[int] = []
    for outlook_id, item in rows.items():
        link = known.get(outlook_id)
        fresh = link or ContactLink(setup=work.setup, state=LinkState.SEEN, outlook_id=outlook_id)
        if item is None:
            fresh.missing = True  # even of a stranger: we may have removed it, and its user brought it back at once
            (changed if link else new).append(fresh)
            continue
        if is_echo(fresh, item):
            echoes.append(fresh.pk)
            continue
        take_in_row(fresh, item, work.setup.read_generation)
        (changed if link else new).append(fresh)
    ContactLink.objects.bulk_create(new)
    store(changed, ITEM_COLUMNS)
    there = work.links.filter(pk__in=echoes)
    if work.setup.reading_whole:
        there.update(generation=work.setup.read_generation, missing=False)
    elif echoes:
        there.filter(missing=True).update(missing=False)


def is_echo(link: ContactLink, item: Json) -> bool:
    """Whether the row tells nothing new: the version that we hold already, for the most part one that we wrote."""
    known = bool(link.pk and link.change_key and not (link.gone or link.needs_extras))
    return known and item.get("changeKey") == link.change_key


def take_in_row(link: ContactLink, item: Json, generation: int) -> None:
    """Note what the delta says of an item; its extended properties, which the delta leaves out, are read afterwards."""
    link.generation = generation
    fax = (link.outlook if link.outlook is not None else link.base_outlook).get("fax", "")
    known = {FAX: fax, SENSITIVITY: MARKED_PRIVATE if link.private else ""}
    try:
        take_in(link, read_whole({**item, **extended_by(known)}))
    except Broken as error:
        logger.warning("link %s: unreadable row: %s", link.pk, error)
        link.missing = True  # it is asked for by itself before anything of this is believed
    link.needs_extras = True


def take_in(link: ContactLink, item: OutlookItem) -> None:
    """Set on `link` (without saving) what Outlook holds now, and whether that is for the plan to look at."""
    waited = bool(link.kept_out)  # so an edit in the CRM may have waited too
    link.raw, link.kept_out = item.raw, {name: list(why) for name, why in item.kept_out.items()}
    link.change_key, link.email, link.outlook_name = item.change_key, item.email, item.name
    link.outlook_created_at, link.outlook_modified_at = item.created_at, item.modified_at
    link.private = item.problem == Reason.PRIVATE
    came_back = link.gone or link.state == LinkState.REMOVED
    link.missing = link.gone = False
    if link.state == LinkState.SEEN:
        link.outlook = filled(item.fields)
        link.dirty = not item.problem
        if item.problem or link.problem in INTRINSIC:  # what else keeps it out does so until the plan says otherwise
            link.note_problem(item.problem)
        return
    link.state = LinkState.LINKED
    differs = fingerprint(item.fields) != link.fingerprint
    link.outlook = filled(item.fields) if differs else None
    kept_out = waited or bool(link.kept_out)
    link.dirty = link.dirty or differs or came_back or kept_out or link.problem in INTRINSIC or link.private
    no_longer_broken(link)


def no_longer_broken(link: ContactLink) -> None:
    """Outlook has said what is so: an answer before it that made no sense is of no matter."""
    if link.problem == Reason.BROKEN:
        link.note_problem("")


def read_extras(work: Work) -> None:
    """Read fax and sensitivity of the items that changed: one by one where few, else with the folder's list.

    Nothing is planned for an item without them, for it may be private. Where they do not come, the item is verified.
    """
    waiting = work.links.filter(needs_extras=True, missing=False)
    few = waiting.count()
    if few > BATCH * -(-work.links.exclude(outlook_id="").count() // 1000):
        for page in work.graph.extras_pages(work.setup.folder_id):
            work.lease.rest()
            take_in_extras(work, waiting.filter(outlook_id__in=page), page)
        waiting.update(missing=True)
        return
    for links in chunks(waiting, BATCH):
        work.lease.rest()
        found = work.graph.extras(work.setup.folder_id, [link.outlook_id for link in links])
        take_in_extras(work, links, found)


def take_in_extras(work: Work, links: Iterable[ContactLink], found: dict[str, dict[str, str]]) -> None:
    """Add the extended properties to what is known of these items."""
    links = list(links)
    for link in links:
        properties = found.get(link.outlook_id)
        link.needs_extras, link.missing = properties is None, properties is None
        if properties is None:
            continue
        fax, kept_out = read_fields(extended_by({FAX: properties.get(FAX, "")}), [BY_NAME["fax"]])
        was_private, link.private = link.private, properties.get(SENSITIVITY, "") in PRIVATE
        link.kept_out = {name: why for name, why in link.kept_out.items() if name != "fax"}
        link.kept_out |= {name: list(why) for name, why in kept_out.items()}
        held = complete(link.outlook if link.outlook is not None else link.base_outlook) | fax
        if link.state == LinkState.SEEN:
            link.outlook = filled(held)
            if link.private:
                link.note_problem(Reason.PRIVATE)
            link.missing = was_private and not link.private  # what else keeps it out is asked for
            link.dirty = link.problem not in INTRINSIC
        else:
            differs = fingerprint(held) != link.fingerprint
            link.outlook = filled(held) if differs else None
            link.dirty = link.dirty or differs or bool(kept_out) or link.private
    with transaction.atomic():
        work.lease.hold()
        store(links, ITEM_COLUMNS)


def extended_by(properties: dict[str, str]) -> Json:
    """Extended properties as they stand in an item."""
    return {"singleValueExtendedProperties": [{"id": name, "value": value} for name, value in properties.items()]}


def verify_missing(work: Work) -> None:
    """Ask for each item of which the reading did not say that it is there: one reported as removed (under immutable ids
    a move out and back looks the same), or one that we created and that it does not show."""
    for links in chunks(work.links.filter(missing=True), BATCH):
        work.lease.rest()
        answers = work.graph.batch([Get(link.outlook_id, expand=True) for link in links])
        for link, answer in zip(links, answers, strict=True):
            verify(link, answer, work.setup.folder_id)
        with transaction.atomic():
            work.lease.hold()
            never_ours = [link.pk for link in links if link.gone and link.state == LinkState.SEEN]
            ContactLink.objects.filter(pk__in=never_ours).delete()
            store([link for link in links if link.pk not in never_ours], ITEM_COLUMNS)


def verify(link: ContactLink, answer: Json | ItemError, folder_id: str) -> None:
    """Note whether the item is in the folder. What cannot be told is asked again next time: no removal is guessed."""
    place = answer.get("parentFolderId") if isinstance(answer, dict) else answer
    if place == folder_id:
        take_in_row_again(link, answer)
    elif isinstance(place, NotFound | str):
        link.missing = link.needs_extras = False
        link.gone = link.dirty = True
        no_longer_broken(link)
    else:
        link.note_problem(Reason.BROKEN, str(place))
        link.dirty = True


def take_in_row_again(link: ContactLink, item: Json) -> None:
    """Note a whole item, extended properties included."""
    link.missing = False
    try:
        take_in(link, read_whole(item))
    except Broken as error:
        link.note_problem(Reason.BROKEN, str(error))
    link.needs_extras = False
