"""What people do about a contact while a run has it in hand, or a plan waits: it is heeded, and stops nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync import apply
from crmsync.sync.choices import Outcome
from crmsync.sync.decisions import Choice, decide_one
from crmsync.sync.erasing import StillRunning, erase
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.purging import purge_trash
from crmsync.sync.runs import approve
from tests.compare import settle
from tests.crash import Reaper
from tests.factories import AdministratorFactory, PersonFactory
from tests.scene import Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def before_statement(about: str, number: int, deed: Callable[[], object]) -> Iterator[list[str]]:
    """Has `deed` done before the `number`-th statement with `about` in it, outside of a transaction. Gives them all."""
    statements: list[str] = []

    def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if about in sql and not connection.in_atomic_block:
            statements.append(sql)
            if len(statements) == number:
                deed()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(executed):
        yield statements


def say(jens: Salesperson, choice: str, *people: Contact) -> None:
    """The user says "always" or "never" on the contacts' cards."""
    for contact in people:
        form = PreferenceForm({"choice": choice})
        assert form.is_valid()
        form.save(jens.setup, contact)


def test_whoever_is_erased_at_any_moment_stops_no_run(jens: Salesperson) -> None:
    """Even between what a plan has read of them and its storing. Once a run has them on record it is refused."""
    jens.sync()
    by, refused, number = AdministratorFactory(), [], 0

    def erases() -> None:
        try:
            erase(Contact.objects.get(), by=by)
        except StillRunning:
            refused.append(number)

    while not refused:
        number += 1
        PersonFactory(first_name="Hanne", surname="Holm", email=f"hanne{number}@home.example")
        with before_statement("sync_contactlink", number, erases) as reads:
            assert jens.sync()["outcome"] == "done", reads[-1]
        assert len(reads) >= number
    assert number > 1 and jens.names() == ["Hanne Holm"]


