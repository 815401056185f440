"""Merges that are undone, and merges while a run is at work: each item finds its way back to its first owner."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts import merging
from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, ContactPreference
from tests.compare import quiet
from tests.crash import Reaper
from tests.merges import fresh, is_as_its_owner_left_it, merge, person, touched_by_its_owner, undo
from tests.scene import NOTHING, edit

pytestmark = pytest.mark.usefixtures("no_brake_on_overwrites")


def test_after_an_undo_the_item_is_its_first_owner_s_again(jens):
    anne, anna = person(email="", job_title="Buyer"), person("Anna", email="anna@x.example")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anna Holm")
    jens.sync()
    merge(anne, anna, email="anna@x.example")
    jens.sync()
    undo(anne)
    report = jens.sync()
    assert report["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    (item,) = jens.outlook.contacts()
    assert item["id"] == item_id and is_as_its_owner_left_it(item)
    assert (item["displayName"], item["jobTitle"]) == ("Anna Holm", None)
    link = ContactLink.objects.get(state=LinkState.LINKED)
    assert (link.contact, link.moved_from) == (anna, None)
    assert quiet(jens)


def test_an_undo_before_any_sync_leaves_outlook_as_it_is(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    before = jens.outlook.contacts()
    merge(anne, anna, email_2="anna@x.example")
    undo(anne)
    report = jens.sync()
    assert (report["outlook"], report["requests"]) == (NOTHING, 1)
    assert jens.outlook.contacts() == before
    assert quiet(jens)


def test_after_an_undo_a_removed_item_is_made_again(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    merge(anne, anna)
    jens.sync()
    undo(anne)
    assert jens.sync()["outlook"] == {"created": 1, "updated": 0, "deleted": 0}
    assert jens.names() == ["Anna Holm", "Anne Holm"]
    assert quiet(jens)


def test_an_undo_gives_the_survivor_an_item_of_its_own_where_it_belongs_in_outlook(jens):
    anne, anna = person(email="anne@x.example", city="Aarhus"), person("Anna", email="anna@x.example", city="Odense")
    jens.change(contact_filter={"city": "Odense"})
    jens.sync()
    item_id = jens.card("Anna Holm")["id"]
    merge(anne, anna)
    jens.sync()
    jens.change(contact_filter={})
    undo(anne)
    jens.sync()
    assert jens.names() == ["Anna Holm", "Anne Holm"] and jens.card("Anna Holm")["id"] == item_id
    assert quiet(jens)


def test_what_the_user_said_goes_back_with_an_undo(jens):
    anne, anna = person(email="anne@x.example", city="Aarhus"), person("Anna", email="anna@x.example", city="Odense")
    jens.change(contact_filter={"city": "Vejle"}, left_filter_rule="remove")
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="always")
    jens.sync()
    merge(anne, anna)
    jens.sync()
    assert jens.names() == ["Anne Holm"]
    undo(anne)
    jens.sync()
    assert jens.names() == ["Anna Holm"]
    assert jens.setup.preferences.get().contact == anna and quiet(jens)


def test_who_loses_the_item_to_one_that_is_restored_gets_one_of_their_own(jens):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    merge(anne, anna, email="anne@x.example")
    jens.sync()
    Contact.objects.update(modified_at=timezone.now() - timedelta(days=2))
    jens.sync()
    fresh(anna).restore(by=None)
    jens.sync()
    assert jens.names() == ["Anna Holm", "Anne Holm"] and quiet(jens)


@pytest.mark.parametrize("number", [1, 2])
def test_a_merge_while_a_run_is_at_work_is_left_to_the_next(jens, number):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    item_id = jens.card("Anna Holm")["id"]
    edit(anna, job_title="Buyer")
    with Reaper(jens.tenant, number, meanwhile=lambda: merge(anne, anna, email="anna@x.example")).at_work():
        jens.sync()
    jens.sync()
    assert jens.card("Anne Holm")["id"] == item_id and len(jens.outlook.contacts()) == 1
    assert quiet(jens)


def test_whom_a_never_leaves_when_the_merged_one_is_restored_comes_into_outlook(jens):
    anna = person("Anna", email="anna@x.example")
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="never")
    jens.sync()
    anne = person(email="anne@x.example")
    merge(anne, anna)
    jens.sync()
    assert jens.names() == [] and jens.setup.preferences.get().contact == anne
    Contact.objects.update(modified_at=timezone.now() - timedelta(days=2))
    jens.sync()
    fresh(anna).restore(by=None)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and jens.setup.preferences.get().contact == anna
    assert quiet(jens)


@pytest.mark.parametrize("at_once", [True, False], ids=["two merges, one sync", "a sync after each"])
def test_merges_of_merges_undone_step_by_step_lead_the_item_and_the_word_back_to_each(jens, at_once):
    anna, bea, cora = person("Anna", email="anna@x.example"), person("Bea", email=""), person("Cora", email="")
    jens.change(contact_filter={"city": "Vejle"})
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="always")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anna Holm")
    jens.sync()
    merge(bea, anna, email="anna@x.example")
    if not at_once:
        jens.sync()
    merge(cora, bea, email="anna@x.example")
    jens.sync()
    for undone, owner in ((None, cora), (bea, bea), (anna, anna)):
        if undone:
            merging.unmerge(
                undone.changes.filter(fields__has_key="merged_into", source="merge").first().reference, by=None
            )
            jens.sync()
        (item,) = jens.outlook.contacts()
        assert (item["id"], item["displayName"]) == (item_id, fresh(owner).name)
        assert ContactLink.objects.get(state=LinkState.LINKED).contact == owner
        assert jens.setup.preferences.get().contact == owner
    assert is_as_its_owner_left_it(item) and quiet(jens)


def test_a_merge_that_is_undone_for_another_one_takes_the_item_along(jens):
    anna, bea, cora = person("Anna", email="anna@x.example"), person("Bea", email=""), person("Cora", email="")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anna Holm")
    jens.sync()
    merge(bea, anna, email="anna@x.example")
    jens.sync()
    undo(bea)
    merge(cora, anna, email="anna@x.example")
    jens.sync()
    (item,) = jens.outlook.contacts()
    assert (item["id"], item["displayName"]) == (item_id, "Cora Holm") and quiet(jens)
