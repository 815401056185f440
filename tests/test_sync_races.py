"""Races: two of everything at once, with real threads on a database in a file (or on PostgreSQL, where the suite runs
on it), and at every request of a run what else may happen just then."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from contacts.models import Contact
from crmsync.sync.choices import Kind, LinkState, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.runs import request_run
from exchange_setup.models import ExchangeSync
from tests.compare import settle
from tests.crash import Reaper, World, database_in_a_file, time_passes  # noqa: F401
from tests.factories import PersonFactory
from tests.scene import edit, outlook_person

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all of these at the same time; what each gave."""
    start, given = threading.Barrier(len(deeds)), [None] * len(deeds)

    def do(number: int) -> None:
        try:
            start.wait()
            given[number] = deeds[number]()
        except Exception as error:
            given[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return given


def asks(person) -> tuple[SyncRun, bool]:
    setup = ExchangeSync.objects.select_related("user").get(pk=person.setup.pk)
    return request_run(setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)


def people(number=5):
    return [PersonFactory(first_name="P", surname=str(at), email=f"p{at}@crm.example", fax="1") for at in range(number)]


# Two at once --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database_in_a_file")
def test_of_many_who_ask_at_once_one_opens_a_run(jens):
    answers = at_once(*[lambda: asks(jens)] * 6)
    assert sorted(is_new for _, is_new in answers) == [False] * 5 + [True]
    assert len({run.pk for run, _ in answers}) == SyncRun.objects.count() == 1


@pytest.mark.usefixtures("database_in_a_file")
def test_of_many_workers_that_take_a_run_one_has_it(jens):
    people()
    run, _ = asks(jens)
    assert sorted(at_once(*[lambda: perform(run.pk)] * 4)) == ["", "", "", "done"]
    assert len(jens.names()) == len(set(jens.names())) == 5


@pytest.fixture
def mette(stage):
    return stage.salesperson("mette@contoso.example")


def both_sync(*persons) -> None:
    runs = [asks(person)[0].pk for person in persons]
    assert at_once(*[lambda run=run: perform(run) for run in runs]) == ["done"] * len(persons)


@pytest.mark.usefixtures("database_in_a_file")
def test_two_mailboxes_that_bring_in_the_same_people_make_each_of_them_once(jens, mette, settings):
    settings.SYNC_DELETE_LIMIT = 1000  # no brake
    for person in (jens, mette):
        person.outlook.create_folder("Business Central")
        for at in range(25):
            person.outlook.add(**outlook_person("New", str(at), f"NEW{at}@o.example", jobTitle=person.outlook.email))
    both_sync(jens, mette)
    for person in (jens, mette, jens, mette):
        settle(person)
    assert Contact.objects.count() == 25
    assert {len(person.names()) for person in (jens, mette)} == {25}
    assert ContactLink.objects.filter(state=LinkState.LINKED).count() == 50


@pytest.mark.usefixtures("database_in_a_file")
def test_two_mailboxes_that_write_the_same_contacts_lose_nothing(jens, mette):
    people()
    both_sync(jens, mette)
    for person, own, shared in ((jens, "department", "jens's"), (mette, "companyName", "mette's")):
        for item in person.outlook.contacts():
            person.outlook.edit(item["id"], jobTitle=shared, **{own: shared})
    both_sync(jens, mette)
    for _ in range(2):
        both_sync(jens, mette)
    for person in (jens, mette):
        settle(person)
    held = set(Contact.objects.values_list("job_title", "department", "company_name"))
    assert held <= {("jens's", "jens's", "mette's"), ("mette's", "jens's", "mette's")}
    lost = {row["job_title"]["outlook"] for row in SyncChange.objects.values_list("conflicts", flat=True) if row}
    assert {title for title, *_ in held} | lost == {"jens's", "mette's"}


@pytest.mark.usefixtures("database_in_a_file")
def test_a_card_saved_while_runs_write_it_is_never_overwritten_unseen(jens, mette):
    everybody = people(8)
    both_sync(jens, mette)
    for item in jens.outlook.contacts():
        jens.outlook.edit(item["id"], department="from Outlook")

    def saves() -> None:
        for contact in everybody:
            edit(contact, job_title="from the card", phone="1")

    run = asks(jens)[0].pk
    assert at_once(lambda: perform(run), saves) == ["done", None]
    for person in (jens, mette, jens):
        settle(person)
    held = set(Contact.objects.values_list("job_title", "phone", "department"))
    assert held == {("from the card", "1", "from Outlook")}
    assert {card["jobTitle"] for card in mette.outlook.contacts()} == {"from the card"}


# At every request of a run ------------------------------------------------------------------------------------------


@pytest.fixture
def busy(jens):
    """Something to do on both sides, creating, changing and removing."""
    first, second, *_ = people(4)
    jens.sync()
    edit(first, job_title="edited")
    second.trash(by=None)
    jens.outlook.edit(jens.card("P 2")["id"], department="edited")
    PersonFactory(first_name="Q", surname="1", email="q1@crm.example", fax="2")
    PersonFactory(first_name="Q", surname="2", email="q2@crm.example", fax="3")
    jens.outlook.add(**outlook_person("R", "1", "r1@o.example"))
    return jens


EVERYBODY = ["P 0", "P 2", "P 3", "Q 1", "Q 2", "R 1"]


def whenever(busy, sandbox_server, deed: Callable[[], Any]) -> Iterator[SyncRun]:
    """The same run again and again, with `deed` done after its first request, its second and so on."""
    world = World(str(sandbox_server.sandbox.store.path))
    reaper = Reaper(busy.tenant, 0, deed)
    with reaper.at_work():
        busy.sync()
    for number in range(1, len(reaper.steps) + 1):
        world.restore()
        run = asks(busy)[0]
        with Reaper(busy.tenant, number, deed).at_work():
            perform(run.pk, budget=float("inf"))
        yield SyncRun.objects.filter(pk=run.pk).first()


def test_a_worker_that_was_thought_dead_writes_nothing_more(busy, sandbox_server):
    """Another one takes over while the first still breathes: at the end there is nobody twice and nothing half."""

    def takes_over() -> None:
        run = SyncRun.objects.open().get()
        SyncRun.objects.filter(pk=run.pk).update(heartbeat_at=run.heartbeat_at.replace(year=2000))
        assert perform(run.pk) == Outcome.DONE

    for run in whenever(busy, sandbox_server, takes_over):
        assert (run.outcome, run.fence) == (Outcome.DONE, 2)
        time_passes()
        settle(busy)
        assert busy.names() == EVERYBODY
        assert sorted(Contact.objects.alive().values_list("name", flat=True)) == EVERYBODY


def test_a_card_that_is_saved_at_any_moment_keeps_what_was_saved(busy, sandbox_server):
    def saves() -> None:
        for contact in Contact.objects.alive():
            edit(contact, city="saved")

    for run in whenever(busy, sandbox_server, saves):
        assert run.outcome == Outcome.DONE
        settle(busy)
        assert busy.names() == EVERYBODY
        assert {item["businessAddress"]["city"] for item in busy.outlook.contacts() if item["givenName"] != "R"} == {
            "saved"
        }
        assert busy.card("P 0")["jobTitle"] == "edited"
        assert Contact.objects.get(name="P 2").department == "edited"


def test_what_is_edited_in_outlook_at_any_moment_is_taken_over(busy, sandbox_server):
    def edits() -> None:
        for item in busy.outlook.contacts():
            busy.outlook.edit(item["id"], mobilePhone="9")

    for run in whenever(busy, sandbox_server, edits):
        assert run.outcome == Outcome.DONE
        settle(busy)
        assert set(busy.names()) - {"P 1"} == set(EVERYBODY)  # P 1's edit may have come before its removal
        mobiles = {contact.name: contact.mobile_phone for contact in Contact.objects.alive()}
        assert {item["displayName"]: item["mobilePhone"] or "" for item in busy.outlook.contacts()} == mobiles


def test_never_said_at_any_moment_is_heeded(busy, sandbox_server):
    def says_never() -> None:
        for name in ("P 0", "Q 1"):
            form = PreferenceForm({"choice": "never"})
            assert form.is_valid()
            form.save(busy.setup, Contact.objects.get(name=name))

    for run in whenever(busy, sandbox_server, says_never):
        assert run.outcome == Outcome.DONE
        settle(busy)
        assert busy.names() == ["P 2", "P 3", "Q 2", "R 1"]


def test_another_folder_chosen_at_any_moment_is_filled_and_the_old_one_keeps_its_contacts(busy, sandbox_server):
    def chooses() -> None:
        setup = ExchangeSync.objects.get(pk=busy.setup.pk)
        setup.use_folder("Another")
        setup.save()

    for run in whenever(busy, sandbox_server, chooses):
        assert (run.outcome, run.error) == (Outcome.FAILED, "setup_changed")
        settle(busy)
        assert busy.names("Another") == sorted(Contact.objects.alive().values_list("name", flat=True))
        assert {"P 0", "P 2", "P 3"} <= set(busy.names())
        assert ExchangeSync.objects.get().folder_name == "Another"


def test_a_setup_deleted_at_any_moment_ends_the_run_without_a_word(busy, sandbox_server):
    for run in whenever(busy, sandbox_server, lambda: ExchangeSync.objects.all().delete()):
        assert run is None
        assert not ContactLink.objects.exists()


def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing_half(busy, sandbox_server):
    for run in whenever(busy, sandbox_server, lambda: SyncRun.objects.open().update(cancel_requested=True)):
        assert run.outcome in (Outcome.CANCELLED, Outcome.DONE)
        time_passes()
        settle(busy)
        assert busy.names() == EVERYBODY