@pytest.mark.parametrize("choice", ["always", "never"])
def test_a_word_on_contacts_that_are_being_created_stops_no_run_and_is_heeded(
    jens: Salesperson, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even between the step that makes a batch ready and the one that stores what it is about to create."""
    monkeypatch.setattr(apply, "LARGEST", 1)
    jens.sync()
    number, steps = 0, [""]
    while number < len(steps):
        number += 1
        people = PersonFactory.create_batch(2)
        with before_statement("sync_syncrun", number, lambda people=people: say(jens, choice, *people)) as steps:
            assert jens.sync()["outcome"] == "done", steps[number - 1]
    settle(jens)
    assert len(jens.names()) == (Contact.objects.count() if choice == "always" else 0)


@pytest.fixture
def held(jens: Salesperson, settings: Any) -> SyncRun:
    """Anne of Aarhus is to leave Outlook, where the filter is Odense now, and Mette to come: a person must say so."""
    for name, city in (("Anne", "Aarhus"), ("Bo", "Odense")):
        PersonFactory(first_name=name, surname="Holm", city=city)
    jens.change(left_filter_rule="remove")
    settle(jens)
    PersonFactory(first_name="Mette", surname="Holm", city="Odense")
    Contact.objects.update(modified_at=timezone.now() - timedelta(days=2))
    jens.change(contact_filter={"city": "Odense"})
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == "held"
    settings.SYNC_DELETE_LIMIT = 20
    return SyncRun.objects.get(outcome=Outcome.HELD)


def go_on(jens: Salesperson, run: SyncRun) -> None:
    """Somebody approves the plan, and a worker carries it out."""
    approve(run, None, enqueue=False)
    jens.finish(run)
    run.refresh_from_db()
    assert run.outcome == Outcome.DONE


def test_always_said_while_a_run_is_held_is_heeded(jens: Salesperson, held: SyncRun) -> None:
    say(jens, "always", Contact.objects.get(first_name="Anne"))
    go_on(jens, held)
    assert jens.names() == ["Anne Holm", "Bo Holm", "Mette Holm"]
    settle(jens)
    assert jens.names() == ["Anne Holm", "Bo Holm", "Mette Holm"]


def test_never_said_while_a_run_is_held_is_heeded(jens: Salesperson, held: SyncRun) -> None:
    say(jens, "never", Contact.objects.get(first_name="Mette"))
    go_on(jens, held)
    assert jens.names() == ["Bo Holm"]
    settle(jens)
    assert jens.names() == ["Bo Holm"]


def hold_beside_an_item(jens: Salesperson, settings: Any) -> ContactLink:
    """Anne's item waits for a word on whether it may come in; the next plan is held, for the removal of Bo's copy."""
    jens.change(new_contact_rule="hold")
    bo = PersonFactory(first_name="Bo", surname="Holm")
    settle(jens)
    jens.outlook.add(**outlook_person("Anne", "Holm", "anne@x.example", mobilePhone="2"))
    settle(jens)
    bo.trash(by=None)
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    return ContactLink.objects.get(problem="held_for_review")


def approve_held(jens: Salesperson, settings: Any) -> None:
    settings.SYNC_DELETE_LIMIT = 20
    go_on(jens, SyncRun.objects.get(outcome=Outcome.HELD))
    settle(jens)


def test_never_said_while_a_run_is_held_that_would_pair_leaves_the_item_alone(jens: Salesperson, settings: Any) -> None:
    hold_beside_an_item(jens, settings)
    anne = PersonFactory(first_name="Anne", surname="Holm", email="anne@x.example", mobile_phone="1")
    assert jens.sync()["outcome"] == "held"
    say(jens, "never", anne)
    approve_held(jens, settings)
    assert jens.card("Anne Holm")["mobilePhone"] == "2"
    assert ContactLink.objects.get(contact=None).problem == "never"


def test_an_item_that_is_left_out_for_good_while_a_run_is_held_is_paired_with_nobody(
    jens: Salesperson, settings: Any
) -> None:
    link = hold_beside_an_item(jens, settings)
    PersonFactory(first_name="Anne", surname="Holm", email="anne@x.example", mobile_phone="1")
    assert jens.sync()["outcome"] == "held"
    decide_one(link, Choice.KEEP_OUT)
    approve_held(jens, settings)
    assert jens.card("Anne Holm")["mobilePhone"] == "2"
    link.refresh_from_db()
    assert (link.contact, link.problem) == (None, "not_wanted")


@pytest.mark.parametrize("then", [[Choice.ASK_AGAIN], [Choice.ASK_AGAIN, Choice.KEEP_OUT]], ids=["undone", "for good"])
def test_who_is_no_longer_to_come_in_while_a_run_is_held_stays_out(
    jens: Salesperson, settings: Any, then: list[Choice]
) -> None:
    link = hold_beside_an_item(jens, settings)
    decide_one(link, Choice.LET_IN)
    assert jens.sync()["outcome"] == "held"
    for choice in then:
        decide_one(link, choice)
    approve_held(jens, settings)
    link.refresh_from_db()
    assert not Contact.objects.filter(first_name="Anne").exists()
    assert link.problem == ("not_wanted" if then[1:] else "held_for_review")


def test_always_said_while_the_copy_is_being_removed_brings_it_back(jens: Salesperson, held: SyncRun) -> None:
    """Said too late for this run; the next one finds it, though nothing else says that the contact has changed."""
    anne = Contact.objects.get(first_name="Anne")
    reaper = Reaper(jens.tenant, 2, lambda: say(jens, "always", anne))
    with reaper.at_work():
        go_on(jens, held)
    assert "$batch" in reaper.steps[1] and jens.names() == ["Bo Holm", "Mette Holm"]
    settle(jens)
    assert jens.names() == ["Anne Holm", "Bo Holm", "Mette Holm"]


def test_a_trash_that_is_emptied_while_an_undo_is_applied_stops_nothing(jens: Salesperson) -> None:
    """The undo takes contacts out of the trash again, in which they have been for 30 days."""
    jens.change(removed_rule="trash")
    people = PersonFactory.create_batch(2)
    PersonFactory.create_batch(3)
    jens.sync()
    for contact in people:
        jens.outlook.remove(jens.card(contact.name)["id"])
    jens.sync()
    Contact.objects.exclude(deleted_at=None).update(deleted_at=timezone.now() - timedelta(days=31))
    undo = SyncRun.objects.get(pk=jens.undo(applies=False)["run"])
    approve(undo, None, enqueue=False)
    with before_statement('"doing" = ', 1, lambda: purge_trash(timezone.now())):
        jens.finish(undo)
    undo.refresh_from_db()
    assert (undo.outcome, undo.error) == (Outcome.DONE, "")
    assert set(undo.changes.values_list("outcome", "contact")) == {("stale", None)}
    assert Contact.objects.count() == 3


def test_a_trash_that_is_emptied_while_an_undo_makes_items_again_stops_nothing(jens: Salesperson) -> None:
    """At whatever moment; while an item is being made nobody's contact goes."""
    number, steps = 0, [""]
    while number < len(steps):
        number += 1
        contact = PersonFactory()
        settle(jens)
        contact.trash(by=None)
        jens.sync()
        undo = SyncRun.objects.get(pk=jens.undo(applies=False)["run"])
        approve(undo, None, enqueue=False)
        Contact.objects.filter(pk=contact.pk).update(deleted_at=timezone.now() - timedelta(days=31))
        with before_statement("sync_syncrun", number, lambda: purge_trash(timezone.now())) as steps:
            jens.finish(undo)
        undo.refresh_from_db()
        assert (undo.outcome, undo.error) == (Outcome.DONE, ""), steps[number - 1]
        Contact.objects.filter(pk=contact.pk).delete()
        settle(jens)
    assert number > 1


def test_always_taken_back_while_the_item_is_being_written_takes_the_copy_away(jens: Salesperson) -> None:
    """The next run finds it, though nothing else says that the contact has changed."""
    anne = PersonFactory(first_name="Anne", surname="Holm", city="Odense")
    jens.change(contact_filter={"city": "Odense"}, left_filter_rule="remove")
    say(jens, "always", anne)
    settle(jens)
    edit(anne, city="Aarhus")
    settle(jens)
    edit(anne, job_title="Head")
    reaper = Reaper(jens.tenant, 2, lambda: say(jens, "filter", anne))
    with reaper.at_work():
        assert jens.sync()["outlook"]["updated"] == 1
    assert "PATCH" in reaper.steps[1]
    settle(jens)
    assert jens.names() == []


def test_whose_pairing_comes_to_nothing_is_looked_at_again_though_nobody_edits_them(jens: Salesperson) -> None:
    """The item becomes somebody else's while the run is at work, so that it says nothing of the contact any more."""
    PersonFactory(first_name="Bo", surname="Lind", email="bo@x.example")
    jens.outlook.create_folder("Business Central")
    jens.sync()
    Contact.objects.update(modified_at=timezone.now() - timedelta(days=2))
    ContactLink.objects.all().delete()  # as of somebody who has just come into the filter
    jens.outlook.remove(jens.card("Bo Lind")["id"])
    item = jens.outlook.add("Business Central", **outlook_person("Bo", "Lind", "bo@x.example"))
    somebody_else = outlook_person("Ida", "Dam", "ida@x.example")
    jens.change(contact_filter={"type": "person"})
    with Reaper(jens.tenant, 2, meanwhile=lambda: jens.outlook.edit(item["id"], **somebody_else)).at_work():
        jens.sync()
    settle(jens)
    assert jens.names() == ["Bo Lind", "Ida Dam"]


def test_always_said_while_a_held_run_would_forget_a_pair_whose_item_is_gone_is_heeded(
    jens: Salesperson, settings: Any
) -> None:
    jens.change(removed_rule="put_back")
    anne, bo = (PersonFactory(first_name=name, surname="Holm") for name in ("Anne", "Bo"))
    settle(jens)
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    say(jens, "never", anne)
    bo.trash(by=None)
    Contact.objects.filter(pk=anne.pk).update(modified_at=timezone.now() - timedelta(days=2))
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == "held"
    say(jens, "always", anne)
    approve_held(jens, settings)
    assert jens.names() == ["Anne Holm"]
