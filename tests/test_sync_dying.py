"""What dies, and what comes of it: the table of docs/sync.md, where no other test shows it."""

from collections.abc import Callable, Iterator

import pytest

from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome, Side, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.leaving import Estate, leave
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import approve, request_run
from crmsync.sync.sweep import MOST_TAKEOVERS, sweep
from crmsync.sync.undo import request_undo
from crmsync.sync.words import headline
from exchange_setup.models import ExchangeSync
from tests.compare import both_sides, settle
from tests.crash import Death, Reaper, World, different_deaths, time_passes
from tests.factories import PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pairs(jens: Salesperson) -> Salesperson:
    """Two that the product made, one of them edited in Outlook since, and one of the user's own."""
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Own", "Dam", "own@dam.example"))
    for name in ("Ours", "Edited"):
        PersonFactory(first_name=name, surname="Dam", email=f"{name}@dam.example")
    jens.sync()
    jens.outlook.edit(jens.card("Edited Dam")["id"], jobTitle="Owner")
    settle(jens)
    return jens


def deaths(
    jens: Salesperson, sandbox_server: object, run: SyncRun, end: Callable[[], object],
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[str]:  # fmt: skip
    """`run` dies at each step that tells, from one and the same beginning, and is taken over; `end` is what follows.

    `meanwhile` is done between death and takeover.
    """
    world = World(str(sandbox_server.sandbox.store.path))  # type: ignore[attr-defined]
    reaper = Reaper(jens.tenant)
    with reaper.at_work():
        perform(run.pk, budget=float("inf"))
        end()
    yield "undisturbed"
    for number in different_deaths(reaper.steps):
        world.restore()
        with pytest.raises(Death), Reaper(jens.tenant, number).at_work():
            perform(run.pk, budget=float("inf"))
            end()
        time_passes()
        meanwhile()
        for dead in SyncRun.objects.open().exclude(outcome=Outcome.HELD):
            perform(dead.pk, budget=float("inf"))
        end()
        yield reaper.steps[number - 1]


def test_a_removal_that_dies_at_any_step_takes_only_what_it_may(pairs: Salesperson, sandbox_server: object) -> None:
    run = leave(pairs.setup, by=pairs.setup.user, agreed=Estate.of(pairs.setup).removable)
    assert run is not None
    for step in deaths(pairs, sandbox_server, run, lambda: None):
        assert pairs.names() == ["Edited Dam", "Own Dam"], step
        assert pairs.names("Deleted Items") == ["Ours Dam"], step
        assert Contact.objects.alive().count() == 3, step
        ExchangeSync.objects.get().enable()
        pairs.sync()
        assert pairs.names() == ["Edited Dam", "Ours Dam", "Own Dam"], step
        settle(pairs)


def test_an_undo_that_dies_at_any_step_ends_where_it_should(pairs: Salesperson, sandbox_server: object) -> None:
    edit(Contact.objects.get(first_name="Ours"), city="Ribe")
    pairs.outlook.edit(pairs.card("Own Dam")["id"], jobTitle="Smith")
    PersonFactory(first_name="New", surname="Dam", email="new@dam.example")
    done = SyncRun.objects.select_related("setup__user").get(pk=pairs.sync()["run"])
    undo, _ = request_undo(done, by=None, enqueue=False)

    def its_owner_agrees() -> None:
        for held in SyncRun.objects.filter(outcome=Outcome.HELD):
            approve(held, None)
            perform(held.pk, budget=float("inf"))

    undisturbed = None
    for step in deaths(pairs, sandbox_server, undo, its_owner_agrees):
        settle(pairs)
        undisturbed = undisturbed or both_sides(pairs)
        assert both_sides(pairs) == undisturbed, step
        assert (pairs.names(), pairs.card("Own Dam")["jobTitle"]) == (["Edited Dam", "Ours Dam", "Own Dam"], "Smith")
        assert Contact.objects.get(first_name="Own").job_title == ""


def test_what_a_write_has_replaced_is_in_the_journal_whenever_the_run_dies(
    jens: Salesperson, sandbox_server: object
) -> None:
    """Of two edits of one field the CRM's wins; an item that is met for the first time takes over the CRM's values."""
    PersonFactory(first_name="Ada", surname="Dam", email="ada@dam.example")
    jens.sync()
    jens.outlook.edit(jens.card("Ada Dam")["id"], jobTitle="Owner")
    edit(Contact.objects.get(first_name="Ada"), job_title="Smith", department="Yard")
    PersonFactory(first_name="Bo", surname="Dam", email="bo@dam.example", job_title="Clerk")
    jens.outlook.add(**outlook_person("Bo", "Dam", "bo@dam.example", jobTitle="Boss", department="Sales"))
    run, _ = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)

    for step in deaths(jens, sandbox_server, run, lambda: None):
        assert [jens.card(name)["jobTitle"] for name in jens.names()] == ["Smith", "Clerk"], step
        assert Contact.objects.get(first_name="Bo").department == "Sales", step
        rows = run.planned.filter(side=Side.OUTLOOK).order_by("contact__first_name")
        told = [(row.action, row.outcome, row.conflicts["job_title"]["outlook"]) for row in rows]
        assert told == [("update", "done", "Owner"), ("link", "done", "Boss")], step
        settle(jens)


