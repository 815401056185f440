"""Writes to Outlook whose answer nobody heard: what shows that they were ours, and what does not."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from contacts.models import Contact
from crmsync.sync.choices import Action, ChangeOutcome, Outcome, Side
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import approve
from tests.compare import settle
from tests.crash import Death, Reaper, time_passes
from tests.factories import PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person
from tests.tamper import relay
from tests.test_sync_meanwhile import say

pytestmark = pytest.mark.django_db(transaction=True)
EMAIL = "anne@dam.example"


@pytest.fixture(autouse=True)
def folder(jens: Salesperson, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody really waits for an Outlook that is busy."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    jens.outlook.create_folder(FOLDER)


class Meanwhile(Reaper):
    """Does something once, when a write has come so far; the process goes on, unless what is done is dying."""

    def __init__(self, jens: Salesperson, when: str, deed: Callable[[], object]) -> None:
        super().__init__(jens.tenant)
        self.when, self.deed = when, deed

    def step(self, what: str) -> None:
        self.steps.append(what)
        if what.startswith(self.when) and sum(step.startswith(self.when) for step in self.steps) == 1:
            self.deed()


def die() -> None:
    raise Death


def die_unheard(jens: Salesperson) -> None:
    """Outlook has carried out the write, and nobody has read the answer."""
    with pytest.raises(Death), Meanwhile(jens, "after PATCH", die).at_work():
        jens.sync()
    time_passes()


def busy(jens: Salesperson, method: str) -> None:
    """A sync that gives up, since Outlook takes no such write."""
    jens.tenant.faults.add("status", status=503, match=f"{method} ", times=0)
    assert jens.sync()["outcome"] == "failed"
    jens.tenant.faults.clear()


def anne(jens: Salesperson, **more: Any) -> Contact:
    """Anne in the CRM and in Outlook."""
    contact = PersonFactory(first_name="Anne", surname="Dam", email=EMAIL, **more)
    settle(jens)
    return contact


def anne_on_both_sides(jens: Salesperson, **more: Any) -> tuple[Contact, str]:
    """Anne, who is to be paired with an item that says the same of her already; and the item's id."""
    contact = PersonFactory(first_name="Anne", surname="Dam", email=EMAIL, **more)
    item = jens.outlook.add(**outlook_person("Anne", "Dam", EMAIL, jobTitle=more.get("job_title", "")))
    return contact, item["id"]


def make_it_bob(jens: Salesperson, item: str) -> None:
    """The owner makes the card somebody else's."""
    email = [{"address": "bob@berg.example"}]
    jens.outlook.edit(item, givenName="Bob", surname="Berg", displayName="Bob Berg", emailAddresses=email)


def move_to(jens: Salesperson, item: str, city: str) -> None:
    jens.outlook.edit(item, businessAddress={**jens.outlook.contact(item)["businessAddress"], "city": city})


# --- What was never sent ---------------------------------------------------------------------------------------------


def test_a_pairing_that_outlook_was_too_busy_for_pairs_nobody_else(jens: Salesperson) -> None:
    _, item = anne_on_both_sides(jens)
    busy(jens, "PATCH")
    assert jens.outlook.contact(item)["categories"] == []
    make_it_bob(jens, item)
    settle(jens)
    assert jens.names() == ["Anne Dam", "Bob Berg"]


def test_a_pairing_that_was_refused_for_an_edit_pairs_nobody_else(jens: Salesperson) -> None:
    _, item = anne_on_both_sides(jens)
    with Meanwhile(jens, "before PATCH", lambda: make_it_bob(jens, item)).at_work():
        jens.sync()
    assert SyncChange.objects.get(action=Action.LINK).outcome == ChangeOutcome.STALE
    settle(jens)
    assert jens.names() == ["Anne Dam", "Bob Berg"]


