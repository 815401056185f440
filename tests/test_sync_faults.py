"""Everything that is known to go wrong at Microsoft, over HTTP: what the run says, and that the next one makes it good.

One scene for all: in Outlook two contacts to create, one to change, one to delete, one that was edited, one new one.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from contacts.models import Contact
from crmsync.sync.models import ContactLink
from tests.compare import settle
from tests.crash import time_passes
from tests.factories import PersonFactory
from tests.scene import edit, outlook_person

pytestmark = pytest.mark.django_db

BATCH, DELTA, CREATE = r"POST /\$batch$", r"GET /delta\b", r"POST /contacts$"
ITEMS = r"/contacts(/[^?]+)?$"  # writes; what is read carries a query
LOST = {"do": "status", "status": 504, "commit": True}
BUSY = {"status": 429, "code": "TooManyRequests"}
QUIET = {"status": 503, "empty": True, "retry_after": None}
ALWAYS = {"times": 0}


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody really waits; the pauses that were asked for."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture
def scene(jens):
    for name in ("Anne", "Bo", "Dora"):
        PersonFactory(first_name=name, surname="Crm", email=f"{name.lower()}@crm.example", fax=f"fax of {name}")
    jens.sync()
    anne, bo, _ = Contact.objects.order_by("number")
    edit(anne, phone="1")
    bo.trash(by=None)
    PersonFactory(first_name="Carl", surname="New", email="carl@crm.example", fax="fax of Carl")
    PersonFactory(first_name="Cora", surname="New", email="cora@crm.example")
    jens.outlook.edit(jens.card("Dora Crm")["id"], jobTitle="Boss")
    jens.outlook.add(**outlook_person("Eva", "Outlook", "eva@o.example", nickName="E"))
    return jens


def is_well(jens) -> None:
    """Both sides are where they should be, nobody is in either twice, and there is nothing left to do."""
    time_passes()
    settle(jens)
    assert jens.names() == ["Anne Crm", "Carl New", "Cora New", "Dora Crm", "Eva Outlook"]
    assert jens.card("Anne Crm")["businessPhones"] == ["1"]
    assert jens.card("Eva Outlook")["nickName"] == "E"
    assert [item["displayName"] for item in jens.outlook.contacts("Deleted Items")] == ["Bo Crm"]
    crm = Contact.objects.alive().order_by("name").values_list("name", "phone", "job_title", "fax")
    assert list(crm) == [
        ("Anne Crm", "1", "", "fax of Anne"),
        ("Carl New", "", "", "fax of Carl"),
        ("Cora New", "", "", ""),
        ("Dora Crm", "", "Boss", "fax of Dora"),
        ("Eva Outlook", "", "", ""),
    ]
    assert not ContactLink.objects.left_out().exists()


@dataclass
class Case:
    """A fault, and what the run that meets it says: outcome, error, and the reasons of what was left or failed."""

    name: str
    fault: dict[str, Any]
    error: str = ""
    reasons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name


def told(report):
    """The reasons of what the run could not carry out."""
    return sorted(row["reason"] for row in report["changes"] if row["outcome"] in ("stale", "failed"))


def meets(jens, case):
    """The run that meets the fault; the sandbox says that it did."""
    jens.tenant.faults.add(**case.fault)
    report = jens.sync()
    assert jens.tenant.faults.fired()
    jens.tenant.faults.clear()
    assert (report["outcome"], report["error"], told(report)) == (
        "failed" if case.error else "done", case.error, case.reasons,
    ), report["error_detail"]  # fmt: skip
    return report


# Reading what changed -----------------------------------------------------------------------------------------------

READING = [
    Case("connection cut", {"do": "drop", "match": DELTA}),
    Case("half an answer", {"do": "truncate", "match": DELTA}),
    Case("shorter than it says", {"do": "short", "match": DELTA}),
    Case("a page of HTML", {"do": "garbage", "match": DELTA}),
    Case("500", {"status": 500, "match": DELTA}),
    Case("503 without a body", {**QUIET, "match": DELTA}),
    Case("429 without Retry-After", {**BUSY, "retry_after": None, "match": DELTA}),
    Case("429 with a fraction", {**BUSY, "retry_after": "2.128", "match": DELTA}),
    Case("too many at once", {**BUSY, "code": "ErrorTooManyObjectsOpened", "retry_after": None, "match": DELTA}),
    Case("502", {"status": 502, "match": DELTA}),
    Case("509", {"status": 509, "match": DELTA}),
    Case("locked", {"status": 423, "code": "resourceLocked", "match": DELTA}),
    Case("401 once", {"do": "unauthorized", "match": DELTA}),
    Case("claims challenge", {"do": "claims", "match": DELTA}),
    Case("an empty page with a next link", {"do": "empty_page", "times": 2}),
    Case("short pages", {"do": "short_page", **ALWAYS}),
    Case("each row twice", {"do": "duplicate", **ALWAYS}),
    Case("rows replayed", {"do": "replay", "rows": 3, **ALWAYS}),
    Case("the link is dead", {"do": "sync_state_lost"}),
    Case("resync asked for", {"status": 410, "code": "resyncRequired", "match": DELTA}),
    Case("resync in other words", {"status": 400, "code": "SyncStateInvalid", "match": DELTA}),
    Case("the link is malformed", {"status": 400, "code": "ErrorInvalidIdMalformed", "match": DELTA}),
    Case("no body at all", {"do": "empty", "match": DELTA}, "bad_answer"),
    Case("a link to another host", {"do": "foreign_link"}, "bad_answer"),
    Case("dead links without end", {"do": "sync_state_lost", **ALWAYS}, "bad_answer"),
    Case("HTML without end", {"do": "garbage", "match": DELTA, **ALWAYS}, "bad_answer"),
    Case("cut without end", {"do": "drop", "match": DELTA, **ALWAYS}, "unreachable"),
    Case("500 without end", {"status": 500, "match": DELTA, **ALWAYS}, "unreachable"),
    Case("503 without end", {**QUIET, "match": DELTA, **ALWAYS}, "throttled"),
    Case("429 without end", {**BUSY, "match": DELTA, **ALWAYS}, "throttled"),
    Case("429 for an hour", {**BUSY, "retry_after": "3600", "match": DELTA}, "throttled"),
    Case("401 without end", {"do": "unauthorized", **ALWAYS}, "needs_sign_in"),
    Case("403", {"do": "access_denied"}, "access_denied"),
    Case("403 in other words", {"status": 403, "code": "Authorization_RequestDenied", **ALWAYS}, "access_denied"),
    Case("no mailbox", {"do": "mailbox_not_enabled"}, "mailbox_unavailable"),
    Case("no such mailbox", {"status": 404, "code": "ErrorNonExistentMailbox", **ALWAYS}, "mailbox_unavailable"),
    Case("no such user", {"status": 404, "code": "ErrorInvalidUser", **ALWAYS}, "mailbox_unavailable"),
    Case("a request that it does not know", {"status": 501, "code": "NotImplemented", "match": DELTA}, "bad_answer"),
    Case("the folder is gone", {"status": 404, "code": "ErrorSyncFolderNotFound", "match": DELTA}, "folder_gone"),
]


@pytest.mark.parametrize("case", READING, ids=str)
def test_trouble_while_reading_is_waited_out_or_stops_the_run_before_anything_is_written(scene, case):
    report = meets(scene, case)
    if case.error:
        assert not any(entry["method"] != "GET" for entry in scene.tenant.requests()), "something was written"
        assert report["changes"] == []
    else:
        assert report["outlook"] == {"created": 2, "updated": 1, "deleted": 1}
        assert report["crm"] == {"created": 1, "updated": 1, "deleted": 0}
    is_well(scene)


def test_a_dead_next_link_has_the_folder_read_again(scene):
    scene.tenant.settings(page_size=1)
    meets(scene, Case("", {"do": "sync_state_lost", "nth": 2}))
    is_well(scene)


def test_the_pauses_are_as_long_as_they_were_asked_for(scene, waits):
    meets(scene, Case("", {**BUSY, "retry_after": "2.128", "match": DELTA}))
    assert 3 <= sum(waits) < 4


# Writing ------------------------------------------------------------------------------------------------------------

UNKNOWN = ["no_answer", "no_answer"]  # the two creates, which will be looked for by their markers
# The update and the deletion, sent again, are refused for what they did the first time; the next run sees all is well.
TWICE = ["edited_meanwhile", "edited_meanwhile"]
WRITING = [
    Case("batch cut before", {"do": "drop", "match": BATCH, "nth": 2}, reasons=UNKNOWN),
    Case("batch cut after it was done", {"do": "drop", "match": BATCH, "nth": 2, "commit": True}, reasons=TWICE),
    Case("half of the batch's answer", {"do": "truncate", "match": BATCH, "nth": 2}, reasons=TWICE),
    Case("a batch's answer in HTML", {"do": "garbage", "match": BATCH, "nth": 2}, reasons=TWICE),
    Case("a batch's answer without body", {"do": "empty", "match": BATCH, "nth": 2}, reasons=TWICE),
    Case("batch 504 after it was done", {**LOST, "match": BATCH, "nth": 2}, reasons=TWICE),
    Case("batch 503 before", {**QUIET, "match": BATCH, "nth": 2}, reasons=UNKNOWN),
    Case("batch 429", {**BUSY, "match": BATCH, "nth": 2}),
    Case("batch 401", {"do": "unauthorized", "match": BATCH, "nth": 2}),
    Case("a few items 429", {**BUSY, "match": ITEMS, "where": "item", "times": 3}),
    Case("items 429 without Retry-After", {**BUSY, "match": ITEMS, "where": "item", "times": 3, "retry_after": None}),
    Case("424 beside them", {"status": 424, "match": ITEMS, "where": "item", "times": 2}),
    Case("items 401", {"do": "unauthorized", "match": ITEMS, "where": "item", "times": 2}),
    Case("creates 504 after they were done", {"do": "lost", "times": 2}),
    Case("creates 503 before", {"status": 503, "match": CREATE, "times": 2}, reasons=UNKNOWN),
    Case("update 504 after it was done", {**LOST, "match": "PATCH "}, reasons=TWICE[:1]),
    Case("delete 504 after it was done", {**LOST, "match": "DELETE "}, reasons=TWICE[:1]),
    Case("update 500 once", {"status": 500, "match": "PATCH "}),
    Case("update 412", {"status": 412, "code": "ErrorIrresolvableConflict", "match": "PATCH "}, reasons=TWICE[:1]),
    Case("delete 412", {"status": 412, "code": "resourceModified", "match": "DELETE "}, reasons=TWICE[:1]),
    Case("update 404 though it is there", {"status": 404, "match": "PATCH "}, reasons=["gone"]),
    Case("update refused", {"status": 400, "code": "ErrorInvalidProperty", "match": "PATCH "}, reasons=["refused"]),
    Case("create refused", {"status": 400, "code": "ErrorInvalidRequest", "match": CREATE}, reasons=["refused"]),
    Case("delete refused", {"status": 400, "code": "ErrorInvalidRequest", "match": "DELETE "}, reasons=["refused"]),
    Case("update 500 without end", {"status": 500, "match": "PATCH ", **ALWAYS}, reasons=["refused"]),
    Case("mailbox full", {"do": "mailbox_full"}, "quota_full", ["", ""]),
    Case("mailbox full, 507", {"status": 507, "code": "quotaLimitReached", "match": CREATE}, "quota_full", [""]),
    Case("malformed id", {"status": 400, "code": "ErrorInvalidIdMalformed", "match": "PATCH "}, reasons=["gone"]),
    Case("too large", {"status": 413, "match": CREATE}, reasons=["refused"]),
    Case("access lost in the middle", {"do": "access_denied", "match": CREATE}, "access_denied", ["", ""]),
    Case("the folder went", {"status": 404, "code": "ErrorFolderNotFound", "match": CREATE}, "folder_gone", [""]),
    Case("429 for an hour", {**BUSY, "retry_after": "3600", "match": CREATE, **ALWAYS}, "throttled", ["", ""]),
]  # fmt: skip


@pytest.mark.parametrize("case", WRITING, ids=str)
def test_trouble_while_writing_loses_nothing_and_makes_nothing_twice(scene, case):
    meets(scene, case)
    is_well(scene)


def test_a_batch_that_is_cut_half_way_loses_nothing_and_makes_nothing_twice(scene):
    scene.tenant.faults.add("drop", match=BATCH, nth=2, keep_items=2)
    scene.sync()
    assert scene.tenant.faults.fired()
    scene.tenant.faults.clear()
    is_well(scene)
