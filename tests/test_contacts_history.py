"""The history of contacts: every change is kept with who, when and from where, and a value can be taken back."""

import io
import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from contacts.changes import ContactChange, Source
from contacts.models import Contact
from contacts.transfer.importing import import_contacts
from contacts.transfer.report import Report
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, UserFactory
from tests.scene import outlook_person
from tests.test_contacts_card import form_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(name="Jonas", code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def add(by=None, **fields):
    """A contact made by the way that everything takes."""
    return Contact().write(fields, by=by)


def kept(contact):
    """The contact's changes, oldest first, as (source, fields)."""
    return [(change.source, change.fields) for change in contact.changes.order_by("pk")]


def page_of(client, contact, query=""):
    return client.get(f"/contacts/{contact.number}/history/{query}").content.decode()


# --- Keeping ---------------------------------------------------------------------------------------------------------


def test_an_edit_of_the_card_is_kept_with_what_was_there_before(client, user):
    anne = add(first_name="Anne", surname="Holm", email="anne@x.example", city="Aarhus", birthday="1980-02-29")
    path = f"/contacts/{anne.number}/edit/"
    client.post(path, form_of(client, path, city="Odense", country="DK", birthday=""))
    change = anne.changes.first()
    assert (change.by, change.source, change.version) == (user, "person", 2)
    assert change.at == Contact.objects.get().modified_at
    assert change.fields == {
        "city": ["Aarhus", "Odense"], "country": ["", "DK"], "birthday": ["1980-02-29", None],
    }  # fmt: skip


def test_adding_trashing_and_restoring_are_kept(user):
    anne = add(first_name="Anne", by=user)
    anne.trash(by=user)
    anne.restore(by=None)
    (added, trashed, restored) = kept(anne)
    assert added == ("person", {})
    assert trashed[1]["deleted_at"][0] is None and trashed[1]["deleted_at"][1]
    assert restored == ("command", {"deleted_at": [trashed[1]["deleted_at"][1], None]})


def test_what_changes_nothing_is_not_kept(user):
    anne = add(first_name="Anne")
    anne.write({"first_name": "Anne"}, by=user)
    assert len(kept(anne)) == 1


def test_the_name_that_follows_from_others_is_not_a_change_of_its_own():
    anne = add(first_name="Anne", surname="Holm")
    anne.write({"surname": "Berg"}, by=None)
    fabrikam = add(type="company", name="Fabrikam")
    fabrikam.write({"name": "Fabrikam A/S"}, by=None)
    assert kept(anne)[1][1] == {"surname": ["Holm", "Berg"]}
    assert kept(fabrikam)[1][1] == {"name": ["Fabrikam", "Fabrikam A/S"]}


def test_a_company_s_new_name_is_a_change_of_each_of_its_people(user):
    fabrikam = add(type="company", name="Fabrikam")
    anne = add(first_name="Anne", company=fabrikam)
    fabrikam.write({"name": "Fabrikam A/S"}, by=user)
    anne.refresh_from_db()
    assert (anne.company_name, anne.version, anne.modified_by) == ("Fabrikam A/S", 2, user)
    assert kept(anne)[1] == ("person", {"company_name": ["Fabrikam", "Fabrikam A/S"]})


def test_an_import_says_so_and_one_that_is_only_tried_keeps_nothing(user):
    anne = add(first_name="Anne", email="anne@x.example")
    file = f"number,first_name,email\n{anne.number},Anna,anne@x.example\n,Bo,bo@x.example\n".encode()
    import_contacts(io.BytesIO(file), by=user, report=Report(is_dry_run=True))
    assert ContactChange.objects.count() == 1
    import_contacts(io.BytesIO(file), by=user)
    assert kept(anne)[1] == ("import", {"first_name": ["Anne", "Anna"]})
    assert kept(Contact.objects.get(first_name="Bo")) == [("import", {})]


def test_what_the_sync_brings_in_names_its_run(jens):
    jens.sync()
    jens.outlook.add("Business Central", **outlook_person("Anne", "Holm", "anne@x.example"))
    first = jens.sync()
    anne = Contact.objects.get()
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Buyer")
    second = jens.sync()
    changes = anne.changes.order_by("pk")
    assert [(c.source, c.reference, c.by) for c in changes] == [
        ("sync", str(first["run"]), jens.setup.user), ("sync", str(second["run"]), jens.setup.user),
    ]  # fmt: skip
    assert changes[1].fields == {"job_title": ["", "Buyer"]}


def test_keeping_costs_one_more_query_however_many_contacts_there_are():
    PersonFactory.create_batch(20)

    def queries(contacts):
        for contact in contacts:
            contact.assign({"city": "Odense"}, by=None)
        with CaptureQueriesContext(connection) as captured:
            Contact.objects.bulk_write(contacts)
        return [query["sql"] for query in captured if "contacts_contactchange" in query["sql"]]

    contacts = list(Contact.objects.all())
    assert len(queries(contacts[:1])) == len(queries(contacts[1:])) == 1
    assert ContactChange.objects.count() == 20


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_the_card_shows_the_last_changes_and_the_page_all_of_them(client, user):
    anne = add(first_name="Anne", by=user)
    for number in range(30):
        anne.write({"city": f"City {number}"}, by=user)
    card = client.get(f"/contacts/{anne.number}/").content.decode()
    assert card.count("history-entry") == 5 and f"/contacts/{anne.number}/history/" in card
    first, second = page_of(client, anne), page_of(client, anne, "?page=2")
    assert (first.count("history-entry"), second.count("history-entry")) == (25, 6)
    assert first.index("City <mark>29") < first.index("City <mark>27") and "Added" in second


def test_a_page_of_history_costs_the_same_queries_whatever_it_names(client, user, django_assert_num_queries):
    companies = CompanyFactory.create_batch(4)
    anne = add(first_name="Anne")
    for company in companies:
        anne.write({"company": company, "salesperson": UserFactory()}, by=UserFactory())
    with django_assert_num_queries(7):  # session, user, contact, count, changes, companies, salespeople
        page = page_of(client, anne)
    assert all(company.number in page for company in companies)


def test_a_contact_without_history_says_so(client):
    person = PersonFactory()
    assert "Nothing has changed yet" in page_of(client, person)
    assert "Nothing has changed yet." in client.get(f"/contacts/{person.number}/").content.decode()


def test_only_who_may_see_the_run_is_led_to_it(client, user):
    mine, other = add(first_name="Anne"), add(first_name="Bo")
    mine.write({"city": "Odense"}, by=user, source="sync", reference="7")
    other.write({"city": "Odense"}, by=UserFactory(name="Xenia"), source="sync", reference="8")
    assert 'href="/sync/runs/7/"' in page_of(client, mine)
    assert "the Outlook of Xenia" in page_of(client, other) and "/sync/runs/8/" not in page_of(client, other)
    client.force_login(AdministratorFactory())
    assert 'href="/sync/runs/8/"' in page_of(client, other)
    other.changes.update(at=timezone.now() - timezone.timedelta(days=91))
    assert "/sync/runs/8/" not in page_of(client, other)


def test_what_is_written_is_shown_as_people_write_it(client, user):
    anne = add(first_name="Anne")
    values = {"country": "DK", "birthday": "1980-02-29", "salesperson": user, "privacy_blocked": True}
    anne.write(values | {"notes": "<b>bold</b>"}, by=user)
    page = page_of(client, anne)
    for part in ("Denmark", "29 February 1980", "Jonas", "Yes", "&lt;b&gt;bold"):
        assert part in page, part


# --- Taking back -----------------------------------------------------------------------------------------------------


def take_back(client, contact, name, **of):
    """Press Restore beside the field in the newest change that has it; the message."""
    change = next(change for change in contact.changes.all() if name in change.fields)
    url = f"/contacts/{contact.number}/history/{of.get('pk', change.pk)}/restore/"
    response = client.post(url, {"field": name}, follow=True)
    return " ".join(str(message) for message in response.context["messages"])


def test_a_value_is_taken_back_as_a_change_of_its_own(client, user):
    anne = add(first_name="Anne", city="Aarhus", birthday="1980-02-29")
    anne.write({"city": "Odense", "birthday": None, "salesperson": user}, by=None)
    for name in ("city", "birthday", "salesperson"):
        assert "back to what it was" in take_back(client, anne, name)
    anne.refresh_from_db()
    assert (anne.city, str(anne.birthday), anne.salesperson, anne.version) == ("Aarhus", "1980-02-29", None, 5)
    assert kept(anne)[2] == ("person", {"city": ["Odense", "Aarhus"]})


def test_a_value_that_was_changed_again_is_left_alone(client):
    anne = add(first_name="Anne", city="Aarhus")
    anne.write({"city": "Odense"}, by=None)
    change = anne.changes.first()
    assert 'name="field" value="city"' in page_of(client, anne)
    anne.write({"city": "Vejle"}, by=None)
    assert "changed since" in take_back(client, anne, "city", pk=change.pk)
    assert Contact.objects.get().city == "Vejle"


def test_a_company_comes_back_with_its_name_unless_it_is_gone(client):
    one, two = CompanyFactory(name="One"), CompanyFactory(name="Two")
    anne = add(first_name="Anne", company=one)
    anne.write({"company": two}, by=None)
    assert "Restore Company" in page_of(client, anne)
    one.trash(by=None)
    assert "no longer in the CRM" in take_back(client, anne, "company")
    Contact.objects.get(pk=one.pk).restore(by=None)
    take_back(client, anne, "company")
    anne.refresh_from_db()
    assert (anne.company, anne.company_name) == (one, "One")


def test_nothing_senseless_comes_back(client):
    anne = add(email="anne@x.example")
    anne.write({"email": "", "first_name": "Anne"}, by=None)
    assert "needs a name or an e-mail" in take_back(client, anne, "first_name")
    anne.write({"type": "company", "name": "Anne & Co"}, by=None)
    assert "changed since" in take_back(client, anne, "type")
    anne.trash(by=None)
    assert "cannot be brought back" in take_back(client, anne, "deleted_at")
    assert Contact.objects.get().is_trashed


def test_nothing_is_taken_back_in_the_trash_or_of_somebody_else(client):
    anne, bo = add(first_name="Anne"), add(first_name="Bo")
    anne.write({"city": "Odense"}, by=None)
    change = anne.changes.first()
    url = f"/contacts/{bo.number}/history/{change.pk}/restore/"
    assert client.post(url, {"field": "city"}).status_code == 404
    assert client.get(url).status_code == 405
    anne.trash(by=None)
    assert 'name="field"' not in page_of(client, anne)
    assert "changed since" in take_back(client, anne, "city")
    assert Contact.objects.get(pk=anne.pk).city == "Odense"


def test_where_a_change_came_from_is_a_noun_in_danish_and_what_a_button_does_a_verb():
    with translation.override("da"):
        assert [str(source.label) for source in (Source.IMPORT, Source.MERGE)] == ["Import", "Fletning"]
        assert [translation.gettext(word) for word in ("Import", "Merge")] == ["Importer", "Flet"]


def test_the_kept_values_are_what_json_holds():
    anne = add(first_name="Anne", country="DK")
    anne.write({"country": "", "deleted_at": timezone.now()}, by=None)
    assert json.loads(json.dumps(kept(anne))) == [list(row) for row in kept(anne)]
