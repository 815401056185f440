"""The contact card: shown, made, edited, trashed and restored."""

import datetime
import json

import pytest
from django.test import Client
from django.utils import timezone

from contacts import postal
from contacts.card import phone_link
from contacts.models import Contact, NumberSeries
from contacts.validators import web_link
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(name="Jonas", code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def form_of(client, path="/contacts/new/", **changes):
    """What a browser would post from the form at `path`, with `changes` typed in."""
    form = client.get(path).context["form"]
    data = {field.html_name: field.value() for field in form}
    data = {name: value for name, value in data.items() if value not in (None, False)}
    data["salesperson"] = getattr(data.get("salesperson"), "pk", data.get("salesperson", ""))
    return data | changes


def errors_of(response):
    assert response.status_code == 422
    return {name: " ".join(errors) for name, errors in response.context["form"].errors.items()}


# --- Showing ---------------------------------------------------------------------------------------------------------


def test_the_card_shows_what_there_is_and_where_it_leads(client, user):
    company = CompanyFactory(name="Fabrikam A/S")
    person = PersonFactory(
        first_name="Anne", surname="Berg", company=company, company_name=company.name, email="anne@x.example",
        phone="+45 (0)33 11", home_page="www.fabrikam.example", country="DK", salesperson=user, notes="<b>bold</b>",
    )  # fmt: skip
    page = client.get(f"/contacts/{person.number}/").content.decode()
    for part in (
        "Anne Berg", f'href="/contacts/{company.number}/"', 'href="mailto:anne@x.example"', 'href="tel:+453311"',
        'href="https://www.fabrikam.example" rel="noopener noreferrer"', "Denmark", "Jonas", "&lt;b&gt;bold",
        f'hx-get="/sync/contacts/{person.number}/"',
    ):  # fmt: skip
        assert part in page, part


@pytest.mark.parametrize(
    "home_page",
    ["javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//evil.example",
     "ftp://x.example", "https://a b.example", "https://x.example/\"onclick='1", "www", "mailto:a@b.example",
     "https://user@x.example", "java\nscript:x"],
)  # fmt: skip
def test_only_web_addresses_ever_become_links(client, home_page):
    assert web_link(home_page) == ""
    person = PersonFactory(home_page=home_page)
    page = client.get(f"/contacts/{person.number}/").content.decode()
    assert "noopener" not in page


@pytest.mark.parametrize(
    ("phone", "link"),
    [
        ("+45 33 11 22 33", "tel:+4533112233"),
        ("33112233 ext 5", "tel:33112233"),
        ("+44 (0)20 79", "tel:+442079"),
        ("none", ""),
        ("", ""),
    ],
)
def test_a_phone_number_is_dialled_by_its_digits(phone, link):
    assert phone_link(phone) == link


@pytest.mark.parametrize(
    ("typed", "country", "shown"),
    [
        ("+4533112233", "", "+45 33 11 22 33"),
        ("0045 33112233", "DK", "0045 33112233"),
        ("004533112233", "", "+45 33 11 22 33"),
        ("33112233", "DK", "+45 33 11 22 33"),
        ("33112233", "", "33112233"),
        ("0705551234", "SE", "+46 70 555 12 34"),
        ("+15035551234", "", "+1 503 555 1234"),
        ("33 11 22 33", "DK", "33 11 22 33"),
        ("3311", "DK", "3311"),
        ("+999123456", "", "+999123456"),
    ],
)
def test_a_number_typed_without_spaces_is_shown_in_groups_and_any_other_as_it_was_typed(typed, country, shown):
    assert postal.phone(typed, country) == shown


@pytest.mark.parametrize(
    ("country", "lines"),
    [
        ("DK", ["Vej 1", "2. sal", "8000 By", "Amt", "Denmark"]),
        ("US", ["Vej 1", "2. sal", "By Amt 8000", "United States of America"]),
        ("GB", ["Vej 1", "2. sal", "By", "Amt", "8000", "United Kingdom"]),
        ("", ["Vej 1", "2. sal", "8000 By", "Amt"]),
    ],
)
def test_an_address_stands_as_on_a_letter_to_its_country(country, lines):
    person = PersonFactory(
        address="Vej 1", address_2="2. sal", city="By", county="Amt", post_code="8000", country=country
    )
    assert postal.address_lines(person) == lines


def test_a_company_lists_its_living_people_with_few_queries(client, django_assert_num_queries):
    company = CompanyFactory()
    PersonFactory.create_batch(60, company=company, company_name=company.name)
    PersonFactory(name="Gone", company=company).trash(by=None)
    with django_assert_num_queries(6):  # session, user, company, people, duplicates, history
        response = client.get(f"/contacts/{company.number}/")
    assert len(response.context["people"]) == 50
    assert f'href="/contacts/?f-company={company.number}"' in response.content.decode()
    assert "Gone" not in response.content.decode()


def test_an_unknown_number_is_not_found(client):
    for path in ("XX1/", "XX1/edit/", "ct000001/"):
        assert client.get(f"/contacts/{path}").status_code == 404
    assert client.post("/contacts/XX1/trash/").status_code == 404


# --- Making ----------------------------------------------------------------------------------------------------------


def test_a_person_is_made_with_a_number_and_a_full_name(client, user):
    data = form_of(client, first_name="Anne", middle_name="van", surname="Berg", email="anne@x.example")
    response = client.post("/contacts/new/", data)
    contact = Contact.objects.get()
    assert response["Location"] == f"/contacts/{contact.number}/"
    assert (contact.number, contact.name, contact.salesperson, contact.modified_by) == (
        "CT000001",
        "Anne van Berg",
        user,
        user,
    )


def test_a_company_is_made_without_what_only_people_have(client):
    client.post(
        "/contacts/new/", form_of(client, type="company", name="Fabrikam A/S", first_name="x", birthday="rubbish")
    )
    company = Contact.objects.get()
    assert (company.name, company.company_name, company.first_name, company.birthday) == (
        "Fabrikam A/S",
        "Fabrikam A/S",
        "",
        None,
    )


def test_a_double_click_makes_one_contact(client):
    data = form_of(client, first_name="Anne")
    first, second = client.post("/contacts/new/", data), client.post("/contacts/new/", data)
    assert first["Location"] == second["Location"] == "/contacts/CT000001/"
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"email": "anne.example"}, "email", "is not an e-mail address"),
        ({"email_3": "a@b@c.example"}, "email_3", "is not an e-mail address"),
        ({"home_page": "javascript:alert(1)"}, "home_page", "Write a web address"),
        ({"birthday": (timezone.localdate() + datetime.timedelta(days=2)).isoformat()}, "birthday", "in the future"),
        ({"birthday": "31-02-1980"}, "birthday", "Write it like 31/05/1980"),
        ({"first_name": "x" * 500}, "first_name", "at most 100 characters"),
        ({"notes": "x" * 30_001}, "notes", "at most 30000 characters"),
        ({"first_name": ""}, "first_name", "needs a name or an e-mail"),
        ({"type": "company"}, "name", "A company needs a name"),
        ({"type": "company", "name": "x" * 251}, "name", "at most 250 characters"),
        ({"type": "robot"}, "type", "valid choice"),
        ({"country": "XX"}, "country", "valid choice"),
        ({"salesperson": "999"}, "salesperson", "valid choice"),
    ],
)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(client, changes, field, message):
    response = client.post("/contacts/new/", form_of(client, **{"first_name": "Anne"} | changes))
    assert message in errors_of(response)[field]
    assert not Contact.objects.exists()


