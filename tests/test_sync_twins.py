"""Nobody is twice in an Outlook: whoever is put back, edited or approved late has perhaps a new item there already."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState, Outcome
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import approve
from exchange_setup.graph.properties import SENSITIVITY
from tests.compare import quiet, settle
from tests.factories import PersonFactory
from tests.scene import edit, outlook_person

pytestmark = pytest.mark.django_db
EMAIL = "anne@x.example"
PRIVATE = [{"id": SENSITIVITY, "value": "2"}]


@pytest.fixture
def anne(jens):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.sync()
    return anne


def remove(jens, name="Anne Holm"):
    jens.outlook.remove(jens.card(name)["id"])


def make_by_hand(jens, *, email=EMAIL, first="Anne"):
    return jens.outlook.add(**outlook_person(first, "Holm", email, mobilePhone="9"))["id"]


def cut_and_paste(jens):
    """Their owner takes the card away and makes it anew: another item, with the e-mail."""
    remove(jens)
    return make_by_hand(jens)


def approve_and_finish():
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(run, None, enqueue=False)
    perform(run.pk, budget=float("inf"))


def is_paired_with(contact, item_id):
    return ContactLink.objects.get(contact=contact, state=LinkState.LINKED).outlook_id == item_id


# --- An item of theirs is there already ------------------------------------------------------------------------------


@pytest.mark.parametrize("removed_rule", ["stay_out", "put_back", "trash"])
def test_who_is_cut_and_pasted_is_paired_with_the_new_item(jens, anne, removed_rule):
    jens.change(removed_rule=removed_rule)
    settle(jens)
    item_id = cut_and_paste(jens)
    report = jens.sync()
    assert (report["paired"], report["outlook"]["created"], report["crm"]["deleted"]) == (1, 0, 0)
    assert is_paired_with(anne, item_id) and ContactLink.objects.count() == 1
    assert quiet(jens)


def test_an_edit_in_the_crm_creates_nobody_beside_the_new_item(jens, anne):
    edit(anne, job_title="Buyer")
    item_id = cut_and_paste(jens)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and jens.card("Anne Holm")["jobTitle"] == "Buyer"
    assert is_paired_with(anne, item_id) and quiet(jens)


def test_a_full_sync_puts_nobody_back_beside_a_new_item_of_theirs(jens, anne):
    remove(jens)
    settle(jens)
    item_id = make_by_hand(jens)
    jens.sync(full=True)
    assert jens.names() == ["Anne Holm"]
    assert is_paired_with(anne, item_id) and quiet(jens)


def test_a_preview_shows_that_the_new_item_is_paired(jens, anne):
    cut_and_paste(jens)
    report = jens.sync(preview=True)
    assert (report["paired"], report["outlook"]["created"]) == (1, 0)
    assert jens.sync()["paired"] == 1 and quiet(jens)


@pytest.mark.parametrize("removed_rule", ["put_back", "trash"])
def test_where_it_is_not_sure_whose_the_new_item_is_nobody_is_created_or_trashed(jens, anne, removed_rule):
    jens.change(removed_rule=removed_rule, shared_email_rule="each")
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    settle(jens)
    remove(jens)
    make_by_hand(jens, first="Family")
    settle(jens)
    jens.sync(full=True)
    assert jens.names() == ["Bo Holm", "Family Holm"]
    assert not Contact.objects.get(pk=anne.pk).is_trashed


def test_a_held_run_creates_nobody_whom_the_owner_has_added_meanwhile(jens, anne, settings):
    bo = PersonFactory(first_name="Bo", surname="Holm", email="bo@x.example")
    Contact.objects.get(pk=anne.pk).trash(by=None)
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == Outcome.HELD
    item_id = make_by_hand(jens, email="bo@x.example", first="Bo")
    approve_and_finish()
    assert jens.names() == ["Bo Holm"]
    settings.SYNC_DELETE_LIMIT = 20
    settle(jens)
    assert jens.names() == ["Bo Holm"] and is_paired_with(bo, item_id)


def test_a_held_run_trashes_nobody_whom_the_owner_has_made_anew_meanwhile(jens, anne, settings):
    jens.change(removed_rule="trash")
    settle(jens)
    remove(jens)
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == Outcome.HELD
    item_id = make_by_hand(jens)
    approve_and_finish()
    assert not Contact.objects.get(pk=anne.pk).is_trashed
    settings.SYNC_DELETE_LIMIT = 20
    settle(jens)
    assert is_paired_with(anne, item_id) and not Contact.objects.get(pk=anne.pk).is_trashed


# --- Another contact with their e-mail is there ----------------------------------------------------------------------


def test_nobody_is_put_back_beside_another_one_for_whom_their_owner_has_made_an_item_instead(jens, anne):
    jens.change(removed_rule="put_back")
    bo = PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    settle(jens)
    remove(jens)
    item_id = make_by_hand(jens, first="Bo")
    settle(jens)
    assert jens.names() == ["Bo Holm"] and is_paired_with(bo, item_id)


def test_a_full_sync_puts_nobody_back_whose_e_mail_another_one_has_there(jens, anne):
    """The rule is "lowest, and one that is there already stays"."""
    PersonFactory(first_name="Other", surname="Holm", email=EMAIL)
    jens.sync()
    Contact.objects.filter(pk=anne.pk).update(number="CT999999")
    remove(jens)
    settle(jens)
    assert jens.names() == ["Other Holm"]
    jens.sync(full=True)
    assert jens.names() == ["Other Holm"] and quiet(jens)


def test_of_several_who_were_removed_a_full_sync_puts_back_one(jens, anne):
    jens.change(shared_email_rule="each")
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    settle(jens)
    remove(jens)
    remove(jens, "Bo Holm")
    assert jens.sync()["outcome"] == Outcome.HELD  # the folder is empty all at once
    approve_and_finish()
    jens.change(shared_email_rule="lowest")
    settle(jens)
    assert jens.names() == []
    jens.sync(full=True)
    assert jens.names() == ["Anne Holm"] and quiet(jens)


def test_who_was_removed_in_outlook_keeps_nobody_else_with_the_e_mail_out(jens, anne):
    remove(jens)
    settle(jens)
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    jens.sync()
    assert jens.names() == ["Bo Holm"]


def test_a_full_sync_says_the_same_of_who_stays_out_beside_somebody_who_was_removed(jens, anne):
    remove(jens)
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL, singleValueExtendedProperties=PRIVATE))
    settle(jens)
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    assert [change["reason"] for change in jens.sync()["changes"]] == ["private"]
    assert jens.sync(full=True)["changes"] == [] and jens.names() == ["Anne Holm"]


@pytest.mark.parametrize("twin", ["a contact that takes their e-mail", "an item that could be somebody else's"])
def test_who_was_not_put_back_beside_a_twin_is_once_that_has_gone(jens, anne, twin):
    jens.change(removed_rule="put_back")
    bo = PersonFactory(first_name="Bo", surname="Holm", email="bo@x.example")
    settle(jens)
    remove(jens)
    if twin.startswith("a contact"):
        edit(bo, email=EMAIL)
    else:
        others = [PersonFactory(first_name="Anne", surname="Holm", email=EMAIL) for _ in range(2)]
        item_id = make_by_hand(jens, first="Somebody")
    settle(jens)
    assert "Anne Holm" not in jens.names()
    if twin.startswith("a contact"):
        edit(bo, email="bo@x.example")
    else:
        jens.outlook.remove(item_id)
        for other in others:
            other.trash(by=None)
    settle(jens)
    assert jens.names() == ["Anne Holm", "Bo Holm"] and quiet(jens)