def test_a_pairing_that_was_held_pairs_nobody_else(jens: Salesperson, settings: Any) -> None:
    gone = PersonFactory.create_batch(2)
    settle(jens)
    _, item = anne_on_both_sides(jens)
    for contact in gone:
        contact.trash(by=None)
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == "held"
    make_it_bob(jens, item)
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(run, None, enqueue=False)
    perform(run.pk, budget=float("inf"))
    settle(jens)
    assert jens.names() == ["Anne Dam", "Bob Berg"]


def test_what_its_owner_clears_is_no_write_of_ours_that_was_never_sent(jens: Salesperson) -> None:
    contact = anne(jens, phone="1")
    edit(contact, phone="")  # by mistake
    busy(jens, "PATCH")
    edit(contact, phone="1")  # put right
    jens.outlook.edit(jens.card("Anne Dam")["id"], businessPhones=[])
    settle(jens)
    assert (Contact.objects.get().phone, jens.card("Anne Dam")["businessPhones"]) == ("", [])


def test_what_its_owner_removes_is_no_removal_of_ours_that_was_never_sent(jens: Salesperson) -> None:
    jens.change(contact_filter={"city": "Ribe"}, left_filter_rule="remove")
    contact = anne(jens, city="Ribe")
    edit(contact, city="Odense")
    busy(jens, "DELETE")
    edit(contact, city="Ribe")
    jens.outlook.remove(jens.card("Anne Dam")["id"])
    settle(jens)
    assert jens.names() == []


@pytest.mark.parametrize("number", [1, 2])  # by itself, and in a batch
@pytest.mark.parametrize("then", ["busy", "refused"])
def test_a_write_that_was_carried_out_at_the_first_try_stays_ours_whatever_the_next_is_told(
    jens: Salesperson, number: int, then: str
) -> None:
    """The first answer is lost; then Outlook is busy, or refuses for what it did the first time."""
    jens.change(conflict_rule="outlook")
    contact = anne(jens, job_title="Buyer")
    others = PersonFactory.create_batch(number - 1)
    settle(jens)
    for person in (contact, *others):
        edit(person, job_title="Head")
    jens.tenant.faults.add("status", status=504, commit=True, match="PATCH ", times=number)
    if then == "busy":
        jens.tenant.faults.add("status", status=503, match="PATCH ", nth=number + 1, times=0)
    jens.sync()
    jens.tenant.faults.clear()
    assert jens.card("Anne Dam")["jobTitle"] == "Head"
    edit(contact, job_title="Boss")
    settle(jens)
    assert Contact.objects.get(pk=contact.pk).job_title == jens.card("Anne Dam")["jobTitle"] == "Boss"


# --- What was sent, and nobody heard the answer ----------------------------------------------------------------------


def test_who_is_trashed_after_an_unheard_pairing_stays_in_the_trash(jens: Salesperson) -> None:
    contact, item = anne_on_both_sides(jens, job_title="Buyer")
    die_unheard(jens)
    assert jens.outlook.contact(item)["categories"] == ["CRM"]
    contact.trash(by=None)
    settle(jens)
    assert Contact.objects.get().is_trashed  # nobody edited anything: nothing beats the trash


def test_an_edit_after_an_unheard_pairing_wins_over_what_nobody_touched(jens: Salesperson) -> None:
    jens.change(conflict_rule="outlook")
    contact, _ = anne_on_both_sides(jens, job_title="Buyer")
    die_unheard(jens)
    edit(contact, job_title="Head")
    settle(jens)
    assert Contact.objects.get().job_title == jens.card("Anne Dam")["jobTitle"] == "Head"
    assert not SyncChange.objects.exclude(conflicts={}).exists()


def test_edits_on_both_sides_after_an_unheard_pairing_are_merged(jens: Salesperson) -> None:
    contact, item = anne_on_both_sides(jens, job_title="Buyer")
    die_unheard(jens)
    edit(contact, job_title="Head")
    jens.outlook.edit(item, department="Sales")
    settle(jens)
    contact = Contact.objects.get()
    assert (contact.job_title, contact.department) == ("Head", "Sales")
    assert (jens.card("Anne Dam")["jobTitle"], jens.card("Anne Dam")["department"]) == ("Head", "Sales")