def test_a_form_post_without_anything_is_refused(client):
    assert client.post("/contacts/new/").status_code == 422
    assert Client(enforce_csrf_checks=True).post("/contacts/new/").status_code in (302, 403)


# --- The company picker ----------------------------------------------------------------------------------------------


def test_the_company_is_picked_by_name_or_number_and_else_kept_as_text(client):
    fabrikam = CompanyFactory(name="Fabrikam A/S", city="Aarhus")
    for typed in ("Fabrikam A/S", fabrikam.number.lower(), "fabrikam a/s"):
        client.post("/contacts/new/", form_of(client, first_name="Anne", company_name=typed))
        person = Contact.objects.persons().last()
        assert (person.company, person.company_name) == (fabrikam, "Fabrikam A/S")
    client.post("/contacts/new/", form_of(client, first_name="Anne", company_name="Unknown Ltd"))
    person = Contact.objects.order_by("pk").last()
    assert (person.company, person.company_name) == (None, "Unknown Ltd")


def test_a_name_that_several_companies_have_asks_for_the_number(client):
    one, two = CompanyFactory(name="Twins", city="Aarhus"), CompanyFactory(name="Twins")
    response = client.post("/contacts/new/", form_of(client, first_name="Anne", company_name="Twins"))
    assert f"{one.number} (Aarhus), {two.number}" in errors_of(response)["company_name"]
    person = PersonFactory(company=two, company_name="Twins")
    client.post(f"/contacts/{person.number}/edit/", form_of(client, f"/contacts/{person.number}/edit/", city="Odense"))
    person.refresh_from_db()
    assert (person.company, person.city) == (two, "Odense")