def test_a_write_that_nobody_heard_of_is_no_edit_of_the_items_owner(jens: Salesperson, sandbox_server: object) -> None:
    """What somebody writes in the CRM next is news to Outlook, no conflict with what the sync has sent itself."""
    ada = PersonFactory(first_name="Ada", surname="Dam", email="ada@dam.example")
    jens.change(conflict_rule="outlook")
    jens.sync()
    edit(ada, job_title="Smith")
    run, _ = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)

    for step in deaths(jens, sandbox_server, run, lambda: settle(jens), lambda: edit(ada, job_title="Owner")):
        title = "Smith" if step == "undisturbed" else "Owner"
        assert (Contact.objects.get().job_title, jens.card("Ada Dam")["jobTitle"]) == (title, title), step
        assert not SyncChange.objects.exclude(conflicts={}).exists(), step


def test_a_run_that_nobody_has_taken_is_rung_for_again(jens: Salesperson, run_queue: Callable[[], object]) -> None:
    PersonFactory(first_name="Ada", surname="Dam")
    run, _ = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    time_passes()
    sweep()
    run_queue()
    run.refresh_from_db()
    assert (run.outcome, jens.names()) == (Outcome.DONE, ["Ada Dam"])


def test_a_run_that_takes_down_worker_after_worker_is_given_up(jens: Salesperson) -> None:
    PersonFactory(first_name="Ada", surname="Dam")
    run, _ = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    for _ in range(MOST_TAKEOVERS):
        sweep()
        with pytest.raises(Death), Reaper(jens.tenant, 6).at_work():
            perform(run.pk)
        time_passes()
    sweep()
    run.refresh_from_db()
    assert (run.outcome, run.error) == (Outcome.FAILED, "lost")
    assert headline(run).startswith("The background worker that ran the sync stopped in the middle of it.")
    assert jens.sync()["outlook"]["created"] == 1


def test_a_fault_of_our_own_is_told_and_the_next_run_goes_on(jens: Salesperson) -> None:
    PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    edit(Contact.objects.get(), city="Ribe")
    jens.change(conflict_rule="nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        jens.sync()
    run = SyncRun.objects.latest("pk")
    assert (run.outcome, run.error) == (Outcome.FAILED, "crashed")
    assert headline(run) == "The sync met a fault of its own. Nothing was changed."
    jens.change(conflict_rule="crm")
    assert jens.sync()["outlook"]["updated"] == 1


def test_a_removal_whose_answer_is_lost_sends_nobody_to_the_trash(jens: Salesperson) -> None:
    """What the sync itself removed is not taken for what its owner removed, whatever the rule about that."""
    jens.change(removed_rule="trash")
    PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    run = leave(jens.setup, by=jens.setup.user, agreed=1)
    assert run is not None
    jens.tenant.faults.add("status", status=504, commit=True, match="DELETE ")
    perform(run.pk, budget=float("inf"))
    jens.tenant.faults.clear()
    run.refresh_from_db()
    assert (jens.names(), run.notes) == ([], ["still_connected"])
    ExchangeSync.objects.get().enable()
    jens.sync()
    assert jens.names() == ["Ada Dam"]
    assert Contact.objects.alive().count() == 1
    run.refresh_from_db()
    assert run.counts["outlook"]["deleted"] == 1
    settle(jens)


def test_an_undo_whose_answers_are_lost_is_no_edit_and_no_removal_of_its_owners(jens: Salesperson) -> None:
    jens.change(removed_rule="trash")
    ada = PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    PersonFactory(first_name="New", surname="Dam")
    edit(ada, city="Ribe")
    run = jens.sync()["run"]
    for method in ("PATCH ", "DELETE "):
        jens.tenant.faults.add("status", status=504, commit=True, match=method)
    jens.undo(run)
    assert jens.tenant.faults.fired() == 2
    jens.tenant.faults.clear()
    settle(jens)
    assert (jens.names(), jens.card("Ada Dam")["businessAddress"].get("city") or "") == (["Ada Dam"], "")
    ada.refresh_from_db()
    assert (ada.city, Contact.objects.alive().count()) == ("Ribe", 2)


def test_who_is_wanted_again_after_a_removal_of_ours_that_died_is_not_sent_to_the_trash(jens: Salesperson) -> None:
    jens.change(removed_rule="trash", left_filter_rule="remove", contact_filter={"city": "Ribe"})
    ada = PersonFactory(first_name="Ada", surname="Dam", city="Ribe")
    jens.sync()
    edit(ada, city="Aarhus")
    jens.tenant.faults.add("status", status=504, commit=True, match="DELETE ")
    jens.sync()
    jens.tenant.faults.clear()
    assert jens.names() == []
    edit(ada, city="Ribe")
    jens.sync()
    assert (jens.names(), Contact.objects.alive().count()) == (["Ada Dam"], 1)
    settle(jens)
