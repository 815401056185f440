"""Merged contacts in Outlook: every link is kept in sense, no item is made twice, and an undo finds its way back."""

import pytest

from crmsync.sync.choices import LinkState
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.models import ContactLink, ContactPreference
from tests.compare import quiet
from tests.merges import fresh, is_as_its_owner_left_it, merge, person, touched_by_its_owner, undo
from tests.scene import NOTHING, edit, outlook_person

pytestmark = pytest.mark.usefixtures("no_brake_on_overwrites")


def test_the_only_item_stays_and_becomes_the_survivor_s(jens):
    anne, anna = person(email="", job_title="Buyer"), person("Anna", email="anna@x.example")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anna Holm")
    jens.sync()
    merge(anne, anna, email="anna@x.example", first_name="Anne")
    report = jens.sync()
    assert (report["outlook"], report["crm"]) == ({"created": 0, "updated": 1, "deleted": 0}, NOTHING)
    (item,) = jens.outlook.contacts()
    assert item["id"] == item_id and is_as_its_owner_left_it(item)
    assert (item["displayName"], item["jobTitle"]) == ("Anne Holm", "Buyer")
    assert ContactLink.objects.get().contact == anne
    assert quiet(jens)


def test_where_both_are_in_outlook_the_survivor_s_item_stays(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anne Holm")
    jens.sync()
    merge(anne, anna, email_2="anna@x.example")
    report = jens.sync()
    assert report["outlook"] == {"created": 0, "updated": 1, "deleted": 1}
    (item,) = jens.outlook.contacts()
    assert item["id"] == item_id and is_as_its_owner_left_it(item)
    assert [entry["address"] for entry in item["emailAddresses"]] == ["anne@x.example", "anna@x.example"]
    assert quiet(jens)


def test_where_the_survivor_is_in_outlook_alone_nothing_is_removed(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anne@x.example")
    jens.sync()
    assert ContactLink.objects.get(contact=anna).state == LinkState.LEFT_OUT
    merge(anne, anna, job_title="Buyer")
    assert jens.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    assert ContactLink.objects.count() == 1
    assert quiet(jens)


def test_a_survivor_that_was_left_out_for_sharing_an_e_mail_takes_the_place(jens):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    edit(anne, email="anna@x.example")
    jens.sync()
    assert ContactLink.objects.get(contact=anne).problem == "shared_email"
    item_id = touched_by_its_owner(jens, "Anna Holm")
    merge(anne, anna)
    report = jens.sync()
    assert report["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    assert jens.card("Anne Holm")["id"] == item_id
    link = ContactLink.objects.get()
    assert (link.contact, link.problem) == (anne, "")
    assert quiet(jens)


def test_each_mailbox_keeps_what_it_has(stage):
    jens, xenia = stage.salesperson("jens@contoso.example"), stage.salesperson("xenia@contoso.example")
    anne = person(email="anne@x.example", city="Aarhus")
    anna = person("Anna", email="anna@x.example", city="Odense")
    jens.change(contact_filter={"city": "Odense"})
    for salesperson in (jens, xenia):
        salesperson.sync()
    assert (jens.names(), xenia.names()) == (["Anna Holm"], ["Anna Holm", "Anne Holm"])
    hers, his = xenia.card("Anne Holm")["id"], jens.card("Anna Holm")["id"]
    merge(anne, anna, email_2="anna@x.example")
    assert jens.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    assert xenia.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 1}
    assert (jens.card("Anne Holm")["id"], xenia.card("Anne Holm")["id"]) == (his, hers)
    assert quiet(jens) and quiet(xenia)


def test_what_its_owner_wrote_on_the_item_meanwhile_comes_into_the_survivor(jens):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    jens.outlook.edit(jens.card("Anna Holm")["id"], jobTitle="Head buyer")
    merge(anne, anna, email="anna@x.example")
    jens.sync()
    assert fresh(anne).job_title == "Head buyer" and fresh(anna).is_trashed
    assert quiet(jens)


def test_an_edit_of_the_merged_one_s_own_item_beats_its_removal(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    jens.outlook.edit(jens.card("Anna Holm")["id"], jobTitle="Head buyer")
    merge(anne, anna)
    jens.sync()
    anna = fresh(anna)
    assert (anna.is_trashed, anna.merged_into, anna.job_title) == (False, None, "Head buyer")
    assert jens.names() == ["Anna Holm", "Anne Holm"]
    assert quiet(jens)


def test_who_was_removed_in_outlook_stays_out_after_a_merge(jens):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    jens.outlook.remove(jens.card("Anna Holm")["id"])
    jens.sync()
    merge(anne, anna, email="anna@x.example")
    jens.sync()
    assert jens.names() == [] and ContactLink.objects.get().contact == anne
    jens.sync(full=True)
    assert jens.names() == ["Anne Holm"]


@pytest.mark.parametrize("at_once", [False, True], ids=["seen before the merge", "at the same time"])
def test_a_removed_copy_of_the_survivor_gives_way_to_the_item_that_is_there(jens, at_once):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    if not at_once:
        jens.sync()
    item_id = jens.card("Anna Holm")["id"]
    merge(anne, anna)
    jens.sync()
    assert jens.card("Anne Holm")["id"] == item_id and ContactLink.objects.count() == 1
    assert quiet(jens)


def test_of_two_merged_ones_the_item_that_is_there_stays(jens):
    anne, anna, ane = person(email=""), person("Anna", email="a@x.example"), person("Ane", email="b@x.example")
    jens.sync()
    jens.outlook.remove(jens.card("Anna Holm")["id"])
    item_id = jens.card("Ane Holm")["id"]
    merge(anne, anna, ane, email="a@x.example", email_2="b@x.example")
    jens.sync()
    assert jens.card("Anne Holm")["id"] == item_id and ContactLink.objects.count() == 1
    assert quiet(jens)


def test_where_all_copies_were_removed_nothing_is_remembered_of_the_merged_one(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.sync()
    jens.outlook.remove(jens.card("Anna Holm")["id"])
    merge(anne, anna)
    jens.sync()
    assert jens.names() == [] and ContactLink.objects.get().contact == anne
    assert quiet(jens)


def test_of_three_the_first_item_that_is_there_stays(jens):
    anne, anna, ane = person(email=""), person("Anna", email="a@x.example"), person("Ane", email="b@x.example")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Anna Holm")
    jens.sync()
    merge(anne, anna, ane, email="a@x.example", email_2="b@x.example")
    assert jens.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 1}
    (item,) = jens.outlook.contacts()
    assert item["id"] == item_id and is_as_its_owner_left_it(item)
    assert quiet(jens)


def test_a_merge_of_a_merge_leads_to_whoever_is_left(jens):
    anne, anna, ane = person(email=""), person("Anna", email=""), person("Ane", email="b@x.example")
    jens.sync()
    item_id = touched_by_its_owner(jens, "Ane Holm")
    merge(anna, ane, email="b@x.example")
    merge(anne, anna, email="b@x.example")
    jens.sync()
    assert jens.card("Anne Holm")["id"] == item_id
    assert quiet(jens)


def test_a_preview_shows_the_merge_and_leaves_it_to_the_sync(jens):
    anne, anna = person(email=""), person("Anna", email="anna@x.example")
    jens.sync()
    item_id = jens.card("Anna Holm")["id"]
    merge(anne, anna, email="anna@x.example")
    assert jens.sync(preview=True)["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    assert jens.names() == ["Anna Holm"]
    assert jens.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 0}
    assert jens.card("Anne Holm")["id"] == item_id


def test_what_the_user_said_about_the_merged_one_holds_for_the_survivor(jens):
    anne, anna = person(email="", city="Aarhus"), person("Anna", email="anna@x.example", city="Odense")
    jens.change(contact_filter={"city": "Vejle"}, left_filter_rule="remove")
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="always")
    jens.sync()
    merge(anne, anna, email="anna@x.example")
    jens.sync()
    assert jens.names() == ["Anne Holm"]
    assert quiet(jens)


def test_an_item_with_a_merged_one_s_e_mail_is_the_survivor_s(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    merge(anne, anna)
    jens.outlook.create_folder("Business Central")
    jens.outlook.add("Business Central", **outlook_person("Anna", "Holm", "anna@x.example"))
    report = jens.sync()
    assert (report["crm"]["created"], report["outlook"]["created"]) == (0, 0)
    assert ContactLink.objects.get().contact == anne and len(jens.outlook.contacts()) == 1
    assert quiet(jens)


def test_an_item_with_the_e_mail_of_one_merged_twice_is_the_last_survivor_s(jens):
    anne, anna, ane = person(), person("Anna"), person("Ane", email="ane@x.example")
    merge(anna, ane)
    merge(anne, anna)
    jens.outlook.create_folder("Business Central")
    jens.outlook.add("Business Central", **outlook_person("Ane", "Holm", "ane@x.example"))
    jens.sync()
    assert ContactLink.objects.get().contact == anne and len(jens.outlook.contacts()) == 1
    assert quiet(jens)


def test_an_item_with_a_merged_one_s_name_and_e_mail_in_the_second_place_is_the_survivor_s(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    merge(anne, anna)
    jens.outlook.create_folder("Business Central")
    emails = [{"address": "new@x.example"}, {"address": "anna@x.example"}]
    jens.outlook.add("Business Central", givenName="Anna", surname="Holm", emailAddresses=emails)
    jens.sync()
    assert ContactLink.objects.get().contact == anne and len(jens.outlook.contacts()) == 1
    assert quiet(jens)


def test_never_holds_for_the_survivor_though_the_merged_one_was_not_in_outlook(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    jens.change(contact_filter={"first_name": "Anna"})
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="never")
    jens.sync()
    jens.change(contact_filter={})
    merge(anne, anna)
    jens.sync()
    assert jens.names() == []
    jens.setup.preferences.all().delete()  # "by filter" again, and so it stays
    jens.sync(full=True)
    assert jens.names() == ["Anne Holm"] and quiet(jens)


def test_never_said_of_the_one_too_many_removes_nobody_who_is_in_outlook(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    ContactPreference.objects.create(setup=jens.setup, contact=anna, choice="never")
    jens.sync()
    merge(anne, anna)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and quiet(jens)


def test_by_filter_said_about_the_last_survivor_of_two_merges_stands(jens):
    anne, anna, ane = (person(name, email=f"{name.lower()}@x.example") for name in ("Anne", "Anna", "Ane"))
    ContactPreference.objects.create(setup=jens.setup, contact=ane, choice="never")
    jens.sync()
    merge(anna, ane)
    merge(anne, anna)
    form = PreferenceForm({"choice": "filter"})
    assert form.is_valid()
    form.save(jens.setup, fresh(anne))
    jens.sync()
    assert jens.names() == ["Anne Holm"]


def test_what_the_user_said_about_the_survivor_stands(jens):
    anne, anna = person(email="anne@x.example"), person("Anna", email="anna@x.example")
    for contact, choice in ((anne, "always"), (anna, "never")):
        ContactPreference.objects.create(setup=jens.setup, contact=contact, choice=choice)
    jens.sync()
    merge(anne, anna)
    jens.sync()
    assert jens.names() == ["Anne Holm"]
    undo(anne)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and quiet(jens)