def test_companies_are_offered_while_typing(client):
    CompanyFactory(name="Fabrikam A/S", city="Aarhus")
    PersonFactory(name="Fabian")
    page = client.get("/contacts/companies/?company_name=fabr").content.decode()
    assert page.count("<option") == 1
    assert 'value="Fabrikam A/S"' in page
    assert client.get("/contacts/companies/").content.strip() == b""


def test_renaming_a_company_carries_over_to_its_people(client):
    company = CompanyFactory(name="Old")
    person = PersonFactory(company=company, company_name="Old")
    client.post(f"/contacts/{company.number}/edit/", form_of(client, f"/contacts/{company.number}/edit/", name="New"))
    person.refresh_from_db()
    assert (person.company_name, person.version) == ("New", 2)


def test_a_company_with_people_cannot_become_a_person(client):
    company = CompanyFactory()
    PersonFactory(company=company)
    path = f"/contacts/{company.number}/edit/"
    response = client.post(path, form_of(client, path, type="person", first_name="Anne"))
    assert "1 person belongs to this company" in errors_of(response)["type"]


# --- Editing ---------------------------------------------------------------------------------------------------------


def test_saving_without_a_change_writes_nothing(client):
    person = PersonFactory(notes="a\r\nb", birthday="1980-05-31", country="DK")
    path = f"/contacts/{person.number}/edit/"
    client.post(path, form_of(client, path))
    person.refresh_from_db()
    assert person.version == 1


def test_a_stale_form_keeps_both_edits(client):
    person = PersonFactory(first_name="Anne", surname="Berg", city="Aarhus", job_title="Buyer")
    path = f"/contacts/{person.number}/edit/"
    mine = form_of(client, path, job_title="My title", address="My street")
    client.post(path, form_of(client, path, job_title="Their title", city="Their city"))
    response = client.post(path, mine)
    assert response.status_code == 409
    person.refresh_from_db()
    assert (person.job_title, person.city, person.address) == ("Their title", "Their city", "")
    page = response.content.decode()
    assert "saved this contact while you were editing it" in page
    assert "Saved meanwhile: “Their title”. Yours stands above." in page
    again = {field.html_name: field.value() for field in response.context["form"]}
    assert (again["job_title"], again["address"], again["city"]) == ("My title", "My street", "Their city")
    response = client.post(path, {name: value for name, value in again.items() if value is not None})
    assert response.status_code == 302
    person.refresh_from_db()
    assert (person.job_title, person.address, person.city, person.version) == ("My title", "My street", "Their city", 3)


@pytest.mark.parametrize("base", ["", "rubbish", "[]", json.dumps({"city": 3})])
def test_a_stale_form_with_a_damaged_memory_still_loses_nothing(client, base):
    person = PersonFactory(city="Aarhus")
    path = f"/contacts/{person.number}/edit/"
    mine = form_of(client, path, city="Mine", version="0", base=base)
    response = client.post(path, mine)
    assert response.status_code == 409
    assert "Saved meanwhile: “Aarhus”" in response.content.decode()


def test_somebody_else_saving_between_reading_and_writing_is_noticed(client):
    person = PersonFactory(city="Aarhus")
    path = f"/contacts/{person.number}/edit/"
    data = form_of(client, path, city="Mine")
    Contact.objects.get().write({"privacy_blocked": True, "country": "DK"}, by=None)
    page = client.post(path, data).content.decode()
    assert "The sync saved this contact while you were editing it" in page
    assert "Changed meanwhile; the new value stands above." in page


# --- The trash -------------------------------------------------------------------------------------------------------


def test_the_trash_gives_back_what_was_put_there(client):
    person = PersonFactory(first_name="Anne", surname="Berg")
    for _click in range(2):
        assert client.post(f"/contacts/{person.number}/trash/").status_code == 302
    person.refresh_from_db()
    assert person.is_trashed and person.version == 2
    assert "This contact is in the trash" in client.get(f"/contacts/{person.number}/").content.decode()
    assert client.get(f"/contacts/{person.number}/edit/").status_code == 302
    for _click in range(2):
        assert client.post(f"/contacts/{person.number}/restore/")["Location"] == f"/contacts/{person.number}/"
    person.refresh_from_db()
    assert not person.is_trashed and person.version == 3


def test_nothing_changes_without_a_sign_in():
    person = PersonFactory()
    for path in ("trash", "restore", "edit"):
        assert Client().post(f"/contacts/{person.number}/{path}/").status_code == 302
    person.refresh_from_db()
    assert person.version == 1


def test_numbers_are_never_given_twice():
    assert NumberSeries.take(2) == ["CT000001", "CT000002"]
    NumberSeries.pass_by(10)
    NumberSeries.pass_by(5)
    assert NumberSeries.take() == ["CT000011"]
    assert NumberSeries.take(0) == []
