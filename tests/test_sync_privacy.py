"""What must not cross: the CRM's notes where they are not to be copied, and what somebody marked Private in Outlook."""

from contextlib import suppress

import pytest

from contacts.models import Contact
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from exchange_setup.graph.properties import SENSITIVITY
from tests.compare import quiet, settle
from tests.crash import Death, Reaper, time_passes
from tests.factories import PersonFactory
from tests.scene import edit

pytestmark = pytest.mark.django_db
NOTES = "Owes us money"
PRIVATE, NORMAL = ([{"id": SENSITIVITY, "value": value}] for value in "20")


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", notes=NOTES)


# Notes --------------------------------------------------------------------------------------------------------------


def put_back_by_a_full_sync(jens, anne):
    jens.sync()
    jens.sync(full=True)


def put_back_by_the_rule(jens, anne):
    jens.change(removed_rule="put_back")
    jens.sync()


def removed_first_and_put_back_by_the_rule_later(jens, anne):
    jens.sync()
    jens.change(removed_rule="put_back")
    jens.sync()


def put_back_by_an_edit(jens, anne):
    edit(anne, city="Ribe")
    jens.sync()


WAYS_BACK = [
    put_back_by_a_full_sync,
    put_back_by_the_rule,
    removed_first_and_put_back_by_the_rule_later,
    put_back_by_an_edit,
]


@pytest.mark.parametrize("way_back", WAYS_BACK, ids=lambda way: way.__name__)
@pytest.mark.parametrize("copied_once", [False, True], ids=["never copied", "copied before"])
def test_notes_that_are_not_to_be_copied_stay_in_the_crm_when_somebody_comes_back(jens, anne, way_back, copied_once):
    jens.change(sync_notes=copied_once)
    jens.sync()
    jens.change(sync_notes=False)
    edit(anne, notes=f"{NOTES} still")
    jens.sync()
    assert bool(jens.card("Anne Holm")["personalNotes"]) == copied_once
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    way_back(jens, anne)
    assert not jens.card("Anne Holm")["personalNotes"]
    assert quiet(jens)


@pytest.mark.parametrize("way_back", WAYS_BACK, ids=lambda way: way.__name__)
def test_notes_that_are_to_be_copied_come_back_too(jens, anne, way_back):
    jens.change(sync_notes=True)
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    way_back(jens, anne)
    assert jens.card("Anne Holm")["personalNotes"] == NOTES
    assert quiet(jens)


def test_notes_of_whom_an_edit_in_outlook_brings_back_from_the_trash_go_there_with_the_next_sync(jens, anne):
    jens.change(sync_notes=True)
    jens.sync()
    jens.change(sync_notes=False)
    edit(anne, notes=f"{NOTES} still")
    Contact.objects.get(pk=anne.pk).trash(by=None)
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Back again")
    jens.change(sync_notes=True)
    settle(jens)
    assert not Contact.objects.get(pk=anne.pk).is_trashed
    assert jens.card("Anne Holm")["personalNotes"] == f"{NOTES} still"
    assert quiet(jens)


# Private ------------------------------------------------------------------------------------------------------------


def test_what_is_written_into_a_private_item_brings_nobody_back_from_the_trash(jens, anne):
    jens.sync()
    item = jens.card("Anne Holm")["id"]
    jens.outlook.edit(item, jobTitle="My secret", singleValueExtendedProperties=PRIVATE)
    anne.trash(by=None)
    for full in (False, True):
        jens.sync(full=full)
        anne.refresh_from_db()
        assert (anne.is_trashed, anne.job_title) == (True, "")
    assert (jens.card("Anne Holm")["jobTitle"], ContactLink.objects.get().problem) == ("My secret", "private")
    assert not SyncChange.objects.filter(fields__has_key="job_title").exists()
    assert [row["reason"] for row in jens.verify()["differences"]] == ["private"]
    assert quiet(jens)
    jens.outlook.edit(item, singleValueExtendedProperties=NORMAL)
    jens.sync()
    anne.refresh_from_db()
    assert (anne.is_trashed, anne.job_title) == (False, "My secret")
    assert quiet(jens)


def test_a_private_item_in_which_nothing_was_written_goes_with_its_contact(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], singleValueExtendedProperties=PRIVATE)
    anne.trash(by=None)
    jens.sync()
    assert jens.names() == []
    assert quiet(jens)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("full", [False, True])
def test_an_item_that_is_marked_private_before_we_heard_that_it_is_there_stays_with_its_owner(jens, full):
    """Its worker dies at any step, and whoever takes over finds an item that Outlook did make."""
    at = 0
    while True:
        at += 1
        person = PersonFactory(first_name="Anne", surname=f"Holm {at}", email=f"anne{at}@fabrikam.example")
        reaper = Reaper(jens.tenant, at)
        with suppress(Death), reaper.at_work():
            jens.sync(full=full)
        if len(reaper.steps) < at:
            break
        if person.name in jens.names():
            item = jens.card(person.name)
            jens.outlook.edit(item["id"], jobTitle="Headhunted", singleValueExtendedProperties=PRIVATE)
        time_passes()
        for run in SyncRun.objects.open():
            perform(run.pk, budget=float("inf"))
        jens.sync()
        assert not Contact.objects.filter(job_title="Headhunted"), reaper.steps[-1]
    assert at > 10


def test_an_item_in_the_place_of_a_private_one_is_not_private(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], singleValueExtendedProperties=PRIVATE)
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    edit(anne, city="Ribe")
    settle(jens)
    assert jens.card("Anne Holm")["businessAddress"]["city"] == "Ribe" and not ContactLink.objects.get().problem
    edit(anne, city="Odense")
    jens.sync()
    assert jens.card("Anne Holm")["businessAddress"]["city"] == "Odense"
    assert quiet(jens)
