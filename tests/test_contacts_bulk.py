"""Selected contacts: what is asked, what is done, and what is left alone."""

import re

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from contacts.changes import ContactChange
from contacts.models import Contact
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db
URL = "/contacts/selected/{}/"


@pytest.fixture
def user():
    return UserFactory(name="Jens Rask", code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def hidden(response):
    """What the question's form carries along."""
    found: dict[str, list[str]] = {}
    pairs = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode())
    for name, value in pairs:
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(value.replace("&amp;", "&"))
    return found


def ask(client, act, *contacts, **params):
    return client.get(URL.format(act), {"contact": [contact.number for contact in contacts], **params})


def confirm(client, act, question, **fields):
    return client.post(URL.format(act), hidden(question) | fields)


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_it_requires_a_sign_in_and_a_known_act(client):
    assert Client().post(URL.format("trash")).status_code == 302
    assert ask(client, "explode", PersonFactory()).status_code == 404
    assert ask(client, "restore", PersonFactory()).status_code == 404


def test_it_asks_with_the_count_and_assigns_with_history(client, user):
    anne, bo, carl = PersonFactory(first_name="Anne"), PersonFactory(first_name="Bo"), PersonFactory(salesperson=user)
    question = ask(client, "assign", anne, bo, carl)
    page = question.content.decode()
    assert "Assign 3 contacts" in page and str(anne) in page
    response = confirm(client, "assign", question, salesperson=user.pk)
    assert (response.status_code, response["Location"]) == (302, "/contacts/")
    assert told(response) == "2 contacts were assigned. 1 contact was so already."
    anne.refresh_from_db()
    assert (anne.salesperson, anne.version, anne.modified_by) == (user, 2, user)
    assert ContactChange.objects.get(contact=anne).fields == {"salesperson": [None, user.pk]}
    assert not carl.changes.exists()
    question = ask(client, "assign", anne)
    assert confirm(client, "assign", question, salesperson="").status_code == 422
    confirm(client, "assign", question, salesperson="nobody")
    anne.refresh_from_db()
    assert anne.salesperson is None


def test_all_that_the_list_shows_is_meant_on_whatever_page(client):
    PersonFactory.create_batch(55, city="Aarhus")
    berlin = PersonFactory(city="Berlin")
    question = client.get(URL.format("edit"), {"all": "1", "query": "f-city=A*&page=2"})
    assert "Edit 55 contacts" in question.content.decode()
    response = confirm(client, "edit", question, territory="NORTH", country="DK", empty=["city"])
    assert response["Location"] == "/contacts/?f-city=A*&page=2"
    assert Contact.objects.filter(territory="NORTH", country="DK", city="").count() == 55
    berlin.refresh_from_db()
    assert berlin.version == 1


@pytest.mark.parametrize("change", ["edit", "trash", "join"])
def test_nothing_is_done_to_what_was_not_seen(client, change):
    anne, bo = PersonFactory(first_name="Anne", city="Aarhus"), PersonFactory(first_name="Bo", city="Aarhus")
    question = client.get(URL.format("trash"), {"all": "1", "query": "f-city=A*"})
    if change == "edit":
        anne.write({"job_title": "Boss"}, by=None)
    elif change == "trash":
        anne.trash(by=None)
    else:
        PersonFactory(city="Aalborg")
    response = confirm(client, "trash", question)
    assert response.status_code == 409
    page = response.content.decode()
    assert "nothing was done" in page
    assert (f"Changed meanwhile: {anne}." in page) == (change == "edit")
    bo.refresh_from_db()
    assert not bo.is_trashed
    assert confirm(client, "trash", response).status_code == 302
    assert not Contact.objects.alive().filter(city__startswith="Aa").exists()


def test_a_second_click_does_nothing_twice(client):
    question = ask(client, "edit", anne := PersonFactory())
    confirm(client, "edit", question, city="Aarhus")
    assert confirm(client, "edit", question, city="Berlin").status_code == 409
    anne.refresh_from_db()
    assert (anne.city, anne.version) == ("Aarhus", 2)


