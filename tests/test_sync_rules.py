"""Each rule of the setup page, with each of its choices, against the sandbox."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, ContactPreference
from exchange_setup.graph.properties import SENSITIVITY
from tests.compare import quiet
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, outlook_person

PRIVATE = [{"id": SENSITIVITY, "value": "2"}]
pytestmark = pytest.mark.django_db


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", city="Aarhus")


# One side deleted it ------------------------------------------------------------------------------------------------


def test_a_trashed_contact_can_keep_its_outlook_copy(jens, anne):
    jens.change(trashed_rule="keep")
    jens.sync()
    anne.trash(by=None)
    assert jens.sync()["changes"] == []
    assert jens.names() == ["Anne Holm"]
    Contact.objects.get(pk=anne.pk).restore(by=None)
    edit(anne, phone="1")
    jens.sync()
    assert jens.card("Anne Holm")["businessPhones"] == ["1"]


def test_a_removed_outlook_copy_can_be_put_back_at_the_next_sync(jens, anne):
    jens.change(removed_rule="put_back")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    assert jens.sync()["outlook"]["created"] == 1
    assert jens.names() == ["Anne Holm"]
    assert quiet(jens)


def test_a_removed_outlook_copy_can_take_the_contact_to_the_trash(jens, anne):
    jens.change(removed_rule="trash")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    assert jens.sync()["crm"]["deleted"] == 1
    anne.refresh_from_db()
    assert anne.is_trashed
    assert quiet(jens)


def test_an_edit_in_outlook_beats_the_trash(jens, anne):
    jens.sync()
    anne.trash(by=None)
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    (change,) = jens.sync()["changes"]
    assert (change["side"], change["cause"]) == ("crm", "restored")
    anne.refresh_from_db()
    assert (anne.is_trashed, anne.job_title) == (False, "Boss")
    assert quiet(jens)


def test_a_privacy_blocked_contact_that_comes_back_from_the_trash_is_left_alone_with_its_reason(jens, anne):
    jens.sync()
    edit(anne, privacy_blocked=True).trash(by=None)
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    jens.sync()
    jens.sync()
    assert ContactLink.objects.get().problem == "privacy_blocked"
    assert jens.sync(full=True)["changes"] == [] and quiet(jens)


def test_what_the_trash_held_of_an_edited_field_is_in_the_journal(jens, anne):
    jens.sync()
    edit(anne, job_title="Buyer", city="Ribe").trash(by=None)
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    (change,) = jens.sync()["changes"]
    assert (change["fields"], change["conflicts"]["job_title"]["crm"]) == ({"job_title": ["Buyer", "Boss"]}, "Buyer")
    jens.sync()
    assert jens.card("Anne Holm")["businessAddress"]["city"] == "Ribe"
    assert quiet(jens)


@pytest.mark.parametrize("removed_rule", ["stay_out", "put_back"])
@pytest.mark.parametrize(
    "values", [{"privacy_blocked": True}, {"email": ""}, {"type": "company", "company": None}], ids=lambda it: [*it][0]
)
def test_who_may_no_longer_leave_the_crm_is_not_put_back(jens, anne, values, removed_rule):
    jens.change(removed_rule=removed_rule)
    jens.sync()
    edit(anne, city="Ribe", **values)
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    for _ in range(2):
        jens.sync()
        assert jens.names() == []
    jens.sync(full=True)
    assert jens.names() == [] and quiet(jens)


def test_an_edit_in_the_crm_beats_the_removal_in_outlook(jens, anne):
    jens.sync()
    edit(anne, job_title="Boss")
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    assert jens.sync()["outlook"]["created"] == 1
    assert jens.card("Anne Holm")["jobTitle"] == "Boss"
    assert quiet(jens)


def test_what_is_gone_on_both_sides_is_forgotten(jens, anne):
    jens.sync()
    anne.trash(by=None)
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.sync()
    assert not ContactLink.objects.exists()
    assert quiet(jens)


def test_what_the_user_restores_in_outlook_is_synced_again(jens, anne):
    jens.sync()
    item = jens.card("Anne Holm")["id"]
    jens.outlook.remove(item)
    jens.sync()
    jens.outlook.restore(item)
    edit(anne, phone="1")
    jens.sync()
    assert jens.card("Anne Holm")["businessPhones"] == ["1"]
    assert quiet(jens)


def test_moved_out_and_back_is_no_removal(jens, anne):
    jens.sync()
    item = jens.card("Anne Holm")["id"]
    jens.outlook.move(item, "Contacts")
    jens.outlook.move(item, FOLDER)
    jens.outlook.edit(item, jobTitle="Boss")
    jens.sync()
    anne.refresh_from_db()
    assert anne.job_title == "Boss"
    assert quiet(jens)


# Conflicts ----------------------------------------------------------------------------------------------------------


def conflict(jens, anne):
    jens.sync()
    edit(anne, job_title="CRM's", phone="1")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Outlook's", department="Sales")


def test_in_a_conflict_outlook_can_win(jens, anne):
    jens.change(conflict_rule="outlook")
    conflict(jens, anne)
    report = jens.sync()
    anne.refresh_from_db()
    assert (anne.job_title, anne.department, report["conflicts"]) == ("Outlook's", "Sales", 1)
    assert quiet(jens)


def test_in_a_conflict_a_person_can_be_asked_and_all_else_goes_on(jens, anne):
    jens.change(conflict_rule="ask")
    conflict(jens, anne)
    report = jens.sync()
    anne.refresh_from_db()
    card = jens.card("Anne Holm")
    assert (anne.job_title, card["jobTitle"]) == ("CRM's", "Outlook's")
    assert (anne.department, card["businessPhones"]) == ("Sales", ["1"])
    assert [row["reason"] for row in report["changes"] if row["action"] == "skip"] == ["conflict"]
    assert jens.sync()["changes"] == []
    assert ContactLink.objects.get().problem == "conflict"
    edit(anne, job_title="Outlook's")
    jens.sync()
    assert ContactLink.objects.get().problem == ""
    assert quiet(jens)


# The filter ---------------------------------------------------------------------------------------------------------


def test_only_what_passes_the_filter_goes_to_outlook(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", city="Odense")
    jens.change(contact_filter={"city": "Aarhus"})
    jens.sync()
    assert jens.names() == ["Anne Holm"]


def test_what_leaves_the_filter_is_kept_and_goes_on_being_synced(jens, anne):
    jens.change(contact_filter={"city": "Aarhus"})
    jens.sync()
    edit(anne, city="Odense")
    jens.sync()
    assert jens.card("Anne Holm")["businessAddress"]["city"] == "Odense"
    assert quiet(jens)


def test_what_leaves_the_filter_can_be_removed_and_comes_back_with_it(jens, anne):
    jens.change(contact_filter={"city": "Aarhus"}, left_filter_rule="remove")
    jens.sync()
    edit(anne, city="Odense")
    (change,) = jens.sync()["changes"]
    assert (change["action"], change["cause"], jens.names()) == ("delete", "left_filter", [])
    assert quiet(jens)
    edit(anne, city="Aarhus")
    jens.sync()
    assert jens.names() == ["Anne Holm"]


def test_an_outlook_contact_that_never_was_in_the_filter_is_never_removed_by_it(jens):
    jens.change(contact_filter={"city": "Aarhus"}, left_filter_rule="remove")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Carla", "Díaz", "carla@diaz.example"))
    jens.sync()
    jens.change(contact_filter={"city": "Odense"})
    report = jens.sync()
    assert "settings_changed" in report["notes"]
    assert jens.names() == ["Carla Díaz"]


def test_a_changed_filter_is_planned_anew_whatever_the_dates_say(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", city="Odense")
    jens.change(contact_filter={"city": "Aarhus"})
    jens.sync()
    Contact.objects.update(modified_at="2020-01-01T00:00Z")
    jens.change(contact_filter={})
    jens.sync()
    assert jens.names() == ["Anne Holm", "Bo Chen"]


def test_a_contact_can_be_set_to_always_and_to_never(jens, anne):
    bo = PersonFactory(first_name="Bo", surname="Chen", city="Odense")
    jens.change(contact_filter={"city": "Aarhus"})
    ContactPreference.objects.create(setup=jens.setup, contact=bo, choice="always")
    ContactPreference.objects.create(setup=jens.setup, contact=anne, choice="never")
    jens.sync(full=True)
    assert jens.names() == ["Bo Chen"]


def test_a_wrong_filter_stops_the_run_and_changes_nothing(jens, anne):
    jens.change(contact_filter={"city": "A..B..C("})
    report = jens.sync()
    assert (report["outcome"], report["error"]) == ("failed", "wrong_filter")
    assert jens.names() == []


# New contacts in Outlook --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "reason"), [("hold", "held_for_review"), ("never", "not_imported")])
def test_new_outlook_contacts_can_wait_or_stay_out_until_the_rule_changes(jens, rule, reason):
    jens.change(new_contact_rule=rule)
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Carla", "Díaz", "carla@diaz.example"))
    (change,) = jens.sync()["changes"]
    assert change["reason"] == reason
    assert not Contact.objects.exists()
    assert quiet(jens)
    jens.change(new_contact_rule="add")
    jens.sync()
    assert Contact.objects.get().name == "Carla Díaz"


def test_one_that_waits_is_paired_when_the_crm_gets_the_same_person(jens):
    jens.change(new_contact_rule="never")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Carla", "Díaz", "carla@diaz.example"))
    jens.sync()
    PersonFactory(first_name="Carla", surname="Díaz", email="CARLA@diaz.example")
    jens.sync()
    assert jens.names() == ["Carla Díaz"]
    assert ContactLink.objects.get().state == LinkState.LINKED
    assert quiet(jens)


@pytest.mark.parametrize(
    ("of_item", "of_contact"),
    [
        (["anne@home.example"], {"email": "anne@work.example", "email_2": "Anne@home.example"}),
        (["anne@home.example", "Anne@work.example"], {"email": "anne@work.example"}),
    ],
    ids=["the contact's second", "the item's second"],
)
def test_one_that_waits_is_paired_by_a_second_email_too(jens, of_item, of_contact):
    jens.change(new_contact_rule="hold")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(givenName="Anne", surname="Holm", emailAddresses=[{"address": email} for email in of_item])
    jens.sync()
    PersonFactory(first_name="Anne", surname="Holm", **of_contact)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and ContactLink.objects.get().state == LinkState.LINKED
    assert quiet(jens)


def test_what_is_marked_private_never_enters_the_crm(jens):
    jens.outlook.create_folder(FOLDER)
    item = jens.outlook.add(
        **outlook_person("My", "Doctor", "doctor@clinic.example"), singleValueExtendedProperties=PRIVATE
    )
    (change,) = jens.sync()["changes"]
    assert change["reason"] == "private"
    assert not Contact.objects.exists()
    assert jens.outlook.contact(item["id"])["categories"] == []
    assert quiet(jens)


@pytest.mark.parametrize(("emails", "reason"), [([{"address": "doctor@clinic.example"}], None), ([], "no_email")])
def test_what_is_private_is_so_since_it_was_marked_and_is_looked_at_again_once_it_no_longer_is(jens, emails, reason):
    jens.outlook.create_folder(FOLDER)
    item = jens.outlook.add(givenName="My", emailAddresses=emails, singleValueExtendedProperties=PRIVATE)
    jens.sync()
    since = ContactLink.objects.get().problem_since
    jens.outlook.edit(item["id"], jobTitle="Doctor")
    assert jens.sync()["changes"] == []
    link = ContactLink.objects.get()
    assert (link.problem, link.problem_since) == ("private", since)
    jens.outlook.edit(item["id"], singleValueExtendedProperties=[{**PRIVATE[0], "value": "0"}])
    assert [change["reason"] for change in jens.sync()["changes"]] == [reason or ""]
    assert Contact.objects.exists() == (reason is None) and quiet(jens)


# Left out -----------------------------------------------------------------------------------------------------------


def test_a_privacy_blocked_contact_is_left_as_it_is_on_both_sides(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", privacy_blocked=True)
    jens.sync()
    assert jens.names() == ["Anne Holm"]
    edit(anne, privacy_blocked=True, phone="1")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    (change,) = jens.sync()["changes"]
    assert change["reason"] == "privacy_blocked"
    anne.refresh_from_db()
    assert (anne.job_title, jens.card("Anne Holm")["businessPhones"]) == ("", [])
    edit(anne, privacy_blocked=False)
    jens.sync()
    anne.refresh_from_db()
    assert (anne.job_title, jens.card("Anne Holm")["businessPhones"]) == ("Boss", ["1"])


def test_of_contacts_that_share_an_email_the_lowest_number_goes(jens, anne):
    twin = PersonFactory(first_name="Twin", surname="Holm", email="Anne@fabrikam.example")
    (_, change) = jens.sync()["changes"]
    assert (change["reason"], change["detail"], jens.names()) == ("shared_email", anne.number, ["Anne Holm"])
    assert jens.sync()["changes"] == []
    anne.trash(by=None)
    jens.sync()
    jens.sync()
    assert jens.names() == ["Twin Holm"]
    assert ContactLink.objects.get().contact == twin


def test_contacts_that_share_an_email_can_all_go(jens, anne):
    jens.change(shared_email_rule="each")
    PersonFactory(first_name="Twin", surname="Holm", email="anne@fabrikam.example")
    jens.sync()
    assert jens.names() == ["Anne Holm", "Twin Holm"]
    assert quiet(jens)


def test_notes_go_to_outlook_only_when_asked_and_never_over_the_users_own(jens, anne):
    edit(anne, notes="From the CRM")
    jens.sync()
    assert jens.card("Anne Holm")["personalNotes"] == ""
    jens.change(sync_notes=True)
    jens.sync()
    assert jens.card("Anne Holm")["personalNotes"] == "From the CRM"
    jens.outlook.edit(jens.card("Anne Holm")["id"], personalNotes="My own")
    edit(anne, notes="From the CRM again")
    jens.sync()
    anne.refresh_from_db()
    assert (jens.card("Anne Holm")["personalNotes"], anne.notes) == ("My own", "From the CRM again")
    assert quiet(jens)
