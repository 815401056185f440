"""The filter's rows, its live count, and what other pages' forms rely on."""

import pytest
from django.http import QueryDict
from django.test import Client

from contacts.filter_form import ContactFilterForm
from contacts.filters import READY_FIELDS
from contacts.models import Contact
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    client = Client()
    client.force_login(UserFactory(code="JR"))
    return client


def test_it_begins_with_business_centrals_fields_and_what_is_stored():
    form = ContactFilterForm(stored={"city": "A*", "birthday": "1980"})
    assert [row.field.name for row in form.rows] == [*READY_FIELDS, "birthday"]
    assert form["city"].value() == "A*"
    assert not ContactFilterForm().initial_from({"city": "A*"}).is_valid()


def test_a_valid_form_gives_the_filter_without_blank_rows():
    form = ContactFilterForm(QueryDict("filter-city=A*&filter-country=&filter-type=Person&other=1"))
    assert form.is_valid()
    assert form.cleaned_filter == {"city": "A*", "type": "Person"}
    PersonFactory(city="Aarhus")
    CompanyFactory(city="Aarhus")
    assert Contact.objects.filter(form.q).count() == 1


def test_a_mistake_is_kept_with_its_row():
    form = ContactFilterForm(QueryDict("filter-city=A|&filter-type=Robot&filter-country=DK"), me=None)
    assert not form.is_valid()
    assert {name: error.position for name, error in form.mistakes.items()} == {"city": 2, "type": 0}
    assert [bool(row.error) for row in form.rows] == [True, True, False]


def test_fields_that_do_not_exist_are_not_taken():
    form = ContactFilterForm(QueryDict("filter-password=a&filter-company__salesperson=b&filter-=c"))
    assert form.is_valid()
    assert form.cleaned_filter == {}


def test_the_count_says_how_many_are_selected_and_how_many_can_be_written_to(client):
    PersonFactory(city="Aarhus")
    PersonFactory(city="Aarhus", email="")
    PersonFactory(city="Berlin")
    CompanyFactory(city="Aarhus")
    PersonFactory(city="Aarhus").trash(by=None)
    page = client.post("/contacts/filter-count/", {"prefix": "filter", "filter-city": "A*"}).content.decode()
    assert "3 of 4 contacts" in page
    assert "1 is a person with a name and an e\u2011mail" in page
    assert client.get("/contacts/filter-count/?filter-city=A*").content.decode() == page


def test_where_contacts_are_handed_over_only_the_givers_are_counted(client):
    giver = UserFactory()
    PersonFactory(city="Aarhus", salesperson=giver)
    PersonFactory(city="Berlin", salesperson=giver)
    PersonFactory(city="Aarhus")
    data = {"prefix": "filter", "filter-city": "A*"}
    assert "1 of 2 contacts" in client.post("/contacts/filter-count/", data | {"giver": giver.pk}).text
    for nobody in ("x", "9" * 30):
        assert "2 of 3 contacts" in client.post("/contacts/filter-count/", data | {"giver": nobody}).text
    assert "contacts" not in client.post("/contacts/filter-count/", data | {"giver": ""}).text


def test_the_count_comes_with_a_few_names_where_they_are_asked_for(client):
    for number in range(6):
        PersonFactory(first_name=f"Anne{number}", surname="Holm", city="Aarhus")
    PersonFactory(first_name="Aase", surname="Postless", city="Aarhus", email="")
    data = {"prefix": "filter", "filter-city": "A*", "filter-sample": "1"}
    page = client.post("/contacts/filter-count/", data).content.decode()
    assert "Anne0 Holm" in page and "Anne3 Holm" in page and "Anne4 Holm" not in page and "and 2 more" in page
    assert "Aase" not in page
    assert 'name="filter-sample"' in client.post("/contacts/filter-widget/", data).content.decode()
    data["filter-sample"] = ""
    assert "Anne0" not in client.post("/contacts/filter-count/", data).content.decode()


def test_the_count_shows_the_mistake_under_its_row(client):
    page = client.post("/contacts/filter-count/", {"prefix": "f", "f-city": "(A", "f-type": "Person"}).content.decode()
    assert '<div class="filter-error" id="id_f-city_error" aria-live="polite" hx-swap-oob="true">' in page
    assert "This parenthesis is never closed." in page
    assert '<pre class="filter-pointer" aria-hidden="true">(A\n^</pre>' in page


@pytest.mark.parametrize("prefix", ["", "a b", "<script>", "é"])
def test_an_odd_prefix_is_not_found(client, prefix):
    assert client.get("/contacts/filter-count/", {"prefix": prefix}).status_code == 404


def test_rows_are_added_and_removed(client):
    data = {"prefix": "filter", "filter-city": "A*", "filter-add": "birthday"}
    page = client.post("/contacts/filter-widget/", data).content.decode()
    assert 'name="filter-city" value="A*"' in page
    assert 'name="filter-birthday" value=""' in page
    assert "autofocus" in page and page.count("filter-row is-added") == 1
    page = client.post("/contacts/filter-widget/", data | {"filter-add": "", "filter-remove": "city"}).content.decode()
    assert 'name="filter-city"' not in page


def test_whoever_removes_a_row_goes_on_at_the_next_one_or_adds_one():
    data = {"filter-city": "A*", "filter-type": "Nobody", "filter-county": ""}
    form = ContactFilterForm(data | {"filter-remove": "city"})
    assert [row.field.name for row in form.rows if row.focused] == ["type"] and not form.adds_next
    form = ContactFilterForm(data | {"filter-remove": "county"})
    assert not any(row.focused for row in form.rows) and form.adds_next
