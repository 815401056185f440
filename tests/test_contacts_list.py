"""The Contacts list: search, filter, order, pages, all in the address."""

from datetime import timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.timezone import localtime

from contacts.listing import Listing
from contacts.models import Contact
from tests.factories import CompanyFactory, LinkFactory, PersonFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def listed(client, query=""):
    response = client.get(f"/contacts/{query}")
    assert response.status_code == 200, response
    return [contact.name for contact in response.context["page"].object_list]


def test_it_requires_a_sign_in():
    assert Client().get("/contacts/").status_code == 302
    assert Client().post("/contacts/filter-count/").status_code == 302


def test_it_lists_living_contacts_by_name(client):
    PersonFactory(first_name="Bo", surname="Chen")
    PersonFactory(first_name="Anne", surname="Berg")
    PersonFactory(first_name="Carl", surname="Dahl").trash(by=None)
    assert listed(client) == ["Anne Berg", "Bo Chen"]
    assert listed(client, "?trash=1") == ["Carl Dahl"]
    page = client.get("/contacts/?trash=1").text
    kept_until = Contact.objects.get(name="Carl Dahl").deleted_at + timedelta(days=30)
    until = date_format(localtime(kept_until), "DATE_FORMAT")
    assert "Kept until" in page and f">{until}</td>" in page and "Kept until" not in client.get("/contacts/").text


def test_a_filter_with_a_mistake_counts_nobody(client):
    page = client.get("/contacts/?f-city=A>").text
    assert "The filter has a mistake" in page and "0 contacts" not in page


def test_the_number_of_queries_does_not_depend_on_the_number_of_contacts(client, user, django_assert_num_queries):
    company = CompanyFactory()
    setup = SetupFactory(user=user, contact_filter={"city": "A*"})
    setup.enable()
    expected = 11  # session, user; layout, views; count, keys, rows; of the sync: setup, links, preferences, filter
    people = PersonFactory.create_batch(5, company=company, salesperson=user)
    LinkFactory(setup=setup, contact=people[0])
    with django_assert_num_queries(expected):
        client.get("/contacts/")
    PersonFactory.create_batch(60, company=company, salesperson=user)
    for query in ("", "?page=2", "?q=first", "?f-salesperson=%25me&sort=-salesperson", "?f-company=CT*&q=last"):
        with django_assert_num_queries(expected):
            client.get(f"/contacts/{query}")


def test_my_contacts_are_found_and_sorted_by_an_index_of_those_alive(user):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # the few that there are it would read and sort
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    mine = Listing(QueryDict("f-salesperson=%25me"), user).contacts.values_list("pk")
    plan = mine.explain()
    assert "own_contact_by_name" in plan and "TEMP B-TREE" not in plan, plan
    assert "contact_by_salesperson" in mine.order_by().explain() or connection.vendor == "postgresql"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("anne", True), ("ANNE berg", True), ("berg anne", True), ("østerå", True), ("ØSTERÅ", True), ("anne@", True),
        ("SECOND@x", True), ("fabrikam", True), ("CT00", True), ("bob", False), ("anne bob", False), ("%", False),
        ("_nne", False), ("an*e", False), ("\\", False), ("'", False), ('"', False), ("a\0nne", True),
        ("x" * 60_000, False), ("ø" * 60_000, False), ("sterå an", True), ("ÅS", False), ("[ø]", False),
        ("33112233", True), ("33 11 22 33", True), ("+45 33112233", True),
        ("0045 33 11 22 33", True), ("(33) 11-22-33", True), ("4533", True),
        ("11 22", True), ("555 0199", True), ("33 11 22 34", False),
    ],
)  # fmt: skip
def test_the_search_finds_names_companies_e_mails_numbers_and_phones(client, text, found):
    PersonFactory(
        first_name="Anne", surname="Berg Østerå", name="Anne Berg Østerå", company_name="Fabrikam A/S",
        email="anne@x.example", email_2="second@x.example", phone="+45 33 11 22 33", mobile_phone="(555) 0199",
    )  # fmt: skip
    PersonFactory(name="Somebody Else", phone="12 34", number="XX1")
    response = client.get("/contacts/", {"q": text})
    assert ("Anne Berg Østerå" in [c.name for c in response.context["page"]]) == found


def test_sql_wildcards_in_the_search_are_letters(client):
    PersonFactory(name="100% sure")
    PersonFactory(name="100 sure")
    assert listed(client, "?q=100%25") == ["100% sure"]


def test_the_filter_stands_in_the_address(client, user):
    PersonFactory(name="Anne", city="Aarhus", salesperson=user)
    PersonFactory(name="Bo", city="Berlin")
    assert listed(client, "?f-city=A*|B*&f-salesperson=%25me") == ["Anne"]
    page = client.get("/contacts/?f-city=A*").content.decode()
    assert 'name="f-city" value="A*"' in page


