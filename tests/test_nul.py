"""The NUL character, which PostgreSQL takes in no query: in a path it leads nowhere, elsewhere it is passed over."""

import pytest

from contacts.models import Contact
from tests.factories import AdministratorFactory, PersonFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(AdministratorFactory())
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/contacts/%00/",
        "/contacts/C%00T/edit/",
        "/contacts/%00/history/",
        "/contacts/merge/%00/undo/",
        "/contacts/selected/%00/",
        "/sync/contacts/%00/",
        "/sync/contacts/%00/why/",
        "/sync/erasures/new/%00/",
    ],
)
def test_no_path_with_it_leads_anywhere(admin, path):
    assert admin.get(path).status_code == 404
    assert admin.post(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/contacts/?q=Ann%00e&f-city=A%00*&sort=%00&columns=%00&view=%00", 302),
        ("/contacts/?query=%00", 302),
        ("/contacts/new/?company=%00", 200),
        ("/contacts/companies/?company_name=%00", 200),
        ("/contacts/merge/?contact=%00", 302),
        ("/contacts/merge/?contact={number}&q=%00", 200),
        ("/contacts/selected/edit/?contact=%00", 302),
        ("/contacts/selected/edit/?all=1&query=q%3D%2500", 200),
        ("/contacts/selected/merge/?contact=%00", 302),
        ("/contacts/export/?q=%00&f-city=%00", 200),
        ("/contacts/duplicates/?sign=%00&page=%00", 200),
        ("/users/?q=%00", 200),
        ("/sync/?show=%00", 200),
        ("/sync/left-out/?reason=%00", 200),
        ("/sync/mailboxes/?q=%00&health=%00", 200),
        ("/sync/contacts/{number}/why/?user=%00", 200),
    ],
)
def test_parameters_lose_it(admin, path, status):
    number = PersonFactory(first_name="Anne", surname="Holm", city="Aarhus").number
    assert admin.get(path.format(number=number)).status_code == status


def test_a_search_finds_what_it_would_without(admin):
    PersonFactory(first_name="Anne", surname="Holm")
    assert "Anne Holm" in admin.get("/contacts/?q=Ann%00e", follow=True).text


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/contacts/selected/trash/", {"seal": "\0", "asked": "\0"}),
        ("/contacts/duplicates/not/", {"back": "\0"}),
        ("/contacts/merge/", {}),
    ],
)
def test_a_posted_number_with_it_is_nobodys(admin, path, data):
    anne = PersonFactory(first_name="Anne", surname="Holm")
    response = admin.post(path, data | {"contact": [f"{anne.number}\0", "\0"]}, follow=True)
    assert response.status_code == 200
    assert Contact.objects.alive().count() == 1
