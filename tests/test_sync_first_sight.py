"""First sight: the same people on both sides already, in every muddle that address books get into."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.sweep import prune
from tests.compare import quiet
from tests.factories import CompanyFactory, PersonFactory
from tests.scene import FOLDER, edit, fax_of, outlook_person

pytestmark = pytest.mark.django_db
EMAIL = "anne@fabrikam.example"


@pytest.fixture
def folder(jens):
    return jens.outlook.create_folder(FOLDER)


def reasons(report):
    return sorted(row["reason"] for row in report["changes"] if row["action"] == "skip")


def test_the_crms_values_win_and_the_lost_ones_are_in_the_journal(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, city="Aarhus", job_title="")
    jens.outlook.add(
        **outlook_person(
            "Annie", "Holm", EMAIL, jobTitle="Boss", businessAddress={"city": "Odense", "street": "Gade 1"}
        )
    )
    report = jens.sync()
    assert (report["paired"], report["outlook"]["updated"], report["crm"]["updated"]) == (1, 0, 1)
    contact, card = Contact.objects.get(), jens.card("Anne Holm")
    assert (contact.city, contact.job_title, contact.address) == ("Aarhus", "Boss", "Gade 1")
    assert card["businessAddress"]["city"] == "Aarhus"
    (link,) = (row for row in report["changes"] if row["action"] == "link")
    assert {name: row["outlook"] for name, row in link["conflicts"].items()} == {
        "first_name": "Annie",
        "city": "Odense",
    }
    assert quiet(jens)


def test_of_several_contacts_with_the_email_the_one_of_the_same_name_is_paired(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.change(shared_email_rule="each")
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    item = jens.outlook.add(**outlook_person("anne", "HOLM", EMAIL))
    jens.sync()
    assert ContactLink.objects.get(contact=anne).outlook_id == item["id"]
    assert jens.names() == ["Anne Holm", "Bo Holm"]


def test_when_the_names_do_not_tell_either_nobody_is_paired_and_nobody_doubled(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    jens.outlook.add(**outlook_person("Family", "Holm", EMAIL))
    report = jens.sync()
    assert reasons(report) == ["ambiguous", "ambiguous", "shared_email"]
    assert jens.names() == ["Family Holm"]
    assert Contact.objects.count() == 2
    assert jens.sync()["changes"] == []


@pytest.mark.parametrize("reason", ["privacy_blocked", "in_trash"])
def test_an_item_with_the_name_of_one_who_may_not_be_paired_becomes_nobody_elses(jens, folder, reason):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, mobile_phone="1")
    bo = PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    edit(bo, privacy_blocked=True) if reason == "privacy_blocked" else bo.trash(by=None)
    jens.outlook.add(**outlook_person("Bo", "Holm", EMAIL, mobilePhone="2"))
    report = jens.sync()
    assert (report["paired"], report["outlook"]["created"]) == (0, 0) and reason in reasons(report)
    assert jens.card("Bo Holm")["mobilePhone"] == "2"
    assert jens.sync()["changes"] == []


def test_who_is_in_the_trash_keeps_no_item_from_another_one_of_the_name(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL).trash(by=None)
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL))
    jens.sync()
    assert ContactLink.objects.get().contact == anne


def test_the_choice_is_made_by_giving_one_of_them_the_name(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    PersonFactory(first_name="Bo", surname="Holm", email=EMAIL)
    item = jens.outlook.add(**outlook_person("Family", "Holm", EMAIL))
    jens.sync()
    jens.outlook.edit(item["id"], givenName="Anne", displayName="Anne Holm")
    jens.sync()
    assert ContactLink.objects.get(outlook_id=item["id"]).contact == anne


def test_of_several_outlook_items_with_one_email_the_oldest_is_paired(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    old = jens.outlook.add(**outlook_person("Annie", "H", EMAIL))
    jens.outlook.add(**outlook_person("A.", "Holm", EMAIL.upper()))
    report = jens.sync()
    assert reasons(report) == ["duplicate"]
    assert ContactLink.objects.get(contact=anne).outlook_id == old["id"]
    assert Contact.objects.count() == 1
    assert jens.sync()["changes"] == []


@pytest.mark.parametrize("other", ["open", "company", "trashed"])
def test_of_several_outlook_items_with_one_email_a_younger_one_of_the_same_name_is_paired(jens, folder, other):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    if other == "company":
        CompanyFactory(name="Annie H", email=EMAIL)
    if other == "trashed":
        PersonFactory(first_name="Bo", surname="Chen", email=EMAIL).trash(by=None)
    jens.outlook.add(**outlook_person("Annie", "H", EMAIL))
    young = jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL.upper()))
    assert reasons(jens.sync()) == ["duplicate"]
    assert ContactLink.objects.get(contact=anne).outlook_id == young["id"]
    assert jens.names() == ["Anne Holm", "Annie H"]
    assert jens.sync()["changes"] == []


def test_two_new_outlook_items_with_one_email_become_one_contact(jens, folder):
    jens.outlook.add(**outlook_person("Carla", "Díaz", "carla@diaz.example"))
    jens.outlook.add(**outlook_person("C", "Díaz", "carla@diaz.example"))
    report = jens.sync()
    assert (report["crm"]["created"], reasons(report)) == (1, ["duplicate"])
    assert Contact.objects.get().name == "Carla Díaz"


def test_a_copy_made_in_outlook_is_reported_and_makes_no_second_contact(jens):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.sync()
    jens.outlook.copy(jens.card("Anne Holm")["id"], FOLDER)
    assert reasons(jens.sync()) == ["duplicate"]
    assert Contact.objects.count() == 1


def test_a_companys_email_leaves_the_company_alone(jens, folder):
    company = CompanyFactory(name="Fabrikam A/S", email="info@fabrikam.example")
    jens.outlook.add(**outlook_person("Anne", "Holm", "info@fabrikam.example"))
    assert reasons(jens.sync()) == ["company_email"]
    company.refresh_from_db()
    assert (company.name, company.version, Contact.objects.count()) == ("Fabrikam A/S", 1, 1)


def test_whoever_was_trashed_does_not_come_back_by_themselves(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL).trash(by=None)
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL))
    assert reasons(jens.sync()) == ["in_trash"]
    Contact.objects.get().restore(by=None)
    jens.sync()
    assert ContactLink.objects.get().state == LinkState.LINKED


def test_who_waits_for_somebody_in_the_trash_is_looked_at_when_written_again_too(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    anne.trash(by=None)
    item = jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL))
    assert reasons(jens.sync()) == ["in_trash"]
    edit(anne, email="other@fabrikam.example")
    jens.outlook.edit(item["id"], jobTitle="Buyer")
    jens.sync()
    assert ContactLink.objects.get().state == LinkState.LINKED and Contact.objects.alive().get().job_title == "Buyer"


def test_a_second_email_is_recognised_too(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email="other@fabrikam.example", email_2=EMAIL)
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL))
    jens.sync()
    assert Contact.objects.get() == anne
    assert [entry["address"] for entry in jens.card("Anne Holm")["emailAddresses"]] == ["other@fabrikam.example", EMAIL]


@pytest.mark.parametrize("name", ["email", "email_2"])
def test_an_email_is_recognised_in_any_case_beyond_ascii_too(jens, folder, name):
    aase = PersonFactory(first_name="Åse", surname="Holm", email="aase@fabrikam.example")
    edit(aase, **{name: "ÅSE@blåbær.example"})
    jens.outlook.add(**outlook_person("Åse", "Holm", "åse@BLÅBÆR.example"))
    jens.sync()
    assert Contact.objects.get() == aase and jens.names() == ["Åse Holm"]
    assert quiet(jens)


def with_second_email(first, last, email):
    return {**outlook_person(first, last, EMAIL), "emailAddresses": [{"address": EMAIL}, {"address": email}]}


def test_an_items_second_email_is_recognised_too(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email="work@fabrikam.example")
    jens.outlook.add(**with_second_email("Anne", "Holm", "Work@fabrikam.example"))
    jens.sync()
    assert Contact.objects.get() == anne and jens.names() == ["Anne Holm"]
    assert quiet(jens)


def test_an_item_made_anew_under_its_former_name_is_recognised_by_its_second_email_too(jens, folder):
    anne = PersonFactory(first_name="Anne", surname="Holm", email="work@fabrikam.example")
    jens.sync()
    edit(anne, surname="Lund")
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.outlook.add(**with_second_email("Anne", "Holm", "work@fabrikam.example"))
    jens.sync()
    assert Contact.objects.get() == anne and jens.names() == ["Anne Lund"]
    assert quiet(jens)


def test_an_email_that_changed_its_place_stands_on_no_side_twice(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email="work@fabrikam.example")
    jens.outlook.add(**with_second_email("Anne", "Holm", "Work@fabrikam.example"))
    jens.sync()
    anne = Contact.objects.get()
    assert (anne.email, anne.email_2) == ("work@fabrikam.example", "")
    assert [entry["address"] for entry in jens.card("Anne Holm")["emailAddresses"]] == ["work@fabrikam.example"]
    change = SyncChange.objects.get(action="link")
    assert change.fields["email_2"] == ["Work@fabrikam.example", ""]
    assert change.conflicts["email"] == {
        "base": "", "crm": "work@fabrikam.example", "outlook": EMAIL, "kept": "crm"
    }  # fmt: skip
    assert quiet(jens)


@pytest.mark.parametrize("email", ["åse@fabrikam.example", "ÅSE@fabrikam.example"])
def test_an_items_second_email_of_who_is_added_later_is_recognised_in_any_case_beyond_ascii_too(jens, folder, email):
    jens.change(new_contact_rule="hold")
    jens.outlook.add(**with_second_email("Åse", "Holm", "ÅSE@fabrikam.example"))
    jens.sync()
    Contact().write({"first_name": "Åse", "surname": "Holm", "email": email}, by=None)
    assert jens.sync()["paired"] == 1 and jens.names() == ["Åse Holm"]
    assert quiet(jens)


@pytest.mark.parametrize("first", [0, 1])
def test_two_new_outlook_items_of_one_person_by_a_second_email_become_one_contact(jens, folder, first):
    items = [
        with_second_email("Anne", "Holm", "anne@home.example"),
        outlook_person("Anne", "Holm", "anne@home.example"),
    ]
    for item in (items[first], items[1 - first]):
        jens.outlook.add(**item)
    jens.sync()
    assert jens.sync()["changes"] == [] and Contact.objects.count() == 1
    assert ContactLink.objects.get(contact=None).problem == "duplicate"
    assert quiet(jens)


def test_a_second_email_that_colleagues_share_makes_nobody_the_other(jens, folder):
    PersonFactory(first_name="Front", surname="Desk", email="desk@fabrikam.example")
    CompanyFactory(name="Fabrikam A/S", email="info@fabrikam.example")
    item = with_second_email("Anne", "Holm", "desk@fabrikam.example")
    jens.outlook.add(**item | {"emailAddresses": [*item["emailAddresses"], {"address": "info@fabrikam.example"}]})
    report = jens.sync()
    assert (report["paired"], report["crm"]["created"]) == (0, 1)
    assert jens.names() == ["Anne Holm", "Front Desk"]


def test_a_second_email_of_two_of_the_name_leaves_the_choice(jens, folder):
    for _ in range(2):
        PersonFactory(first_name="Anne", surname="Holm", email="work@fabrikam.example")
    jens.outlook.add(**with_second_email("Anne", "Holm", "work@fabrikam.example"))
    jens.sync()
    assert ContactLink.objects.get(contact=None).problem == "ambiguous"
    assert Contact.objects.count() == 2


def test_a_display_name_that_gives_way_to_the_crms_is_in_the_journal(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.outlook.add(displayName="Anna Berg", emailAddresses=[{"address": EMAIL}])
    jens.sync()
    assert jens.names() == ["Anne Holm"]
    conflicts = SyncChange.objects.get(action="link").conflicts
    assert {name: conflicts[name]["outlook"] for name in conflicts} == {"first_name": "Anna", "surname": "Berg"}


def test_what_is_no_person_or_has_no_name_that_fits_stays_in_outlook(jens, folder):
    jens.outlook.add(companyName="Fabrikam A/S", emailAddresses=[{"address": "info@fabrikam.example"}])
    jens.outlook.add(emailAddresses=[{"address": "nameless@fabrikam.example"}])
    jens.outlook.add(**outlook_person("Bad", "Address", "not an address"))
    jens.outlook.add(displayName="Annelise " * 15 + "Holm", emailAddresses=[{"address": EMAIL}])
    assert reasons(jens.sync()) == ["bad_email", "no_name", "not_a_person", "too_long"]
    assert not Contact.objects.exists()


def test_what_stays_in_outlook_is_not_told_again_when_the_journal_of_it_has_been_deleted(jens, folder):
    jens.outlook.add(givenName="Anne", surname="Holm")
    assert [change["reason"] for change in jens.sync()["changes"]] == ["no_email"]
    ago = timezone.now() - timedelta(days=91)
    ContactLink.objects.update(problem_since=ago)
    SyncChange.objects.update(created_at=ago)
    SyncRun.objects.update(created_at=ago)
    prune(timezone.now())
    assert not SyncChange.objects.exists() and jens.sync()["changes"] == []
    assert ContactLink.objects.get().problem_since == ago


def test_a_display_name_alone_is_a_name_and_both_sides_get_its_parts(jens, folder):
    jens.outlook.add(displayName="Anne Marie Holm", emailAddresses=[{"address": EMAIL}])
    jens.sync()
    contact = Contact.objects.get()
    assert (contact.first_name, contact.surname) == ("Anne Marie", "Holm")
    (change,) = jens.sync()["changes"]
    assert (change["side"], change["fields"]) == (
        "outlook",
        {"first_name": ["", "Anne Marie"], "surname": ["", "Holm"]},
    )
    assert quiet(jens)
    edit(contact, surname="Berg")
    jens.sync()
    item = jens.card("Anne Marie Berg")
    assert (item["givenName"], item["surname"]) == ("Anne Marie", "Berg")
    assert quiet(jens)


def test_a_company_that_is_not_found_leaves_its_name_and_says_so(jens, folder):
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL, companyName="Nowhere Ltd"))
    (change,) = jens.sync()["changes"]
    assert (change["outcome"], change["reason"], change["detail"]) == ("done", "company_not_found", "Nowhere Ltd")
    contact = Contact.objects.get()
    assert (contact.company, contact.company_name) == (None, "Nowhere Ltd")


def test_an_unknown_country_is_kept_out_said_once_and_left_as_it_is(jens, folder):
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, country="DK")
    jens.outlook.add(**outlook_person("Anne", "Holm", EMAIL, businessAddress={"countryOrRegion": "Narnia"}))
    jens.sync()
    assert Contact.objects.get().country == "DK"
    edit(Contact.objects.get(), city="Aarhus")
    jens.sync()
    assert jens.card("Anne Holm")["businessAddress"]["countryOrRegion"] == "Narnia"
    jens.outlook.edit(jens.card("Anne Holm")["id"], businessAddress={"city": "Aarhus", "countryOrRegion": "Norge"})
    jens.sync()
    assert Contact.objects.get().country == "NO"
    assert quiet(jens)


def test_every_field_goes_out_and_comes_back(jens):
    everything = {
        "title": "Dr", "middle_name": "B.", "initials": "ABH", "job_title": "Buyer", "department": "Buying",
        "email_2": "a2@fabrikam.example", "email_3": "a3@fabrikam.example", "phone": "+45 33 11 22 33",
        "phone_2": "3311",
        "mobile_phone": "(20) 20-20", "home_phone": "44 55", "fax": "99 88", "home_page": "https://fabrikam.example",
        "address": "Nørregade 1", "address_2": "2. sal\nth.", "city": "Aarhus", "county": "Midt", "post_code": "8000",
        "country": "DK", "birthday": "1974-07-22",
    }  # fmt: skip
    anne = edit(PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, company_name="Fabrikam"), **everything)
    jens.sync()
    card = jens.card("Anne B. Holm")
    assert card["birthday"] == "1974-07-22T11:59:00Z"
    assert card["businessAddress"]["countryOrRegion"] == "Denmark"
    assert fax_of(card) == "99 88"
    jens.change(delta_link="", delta_next_link="")
    assert jens.sync(full=True)["changes"] == []
    anne.refresh_from_db()
    assert {name: str(getattr(anne, name)) for name in everything} == everything
    jens.outlook.edit(card["id"], singleValueExtendedProperties=[{"id": "String 0x3A24", "value": "11 22"}])
    jens.sync()
    anne.refresh_from_db()
    assert anne.fax == "11 22"


def test_two_salespeople_share_a_contact_and_each_others_edits(stage, jens):
    xenia = stage.salesperson("xenia@contoso.example")
    PersonFactory(first_name="Anne", surname="Holm", email=EMAIL)
    jens.sync()
    xenia.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    jens.sync()
    xenia.sync()
    assert xenia.card("Anne Holm")["jobTitle"] == "Boss"
    assert quiet(jens) and quiet(xenia)
