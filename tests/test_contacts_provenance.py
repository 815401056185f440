"""Who set what: each field of a card with who set it, when and from where, and its former value to have back."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.changes import Source
from contacts.models import Contact
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, UserFactory
from tests.scene import edit

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client):
    user = UserFactory(name="Jonas Reader")
    client.force_login(user)
    return user


def rows(client, contact, **headers):
    response = client.get(f"/contacts/{contact.number}/provenance/", headers=headers)
    assert response.status_code == 200
    return {str(row.label): row for row in response.context["origins"]}


@pytest.fixture
def anne():
    adder = UserFactory(name="Ada Adder")
    return Contact().write({"first_name": "Anne", "surname": "Holm", "email": "anne@x.example"}, by=adder)


def test_each_field_names_who_set_it_last_and_what_was_there_before(client, reader, anne):
    anne.write({"city": "Aarhus"}, by=UserFactory(name="Bo Editor"))
    anne.write({"city": "Odense"}, by=None, source=Source.IMPORT)
    found = rows(client, anne)
    assert (found["E-mail"].who, found["E-mail"].before) == ("Ada Adder", None)
    assert (found["City"].value, found["City"].who, found["City"].before.changed) == ("Odense", "Import", "Aarhus")
    assert "Phone no." not in found and "Name" not in found and "Type" not in found


def test_a_field_that_held_nothing_before_is_emptied_again_and_one_from_the_start_has_no_way_back(client, reader, anne):
    anne.write({"city": "Aarhus"}, by=reader)
    path = f"/contacts/{anne.number}/"
    for page in (client.get(f"{path}provenance/").text, client.get(f"{path}history/").text):
        assert "Empty again: City" in page and "Restore" not in page
    assert client.get(f"{path}provenance/").text.count("when added") == 3


def test_an_emptied_field_can_be_had_back_from_the_card(client, reader, anne):
    anne.write({"city": "Aarhus"}, by=reader)
    anne.write({"city": ""}, by=reader)
    row = rows(client, anne)["City"]
    assert (row.value, row.name) == ("", "city")
    path = f"/contacts/{anne.number}/history/{row.change.pk}/restore/"
    assert client.post(path, {"field": "city", "back": "card"}).url == anne.get_absolute_url()
    assert Contact.objects.get(pk=anne.pk).city == "Aarhus"


def test_what_is_older_than_the_history_is_not_known(client, reader):
    page = client.get(f"/contacts/{PersonFactory(city='Aarhus').number}/provenance/").content.decode()
    assert "not known" in page and "before the history began" in page and "Restore" not in page


def test_nothing_is_said_of_unknown_values_where_there_are_none(client, reader, anne):
    assert "before the history began" not in client.get(f"/contacts/{anne.number}/provenance/").content.decode()


def test_a_company_and_a_salesperson_are_named(client, reader, anne):
    anne.write({"company": CompanyFactory(name="Fabrikam"), "salesperson": reader}, by=reader)
    found = rows(client, anne)
    assert found["Company"].value.startswith("Fabrikam · CT") and found["Salesperson"].value == "Jonas Reader"
    assert "Company name" not in found


def test_a_run_is_linked_only_for_whom_it_is_there(client, jens):
    anne = PersonFactory(first_name="Anne", surname="Holm", email="anne@x.example")
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Chief")
    jens.sync()
    for user, may_see in ((jens.setup.user, True), (AdministratorFactory(), True), (UserFactory(), False)):
        client.force_login(user)
        row = rows(client, anne)["Job title"]
        assert row.who == f"Sync with the Outlook of {jens.setup.user.name}" and bool(row.run_url) is may_see


def test_a_long_history_costs_the_same_queries_as_a_short_one(client, reader, anne):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            rows(client, anne)
        return len(captured)

    edit(anne, city="1", salesperson=reader)
    few = queries()
    for number in range(2, 40):
        edit(anne, city=str(number), salesperson=UserFactory() if number % 2 else reader)
    assert queries() == few <= 8


def test_the_card_asks_for_it_only_when_somebody_wants_it(client, reader, anne):
    card = client.get(anne.get_absolute_url()).content.decode()
    assert "Show who set what" in card and "Set by" not in card
    fragment = client.get(f"/contacts/{anne.number}/provenance/", headers={"hx-request": "true"}).content.decode()
    assert "Set by" in fragment and "<html" not in fragment and "autofocus" in fragment
    client.logout()
    assert client.get(f"/contacts/{anne.number}/provenance/").status_code == 302
