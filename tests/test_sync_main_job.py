"""The main job end to end: the real engine and client, the sandbox over HTTP."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink
from tests.factories import CompanyFactory, PersonFactory
from tests.scene import FOLDER, NOTHING, edit, outlook_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", city="Aarhus")


def nothing(report):
    written = report["crm"] == report["outlook"] == NOTHING
    return written and not report["paired"] and not report["failed"]


def test_a_first_sync_makes_the_folder_and_fills_it(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", email="bo@contoso.example")
    report = jens.sync()
    assert report["outcome"] == "done", report
    assert report["outlook"] == {"created": 2, "updated": 0, "deleted": 0}
    assert jens.names() == ["Anne Holm", "Bo Chen"]
    card = jens.card("Anne Holm")
    assert card["categories"] == ["CRM"]
    assert card["businessAddress"]["city"] == "Aarhus"


def test_with_nothing_changed_a_sync_is_one_request_and_no_write(jens, anne):
    jens.sync()
    report = jens.sync()
    assert report["requests"] == 1
    assert [entry["method"] for entry in jens.tenant.requests()] == ["GET"]
    assert nothing(report)
    assert report["changes"] == []


def test_an_edit_in_the_crm_reaches_outlook(jens, anne):
    jens.sync()
    edit(anne, phone="+45 33 11 22 33", fax="+45 33 11 22 34")
    report = jens.sync()
    assert report["outlook"]["updated"] == 1
    assert report["requests"] == 2
    card = jens.card("Anne Holm")
    assert card["businessPhones"] == ["+45 33 11 22 33"]
    assert nothing(jens.sync())


def test_an_edit_in_outlook_reaches_the_crm(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss", mobilePhone="20 20 20 20")
    report = jens.sync()
    assert report["crm"]["updated"] == 1
    assert report["requests"] == 2
    anne.refresh_from_db()
    assert (anne.job_title, anne.mobile_phone) == ("Boss", "20 20 20 20")
    assert nothing(jens.sync())


def test_edits_of_different_fields_on_both_sides_are_both_kept(jens, anne):
    jens.sync()
    edit(anne, phone="1")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    report = jens.sync()
    assert report["conflicts"] == 0
    anne.refresh_from_db()
    card = jens.card("Anne Holm")
    assert (anne.phone, anne.job_title, card["businessPhones"], card["jobTitle"]) == ("1", "Boss", ["1"], "Boss")
    assert nothing(jens.sync())


def test_of_edits_of_the_same_field_the_crms_stays_and_the_other_is_in_the_journal(jens, anne):
    jens.sync()
    edit(anne, job_title="Head of buying")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    report = jens.sync()
    assert report["conflicts"] == 1
    (change,) = report["changes"]
    assert change["conflicts"] == {"job_title": {"base": "", "crm": "Head of buying", "outlook": "Boss", "kept": "crm"}}
    assert jens.card("Anne Holm")["jobTitle"] == "Head of buying"
    assert nothing(jens.sync())


def test_a_new_outlook_contact_comes_in_as_a_person_of_this_salesperson(jens, anne):
    company = CompanyFactory(name="Fabrikam A/S")
    jens.sync()
    jens.outlook.add(**outlook_person("Carla", "Díaz", "carla@diaz.example", companyName="Fabrikam A/S"))
    report = jens.sync()
    assert report["crm"]["created"] == 1
    carla = Contact.objects.get(email="carla@diaz.example")
    assert (carla.type, carla.name, carla.salesperson, carla.company) == (
        "person",
        "Carla Díaz",
        jens.setup.user,
        company,
    )
    assert nothing(jens.sync())
    assert jens.names() == ["Anne Holm", "Carla Díaz"]


def test_one_without_an_email_is_left_out_with_its_reason_and_said_once(jens, anne):
    jens.sync()
    jens.outlook.add(givenName="Nobody", surname="Nowhere")
    report = jens.sync()
    assert report["skipped"] == 1
    (change,) = report["changes"]
    assert (change["action"], change["reason"], change["name"]) == ("skip", "no_email", "Nobody Nowhere")
    assert jens.sync()["changes"] == []
    assert ContactLink.objects.left_out().count() == 1


def test_what_was_removed_in_outlook_stays_out_until_a_full_sync(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    report = jens.sync()
    assert report["changes"][0]["action"] == "unlink"
    assert ContactLink.objects.get(contact=anne).state == LinkState.REMOVED
    edit(anne, phone="1")
    assert nothing(jens.sync())
    assert jens.names() == ["Bo Chen"]
    report = jens.sync(full=True)
    assert report["outlook"]["created"] == 1
    assert jens.names() == ["Anne Holm", "Bo Chen"]
    assert nothing(jens.sync())
    assert nothing(jens.sync(full=True))


def test_a_trashed_contact_leaves_outlook_softly(jens, anne):
    jens.sync()
    anne.trash(by=None)
    report = jens.sync()
    assert report["outlook"]["deleted"] == 1
    assert jens.names() == []
    assert [item["displayName"] for item in jens.outlook.contacts("Deleted Items")] == ["Anne Holm"]
    assert nothing(jens.sync())


def test_a_preview_changes_nothing_and_tells_the_same_as_the_sync_after_it(jens, anne):
    PersonFactory(first_name="No", surname="Mail", email="")
    preview = jens.sync(preview=True)
    assert preview["outlook"]["created"] == 1
    assert all(folder["name"] != FOLDER for folder in jens.outlook.folders())
    report = jens.sync()
    told = [(row["action"], row["name"], row["fields"], row["reason"]) for row in preview["changes"]]
    assert told == [(row["action"], row["name"], row["fields"], row["reason"]) for row in report["changes"]]


def test_the_same_person_on_both_sides_is_paired_and_blanks_are_filled(jens, anne):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(
        **outlook_person("Annie", "Holm", "ANNE@fabrikam.example", mobilePhone="20", categories=["Golf"], nickName="An")
    )
    report = jens.sync()
    assert report["crm"] == {"created": 0, "updated": 1, "deleted": 0}
    assert report["outlook"] == NOTHING
    assert report["paired"] == 1
    card = jens.card("Anne Holm")
    assert (card["mobilePhone"], sorted(card["categories"]), card["nickName"]) == ("20", ["CRM", "Golf"], "An")
    anne.refresh_from_db()
    assert anne.mobile_phone == "20"
    assert Contact.objects.count() == 1
    assert nothing(jens.sync())


def test_the_users_other_contacts_are_neither_read_nor_touched(jens, anne):
    before = jens.outlook.add("Contacts", **outlook_person("Private", "Friend", "friend@home.example"))
    for full in (False, True, False):
        jens.sync(full=full)
    assert Contact.objects.count() == 1
    assert jens.outlook.contact(before["id"]) == before