def test_companies_are_named_where_only_people_can_be_changed(client):
    company, anne = CompanyFactory(name="Fabrikam A/S"), PersonFactory()
    question = ask(client, "edit", company, anne)
    response = confirm(client, "edit", question, company_name="fabrikam a/s", job_title="Buyer")
    assert "1 contact was changed. 1 company was left alone" in told(response)
    assert "Fabrikam A/S" in told(response)
    anne.refresh_from_db()
    assert (anne.company, anne.company_name, anne.job_title) == (company, "Fabrikam A/S", "Buyer")
    response = confirm(client, "edit", ask(client, "edit", anne), empty=["company_name"])
    anne.refresh_from_db()
    assert (anne.company, anne.company_name) == (None, "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nothing is filled in"),
        ({"city": "x" * 101}, "at most 100 characters"),
        ({"city": "Aarhus", "empty": ["city"]}, "Either write something here"),
        ({"country": "XX"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_done(client, fields, words):
    anne = PersonFactory()
    response = confirm(client, "edit", ask(client, "edit", anne), **fields)
    assert response.status_code == 422
    assert words in response.content.decode()
    anne.refresh_from_db()
    assert anne.version == 1


def test_the_trash_is_restored_together(client):
    for contact in PersonFactory.create_batch(3):
        contact.trash(by=None)
    question = client.get(URL.format("restore"), {"all": "1", "query": "trash=1"})
    response = confirm(client, "restore", question)
    assert (response["Location"], Contact.objects.alive().count()) == ("/contacts/?trash=1", 3)
    assert client.get(URL.format("trash"), {"all": "1", "query": "trash=1"}).status_code == 404


def test_who_is_gone_is_said_before_the_question(client):
    anne, bo = PersonFactory(), PersonFactory()
    bo.trash(by=None)
    page = ask(client, "trash", anne, bo).content.decode()
    assert "Move 1 contact to the trash?" in page
    assert "Whether any copies in Outlook go too depends on each salesperson" in page
    assert "1 of those that you selected is no longer in the list." in page
    response = ask(client, "trash", bo)
    assert response.status_code == 302
    assert "None of these contacts is in the list any more" in told(response)


def test_two_to_five_are_led_to_the_comparison(client):
    people = PersonFactory.create_batch(6)
    response = ask(client, "merge", *people[:2])
    assert {f"contact={person.number}" for person in people[:2]} <= set(re.split(r"[?&]", response["Location"]))
    for some in (people[:1], people):
        response = ask(client, "merge", *some)
        assert response["Location"] == "/contacts/"
        assert "select two to 5 contacts" in told(response)


def test_the_selected_are_exported_in_the_chosen_format(client):
    anne, bo = PersonFactory(first_name="Anne"), PersonFactory(first_name="Bo")
    PersonFactory(first_name="Carl")
    question = ask(client, "export", anne, bo)
    assert "Export 2 contacts" in question.content.decode()
    file = client.get("/contacts/export/", hidden(question) | {"format": "json"})
    text = b"".join(file.streaming_content).decode()
    assert ("Anne" in text, "Bo" in text, "Carl" in text) == (True, True, False)
    file = client.get("/contacts/export/", {"all": "1", "query": "q=carl", "format": "json"})
    assert b"".join(file.streaming_content).count(b'"Carl"') == 1


def test_many_contacts_take_a_number_of_queries_per_chunk(client, django_assert_max_num_queries):
    company = CompanyFactory()
    Contact.objects.bulk_add([Contact().assign({"surname": f"P{n}", "company": company}, by=None) for n in range(1100)])
    question = client.get(URL.format("edit"), {"all": "1", "query": "f-type=Person"})
    with django_assert_max_num_queries(75):  # three chunks; SQLite stores some twenty contacts with each query
        response = confirm(client, "edit", question, territory="NORTH")
    assert told(response) == "1,100 contacts were changed."
