"""What people type and paste into the contact card: cleaned, checked field by field, and told in their own terms."""

import pytest
from django.test import Client
from django.utils import translation

from contacts import pasting
from contacts.models import Contact
from tests.factories import PersonFactory, UserFactory

pytestmark = pytest.mark.django_db

CHECK = "/contacts/check/"


@pytest.fixture
def client():
    client = Client()
    client.force_login(UserFactory(code="JR"))
    return client


@pytest.mark.parametrize(
    ("clean", "pasted", "expected"),
    [
        (pasting.line, "\u200bAnne\u00a0Berg\ufeff", "Anne Berg"),
        (pasting.line, "Store\u202fTorv 1\r\n8000 Aarhus\t", "Store Torv 1 8000 Aarhus"),
        (pasting.line, "Anne  Berg", "Anne  Berg"),
        (pasting.line, "می\u200cخواهم", "می\u200cخواهم"),
        (pasting.lines, "one\n\u00a0two\u200b\n\tthree", "one\n two\n\tthree"),
        (pasting.email, "mailto:anne@x.example?subject=Hi", "anne@x.example"),
        (pasting.email, "Anne Berg <anne@x.example>", "anne@x.example"),
        (pasting.email, "anne@x.example;", "anne@x.example"),
        (pasting.email, "<mailto:anne@x.example>", "anne@x.example"),
        (pasting.email, "anne@x.example, bo@x.example", "anne@x.example, bo@x.example"),
        (pasting.phone, "\u202a+45 33 11 22 33\u202c", "+45 33 11 22 33"),
        (pasting.phone, "tel:+4533112233", "+4533112233"),
        (pasting.web, "<https://x.example>", "https://x.example"),
    ],
)
def test_what_is_pasted_along_is_taken_away_and_nothing_else(clean, pasted, expected):
    assert clean(pasted) == expected


def test_a_form_stores_what_was_pasted_without_its_dressing(client):
    data = {"type": "person", "first_name": "Anne\u00a0Marie", "surname": "\u200bBerg\n", "notes": "one\ntwo"}
    client.post("/contacts/new/", data | {"email": "mailto:anne@x.example", "phone": "\u202a+45 1\u202c"})
    anne = Contact.objects.get()
    assert (anne.name, anne.email, anne.phone, anne.notes) == ("Anne Marie Berg", "anne@x.example", "+45 1", "one\ntwo")


def test_what_is_stored_already_is_not_changed_by_saving_something_else(client):
    person = PersonFactory(surname="Berg\u00a0Holm", phone="\u202a1\u202c", city="")
    path = f"/contacts/{person.number}/edit/"
    form = client.get(path).context["form"]
    data = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    client.post(path, data | {"city": "Ribe", "salesperson": ""})
    person.refresh_from_db()
    assert (person.surname, person.phone, person.city) == ("Berg\u00a0Holm", "\u202a1\u202c", "Ribe")


def check(client, field, number="", **typed):
    path = f"{CHECK}?field={field}" + (f"&number={number}" if number else "")
    return client.post(path, {"type": "person"} | typed)


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("email", "anne.example", "“anne.example” is not an e-mail address."),
        ("first_name", "x" * 500, "Write at most 100 characters; these are 500."),
        ("birthday", "31/02/1980", "This is no date. Write it like 31/05/1980."),
        ("home_page", "javascript:x", "Write a web address"),
    ],
)
def test_a_field_that_was_left_says_what_is_wrong_with_it_and_nothing_is_stored(client, field, typed, message):
    page = check(client, field, **{field: typed}).content.decode()
    assert message in page and f'id="id_{field}_error"' in page and 'role="alert"' in page
    assert not Contact.objects.exists()


def test_a_field_that_was_left_says_nothing_of_the_others_and_shows_what_was_cleaned(client):
    response = check(client, "email_2", email="wrong", email_2="mailto:anne@x.example")
    assert 'value="anne@x.example"' in response.content.decode()
    assert "field-errors" not in response.content.decode()
    assert "field-errors" not in check(client, "first_name").content.decode()  # an e-mail may still come


def test_dates_are_asked_for_as_the_reader_writes_them(client):
    person = PersonFactory(birthday="1980-02-29")
    client.cookies["django_language"] = "da"
    with translation.override("en"):  # a request leaves its language behind
        page = client.get(f"/contacts/{person.number}/edit/").content.decode()
        response = check(client, "birthday", birthday="igår")
    assert (
        'value="29.02.1980"' in page and '_helptext">F.eks. 31.05.1980.</div>' in page and 'placeholder="31' not in page
    )
    assert "31.05.1980" in response.content.decode()


def test_checking_is_for_people_who_are_signed_in_and_for_fields_that_there_are(client):
    assert Client().post(f"{CHECK}?field=email").status_code == 302
    assert client.get(f"{CHECK}?field=email").status_code == 405
    for path in (CHECK, f"{CHECK}?field=password", f"{CHECK}?field=email&number=XX"):
        assert client.post(path).status_code == 404
    assert Client(enforce_csrf_checks=True).post(f"{CHECK}?field=email").status_code == 403