def test_of_an_unheard_write_one_value_shows_that_the_others_were_edited_since(jens: Salesperson) -> None:
    contact = anne(jens, job_title="Buyer", city="Ribe")
    edit(contact, job_title="Head", city="Odense")
    die_unheard(jens)
    move_to(jens, jens.card("Anne Dam")["id"], "Vejle")
    settle(jens)
    assert Contact.objects.get().city == "Vejle"
    assert not SyncChange.objects.exclude(conflicts={}).exists()


def test_a_value_that_its_owner_happens_to_write_too_does_not_show_that_the_others_were_sent(jens: Salesperson) -> None:
    """Outlook takes all of a write or nothing: what it would have replaced is still there."""
    contact = anne(jens, job_title="Buyer", city="Ribe")
    edit(contact, job_title="Head", city="Odense")
    with pytest.raises(Death), Meanwhile(jens, "before PATCH", die).at_work():
        jens.sync()
    time_passes()
    jens.outlook.edit(jens.card("Anne Dam")["id"], jobTitle="Head")
    settle(jens)
    contact = Contact.objects.get()
    assert (contact.job_title, contact.city) == ("Head", "Odense")
    assert jens.card("Anne Dam")["businessAddress"]["city"] == "Odense"


@pytest.mark.parametrize("goes_on", [True, False])  # the same run, taken over, or the next one
def test_what_an_unheard_write_has_replaced_stays_on_record(jens: Salesperson, goes_on: bool) -> None:
    contact = anne(jens, job_title="Buyer")
    item = jens.card("Anne Dam")["id"]
    edit(contact, job_title="the CRM's")
    jens.outlook.edit(item, jobTitle="the owner's")
    die_unheard(jens)
    assert jens.outlook.contact(item)["jobTitle"] == "the CRM's"  # as the rule says
    jens.outlook.edit(item, jobTitle="the owner's next")
    if goes_on:
        perform(SyncRun.objects.open().get().pk, budget=float("inf"))
    settle(jens)
    journal = json.dumps(list(SyncChange.objects.values_list("conflicts", flat=True)))
    assert '"the owner\'s"' in journal and '"the owner\'s next"' in journal


def test_who_was_to_be_paired_is_created_where_the_item_became_somebody_elses(jens: Salesperson) -> None:
    """In the very run that is taken over, whose first plan had paired them; the contact is as old as can be."""
    anne_on_both_sides(jens)
    Contact.objects.update(modified_at="2020-01-01T00:00Z")
    with pytest.raises(Death), Meanwhile(jens, "before PATCH", die).at_work():
        jens.sync()
    time_passes()
    make_it_bob(jens, jens.card("Anne Dam")["id"])
    perform(SyncRun.objects.open().get().pk, budget=float("inf"))
    assert SyncChange.objects.filter(side=Side.OUTLOOK, action=Action.CREATE, outcome=ChangeOutcome.DONE).exists()
    settle(jens)
    assert jens.names() == ["Anne Dam", "Bob Berg"]


def test_what_its_owner_edits_after_an_unheard_write_of_an_approved_plan_comes_into_the_crm(
    jens: Salesperson, settings: Any
) -> None:
    """The plan is carried on with, as a person has approved it; but what it was to take over is no longer so."""
    contact, item = anne(jens, job_title="Buyer"), jens.card("Anne Dam")["id"]
    edit(contact, job_title="Head")
    jens.outlook.edit(item, department="Sales")
    settings.SYNC_DELETE_LIMIT = settings.SYNC_OVERWRITE_PERCENT = 0
    assert jens.sync()["outcome"] == "held"
    settings.SYNC_DELETE_LIMIT = 20
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(run, None, enqueue=False)
    with pytest.raises(Death), Meanwhile(jens, "after PATCH", die).at_work():
        perform(run.pk, budget=float("inf"))
    time_passes()
    jens.outlook.edit(item, department="Purchasing")
    perform(run.pk, budget=float("inf"))
    settle(jens)
    assert Contact.objects.get().department == jens.card("Anne Dam")["department"] == "Purchasing"
    assert jens.card("Anne Dam")["jobTitle"] == "Head"


