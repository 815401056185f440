"""Contacts in Django's own admin site: it keeps the rules, and removes nothing."""

import pytest
from django.test import Client

from contacts.models import Contact
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    client = Client()
    client.force_login(AdministratorFactory(is_staff=True, is_superuser=True))
    return client


def posted(client, path, **changes):
    form = client.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in (None, False)} | changes


def test_the_list_takes_a_constant_number_of_queries(client, django_assert_max_num_queries):
    PersonFactory.create_batch(20, salesperson=UserFactory())
    with django_assert_max_num_queries(10):
        assert client.get("/admin/contacts/contact/?q=first").status_code == 200


def test_a_change_counts_the_version_up_and_carries_a_companys_name_over(client):
    company = CompanyFactory(name="Old")
    person = PersonFactory(company=company, company_name="Old")
    path = f"/admin/contacts/contact/{company.pk}/change/"
    assert client.post(path, posted(client, path, name="New")).status_code == 302
    company.refresh_from_db()
    person.refresh_from_db()
    assert (company.name, company.version, person.company_name) == ("New", 2, "New")


def test_a_new_contact_gets_a_number(client):
    path = "/admin/contacts/contact/add/"
    assert client.post(path, posted(client, path, first_name="Anne", email="anne@x.example")).status_code == 302
    assert Contact.objects.get().number == "CT000001"


def test_bad_input_is_refused_as_on_the_card(client):
    path = "/admin/contacts/contact/add/"
    response = client.post(path, posted(client, path, first_name="Anne", email="no-at", home_page="javascript:x"))
    assert set(response.context["adminform"].form.errors) == {"email", "home_page"}


def test_nothing_can_be_deleted_and_the_numbers_not_be_changed(client):
    person = PersonFactory()
    assert client.post(f"/admin/contacts/contact/{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/contacts/numberseries/").status_code == 200
    assert client.get("/admin/contacts/numberseries/add/").status_code == 403
    assert Contact.objects.count() == 1


def test_salespeople_have_no_admin_site():
    client = Client()
    client.force_login(UserFactory())
    assert client.get("/admin/contacts/contact/").status_code == 302