def test_a_wrong_filter_lists_nothing_and_points_at_the_character(client):
    PersonFactory(name="Anne", city="Aarhus")
    response = client.get("/contacts/", {"f-city": "A*|B>C"})
    page = response.content.decode()
    assert list(response.context["page"]) == []
    assert "The filter has a mistake" in page and 'empty-action" href="/contacts/">Clear the filter' in page
    assert escape("A*|B>C\n    ^") in page


def test_every_list_has_one_address(client):
    response = client.get("/contacts/?q=&f-city=&f-add=&sort=name&page=1&utm=x")
    assert (response.status_code, response["Location"]) == (302, "/contacts/")
    response = client.get("/contacts/?f-city=A*&f-remove=city&q=anne")
    assert response["Location"] == "/contacts/?q=anne"


def test_a_field_is_added_without_javascript(client):
    page = client.get("/contacts/?f-add=city").content.decode()
    assert 'name="f-city"' in page
    assert listed(client, "?f-add=city&f-add-expression=A*") == []


@pytest.mark.parametrize("column", ["name", "company", "email", "phone", "city", "salesperson", "number", "modified"])
def test_it_sorts_by_any_column_both_ways(client, user, column):
    PersonFactory(name="A", company_name="A", email="a@x", phone="1", city="A", salesperson=user, number="A")
    PersonFactory(
        name="B", company_name="B", email="b@x", phone="2", city="B", salesperson=UserFactory(code="Z"), number="B"
    )
    query = "" if column == "name" else f"?sort={column}"
    assert listed(client, query) == ["A", "B"]
    assert listed(client, f"?sort=-{column}") == ["B", "A"]
    page = client.get(f"/contacts/?sort=-{column}&columns=name,{column}", follow=True).content.decode()
    assert f'col-{column}" aria-sort="descending"' in page


def test_pages_hold_every_contact_once(client):
    for number in range(123):
        PersonFactory(name=f"Person {number % 7}", surname=str(number))
    seen = []
    for page in (1, 2, 3):
        response = client.get("/contacts/", {"page": page} if page > 1 else {})
        seen += [contact.pk for contact in response.context["page"].object_list]
    assert len(seen) == len(set(seen)) == 123
    assert seen == list(Contact.objects.order_by("name", "pk").values_list("pk", flat=True))
    assert "51–100 of 123" in client.get("/contacts/?page=2").content.decode()
    assert len(client.get("/contacts/?page=99").context["page"]) == 23


@pytest.mark.parametrize(
    "query", ["?page=x", "?page=-1", "?page=0", "?sort=password", "?sort=--name", "?trash=2", "?f-password=a"]
)
def test_nonsense_in_the_address_does_no_harm(client, query):
    assert client.get(f"/contacts/{query}", follow=True).status_code == 200


def test_empty_lists_say_why(client):
    assert "No contacts yet" in client.get("/contacts/").content.decode()
    page = client.get("/contacts/?q=nobody&sort=city").content.decode()
    assert "No contact is found for “nobody”" in page and "Check the spelling" in page and "Clear the search" in page
    assert 'href="/contacts/?sort=city">Clear' in page
    page = client.get("/contacts/?f-city=A*").content.decode()
    assert "No contact passes the filter" in page and "Clear the filter" in page
    page = client.get("/contacts/?q=nobody&f-city=A*&trash=1").content.decode()
    assert (
        "No contact that passes the filter is found for “nobody”" in page and 'href="/contacts/?trash=1">Clear' in page
    )
    assert "The trash is empty" in client.get("/contacts/?trash=1").content.decode()


def test_long_names_and_script_tags_are_only_text(client):
    PersonFactory(name="x" * 310, company_name="<script>alert(1)</script>", email="a\"onx='1@x.example")
    page = client.get("/contacts/").content.decode()
    assert "<script>alert" not in page
    assert "x" * 37 + "…" in page


def test_both_sync_buttons_work_as_links_too(client):
    page = client.get("/contacts/").content.decode()
    assert 'href="/sync/start/?kind=sync" hx-get="/sync/start/?kind=sync" hx-target="#dialog"' in page
    assert 'href="/sync/start/?kind=full"' in page


def test_reading_changes_nothing(client):
    person = PersonFactory()
    before = Contact.objects.values().get()
    for path in (
        "",
        "?q=x",
        f"{person.number}/",
        f"{person.number}/edit/",
        "new/",
        "import/",
        "export/",
        "filter-count/",
    ):
        assert client.get(f"/contacts/{path}").status_code == 200
    for path in ("trash", "restore"):
        assert client.get(f"/contacts/{person.number}/{path}/").status_code == 405
    assert Contact.objects.values().get() == before