def test_what_is_cleared_after_an_unheard_pairing_with_a_new_card_stays_cleared(jens: Salesperson) -> None:
    """The card was made anew by hand: the old one is still the contact's, and gone."""
    contact = anne(jens, phone="1")
    jens.outlook.remove(jens.card("Anne Dam")["id"])
    jens.outlook.add(**outlook_person("Anne", "Dam", EMAIL))
    die_unheard(jens)
    assert jens.card("Anne Dam")["businessPhones"] == ["1"]
    edit(contact, phone="")
    settle(jens)
    assert (Contact.objects.get().phone, jens.card("Anne Dam")["businessPhones"]) == ("", [])


@pytest.mark.parametrize("word", ["always", "filter"])
def test_who_is_wanted_again_after_an_unheard_removal_comes_back(jens: Salesperson, word: str) -> None:
    """Nothing else says that there is something to do: nobody has saved the contact for years."""
    contact = anne(jens)
    Contact.objects.update(modified_at="2020-01-01T00:00Z")
    settle(jens)
    say(jens, "never", contact)
    with pytest.raises(Death), Meanwhile(jens, "after DELETE", die).at_work():
        jens.sync()
    time_passes()
    say(jens, word, contact)
    settle(jens)
    assert jens.names() == ["Anne Dam"]


# --- What was taken over from an item, though nothing could be written into it ---------------------------------------


def test_what_its_owner_edits_after_an_answer_that_cannot_be_read_comes_into_the_crm(
    jens: Salesperson, settings: Any
) -> None:
    with relay(jens.tenant.url) as graph:
        settings.M365_GRAPH_URL = f"{graph.url}/v1.0"
        contact, item = anne(jens, job_title="Buyer"), jens.card("Anne Dam")["id"]
        edit(contact, job_title="Head")
        jens.outlook.edit(item, department="Sales")
        graph.item = lambda item: {**item, "changeKey": "x" * 300} if item.get("jobTitle") == "Head" else item
        jens.sync()
        assert Contact.objects.get().department == "Sales"
        graph.item = lambda item: item
        jens.outlook.edit(item, department="Purchasing")
        settle(jens)
    assert Contact.objects.get().department == jens.card("Anne Dam")["department"] == "Purchasing"


@pytest.mark.parametrize("how", ["lost", "refused"])
def test_what_its_owner_edits_while_a_pairing_fails_comes_into_the_crm(jens: Salesperson, how: str) -> None:
    """The CRM takes nothing over from an item before it is the contact's: it would stand against the edit."""
    PersonFactory(first_name="Anne", surname="Dam", email=EMAIL, job_title="Buyer")
    item = jens.outlook.add(**outlook_person("Anne", "Dam", EMAIL, businessPhones=["1"]))["id"]
    if how == "lost":
        jens.tenant.faults.add("status", status=504, commit=True, match="PATCH ", times=1)
        jens.sync()
        jens.tenant.faults.clear()
        jens.outlook.edit(item, businessPhones=["2"])
    else:
        with Meanwhile(jens, "before PATCH", lambda: jens.outlook.edit(item, businessPhones=["2"])).at_work():
            jens.sync()
    settle(jens)
    assert (Contact.objects.get().phone, jens.card("Anne Dam")["businessPhones"]) == ("2", ["2"])
    assert not SyncChange.objects.exclude(conflicts={}).exists()
