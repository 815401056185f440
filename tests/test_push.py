"""A save in the CRM reaches Outlook within seconds: one bell for as many as were saved, and none for the sync's own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.brokers import get_broker

from contacts.models import Contact
from crmsync.sync import push
from crmsync.sync.jobs import sweep
from crmsync.sync.models import ContactPreference, SyncRun
from crmsync.sync.watch import Mark, Watch
from tests.factories import LinkFactory, PersonFactory, RunFactory, SetupFactory
from tests.scene import Salesperson, Stage, edit, outlook_person

pytestmark = pytest.mark.django_db
Queue = Callable[[], list[Any]]
Committed = Any
Settle = Callable[[], None]


@pytest.fixture
def jens(stage: Stage) -> Salesperson:
    """Somebody whose mailbox has Anne and syncs by itself, not before tomorrow."""
    PersonFactory(first_name="Anne", surname="Nørgård", city="Aarhus")
    jens = stage.salesperson("jens@contoso.example", auto_sync=True, interval_minutes=1440)
    jens.sync()
    return jens


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """What is written inside is committed at its end, as by a request."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def settle(committed: Committed, run_queue: Queue) -> Settle:
    """Has the queue do all that waits, and what comes of it."""

    def settle() -> None:
        while waiting():
            with committed():
                run_queue()

    return settle


def waiting() -> int:
    return get_broker().queue_size()


def runs() -> int:
    return SyncRun.objects.count()


def anne() -> Contact:
    return Contact.objects.get(first_name="Anne")


def test_an_edit_is_in_outlook_as_soon_as_the_queue_is_through(
    jens: Salesperson, committed: Committed, settle: Settle
) -> None:
    with committed():
        edit(anne(), job_title="Owner")
    settle()
    assert jens.card("Anne Nørgård")["jobTitle"] == "Owner"
    run = SyncRun.objects.first()
    assert run is not None and (run.trigger, run.outcome) == ("schedule", "done")


def test_a_new_contact_goes_to_those_whose_filter_takes_it(
    jens: Salesperson, stage: Stage, committed: Committed, settle: Settle
) -> None:
    xenia = stage.salesperson("xenia@contoso.example", auto_sync=True, contact_filter={"city": "Berlin"})
    by_hand = stage.salesperson("bo@contoso.example")
    before = runs()
    with committed():
        Contact().write({"first_name": "Carla", "surname": "Díaz", "email": "c@d.example", "city": "Odense"}, by=None)
    settle()
    assert "Carla Díaz" in jens.names() and runs() == before + 1
    assert xenia.names() == by_hand.names() == []


@pytest.mark.parametrize("choice", ["always", "never"])
def test_the_users_word_on_a_contact_goes_before_the_filter(stage: Stage, choice: str) -> None:
    xenia = stage.salesperson("xenia@contoso.example", auto_sync=True, contact_filter={"city": "Berlin"})
    carla = PersonFactory(city="Odense" if choice == "always" else "Berlin")
    ContactPreference.objects.create(setup=xenia.setup, contact=carla, choice=choice)
    assert push.concerned(timezone.now() - push.LOOK_BACK) == ([xenia.setup.pk] if choice == "always" else [])


def test_what_a_sync_itself_writes_rings_for_the_others_only(
    jens: Salesperson, stage: Stage, committed: Committed, settle: Settle
) -> None:
    xenia = stage.salesperson("xenia@contoso.example", auto_sync=True, interval_minutes=1440)
    xenia.sync()
    jens.outlook.edit(jens.card("Anne Nørgård")["id"], jobTitle="Owner")
    before = runs()
    with committed():
        jens.sync()
    settle()
    assert xenia.card("Anne Nørgård")["jobTitle"] == "Owner"
    assert [run.setup for run in SyncRun.objects.all()[: runs() - before]] == [xenia.setup, jens.setup]


def test_an_import_rings_once_and_a_save_costs_the_same_however_many_it_writes(
    jens: Salesperson, committed: Committed, settle: Settle, django_capture_on_commit_callbacks: Any
) -> None:
    def spent(number: int) -> int:
        people = [
            Contact(first_name=f"P{n}", surname=str(number), email=f"p{n}@{number}.example") for n in range(number)
        ]
        with committed() as callbacks, transaction.atomic():
            for person in people:
                Contact.objects.bulk_add([person.assign({}, by=None)])
        assert len(callbacks) == 1
        Mark.objects.all().delete()
        with CaptureQueriesContext(connection) as captured:
            callbacks[0]()
        return len(captured)

    assert spent(1) == spent(40)
    get_broker().purge_queue()
    Mark.objects.all().delete()
    for title in ("Owner", "Chair", "Retired"):
        with committed():
            edit(anne(), job_title=title)
    assert waiting() == 1


def test_a_save_while_a_sync_is_at_work_waits_for_its_end(
    jens: Salesperson, committed: Committed, settle: Settle
) -> None:
    run = RunFactory(setup=jens.setup, outcome="running", worker="another:1")
    before = runs()
    with committed():
        edit(anne(), job_title="Owner")
    settle()
    assert runs() == before and Watch.objects.get().wanted_at

    SyncRun.objects.filter(pk=run.pk).update(outcome="done")
    push.go_on_after(run.pk)
    assert runs() == before + 1 and Watch.objects.get().wanted_at is None


def test_a_bell_that_was_lost_is_made_up_for(jens: Salesperson, committed: Committed, settle: Settle) -> None:
    push.want([jens.setup.pk])
    before = runs()
    with committed():
        sweep()
    assert runs() == before + 1

    Mark.objects.set_at("push", timezone.now() - push.LOST * 2)
    get_broker().purge_queue()
    with committed():
        edit(anne(), job_title="Owner")
    assert waiting() == 1


def test_a_save_that_is_rolled_back_rings_nobody(jens: Salesperson, committed: Committed, settle: Settle) -> None:
    with committed() as callbacks:
        try:
            with transaction.atomic():
                edit(anne(), job_title="Owner")
                raise RuntimeError
        except RuntimeError:
            pass
    assert callbacks == [] and waiting() == 0


@pytest.mark.parametrize("values", [{"auto_sync": False}, {"enabled": False}, {"trouble": "folder_gone"}])
def test_only_what_syncs_by_itself_is_pushed(values: dict[str, Any]) -> None:
    link = LinkFactory(setup=SetupFactory(**({"auto_sync": True} | values)), contact_version=1)
    edit(link.contact, job_title="Owner")
    assert push.concerned(link.contact.modified_at) == []


def test_it_can_be_switched_off(jens: Salesperson, committed: Committed, settle: Settle, settings: Any) -> None:
    settings.SYNC_PUSH = False
    with committed() as callbacks:
        edit(anne(), job_title="Owner")
    assert callbacks == [] and waiting() == 0


def test_nobody_who_is_left_out_keeps_a_mailbox_busy(jens: Salesperson) -> None:
    PersonFactory(first_name="Postless", email="")
    jens.outlook.add(**outlook_person("Ada", "Byron", "ada@example.org"))
    jens.sync()
    assert push.concerned(timezone.now() - push.LOOK_BACK) == []
