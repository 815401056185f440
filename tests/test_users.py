"""The Users list and the user card, for administrators."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from crmsync.users.models import Role, User
from tests.factories import AdministratorFactory, UserFactory


def card(**changed: str) -> dict[str, str]:
    return {
        "name": "Bo Chen 陈波",
        "email": "bo@crm.example",
        "code": "BC",
        "role": "salesperson",
        "language": "en",
        "authentication_email": "bo@contoso.example",
    } | changed


@pytest.fixture
def anna(db: None) -> User:
    return AdministratorFactory(name="Anna", email="anna@crm.example", code="AA")


@pytest.fixture
def bo(db: None) -> User:
    return UserFactory(**card())


@pytest.fixture
def as_anna(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


PAGES = ["/users/", "/users/new/", "/users/{pk}/", "/users/{pk}/password-link/"]
CHANGES = ["/users/new/", "/users/{pk}/", "/users/{pk}/deactivate/", "/users/{pk}/reactivate/"]


@pytest.mark.parametrize("path", PAGES)
def test_an_administrator_sees_the_pages(as_anna: Client, bo: User, path: str) -> None:
    assert as_anna.get(path.format(pk=bo.pk)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_salesperson_gets_the_403_page_in_the_shell(client: Client, bo: User, path: str) -> None:
    client.force_login(bo)

    response = client.get(path.format(pk=bo.pk))

    assert response.status_code == 403
    assert "You may not see this page" in response.text and "Bo Chen" in response.text


@pytest.mark.parametrize("path", CHANGES)
def test_a_salesperson_changes_nobody(client: Client, anna: User, bo: User, path: str) -> None:
    client.force_login(bo)

    response = client.post(path.format(pk=bo.pk), card(role="administrator"))

    assert response.status_code == 403
    bo.refresh_from_db()
    assert bo.role == Role.SALESPERSON and bo.is_active and User.objects.count() == 2


@pytest.mark.parametrize("path", [*PAGES, *CHANGES])
def test_signed_out_it_leads_to_the_sign_in_page(client: Client, bo: User, path: str) -> None:
    address = path.format(pk=bo.pk)
    for response in (client.get(address), client.post(address, card())):
        assert response.status_code == 302 and response.url == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("path", ["/users/{pk}/deactivate/", "/users/{pk}/reactivate/"])
def test_changes_are_posts(as_anna: Client, bo: User, path: str) -> None:
    assert as_anna.get(path.format(pk=bo.pk)).status_code == 405


def test_only_administrators_find_users_in_the_menu(client: Client, anna: User, bo: User) -> None:
    client.force_login(anna)
    assert 'href="/users/"' in client.get("/").text

    client.force_login(bo)
    assert 'href="/users/"' not in client.get("/").text


def test_the_list_shows_who_stands_where_with_microsoft_365(as_anna: Client, bo: User) -> None:
    UserFactory(name="Carla", authentication_email="")
    UserFactory(name="Dora", signed_in_to_microsoft_at=timezone.now())

    page = as_anna.get("/users/").text

    words = re.findall(r"</svg>(Disabled|Inactive|Active)", page)
    assert sorted(words) == ["Active", "Disabled", "Inactive", "Inactive"]
    assert "4 users" in page


@pytest.mark.parametrize("words", ["bo", "陈波", "BC", "contoso bo", "bo@crm"])
def test_the_list_finds_by_name_code_and_e_mails(as_anna: Client, bo: User, words: str) -> None:
    page = as_anna.get("/users/", {"q": words}).text

    assert "Bo Chen" in page and "anna@crm.example" not in page.split("</header>", 1)[1]


def test_a_very_long_search_finds_nobody(as_anna: Client) -> None:
    assert "Nobody is found" in as_anna.get("/users/", {"q": "x" * 60_000}).text


def test_an_empty_list_says_why_and_what_to_do(as_anna: Client) -> None:
    page = as_anna.get("/users/", {"q": "<nobody>"}).text

    assert "Nobody is found for “&lt;nobody&gt;”" in page and "Clear the search" in page


def test_the_list_takes_the_same_queries_for_many(as_anna: Client, django_assert_num_queries: Callable) -> None:
    UserFactory.create_batch(30)
    # session, me, count, rows
    with django_assert_num_queries(4):
        assert as_anna.get("/users/").status_code == 200


def test_pages_keep_the_search(as_anna: Client) -> None:
    UserFactory.create_batch(60)

    page = as_anna.get("/users/", {"q": "person", "page": 1}).text

    assert "1–50 of 60" in page and 'href="?q=person&amp;page=2"' in page


def test_it_adds_a_user_who_sets_a_password_by_the_link(as_anna: Client) -> None:
    values = card(email="New.One@crm.example", name="New One", code="no", authentication_email="")

    page = as_anna.post("/users/new/", values, follow=True).text

    user = User.objects.get(email="new.one@crm.example")
    assert user.code == "NO" and not user.has_usable_password()
    (path,) = re.findall(r'value="http://testserver(/accounts/password/reset/key/[^"]+)"', page)
    newcomer = Client()
    form = newcomer.get(path, follow=True).redirect_chain[-1][0]
    response = newcomer.post(form, {"password1": "quite-a-pass-9", "password2": "quite-a-pass-9"}, follow=True)
    assert "Hello, New One" in response.text
    assert "This link no longer works" in Client().get(path, follow=True).text


def test_the_password_link_is_never_stored_by_the_browser(as_anna: Client, bo: User) -> None:
    assert "no-store" in as_anna.get(f"/users/{bo.pk}/password-link/")["Cache-Control"]


def test_a_closed_user_gets_no_password_link(as_anna: Client, bo: User) -> None:
    bo.deactivate()

    assert as_anna.get(f"/users/{bo.pk}/password-link/").status_code == 404


def test_it_saves_the_card(as_anna: Client, bo: User) -> None:
    response = as_anna.post(f"/users/{bo.pk}/", card(name="Bo C.", role="administrator", language="da"), follow=True)

    assert "Bo C. is saved." in response.text
    bo.refresh_from_db()
    assert (bo.name, bo.role, bo.language) == ("Bo C.", Role.ADMINISTRATOR, "da")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("email", "ANNA@crm.example", "Anna has this e-mail already."),
        ("authentication_email", "Anna@Contoso.Example", "Anna has this authentication email already."),
        ("code", "aa", "Anna has this code already."),
        ("email", "not an address", "Enter a valid email address."),
        ("name", "", "This field is required."),
        ("name", "x" * 1_000_000, "Ensure this value has at most 150 characters"),
    ],
)
def test_it_says_what_is_wrong_with_a_card(as_anna: Client, bo: User, field: str, value: str, said: str) -> None:
    User.objects.filter(name="Anna").update(authentication_email="anna@contoso.example")

    response = as_anna.post(f"/users/{bo.pk}/", card(**{field: value}))

    assert response.status_code == 200 and said in response.text
    assert "Nothing was saved yet." in response.text
    assert User.objects.get(pk=bo.pk).email == "bo@crm.example"


def test_ten_megabytes_of_name_are_refused_in_the_shell(as_anna: Client, bo: User) -> None:
    response = as_anna.post(f"/users/{bo.pk}/", card(name="x" * 10_000_000))

    assert response.status_code == 400 and 'id="rail"' in response.text
    assert "The page could not read that request" in response.text


def test_another_authentication_email_is_inactive_until_the_first_sign_in(as_anna: Client, bo: User) -> None:
    bo.note_microsoft_sign_in()
    assert "Their sync moves to the mailbox of the new e-mail." in as_anna.get(f"/users/{bo.pk}/").text

    as_anna.post(f"/users/{bo.pk}/", card(authentication_email="bo.chen@contoso.example"))

    bo.refresh_from_db()
    assert bo.signed_in_to_microsoft_at is None
    assert "They have not signed in to Microsoft 365" in as_anna.get(f"/users/{bo.pk}/").text


def test_saving_the_card_as_it_was_keeps_the_status(as_anna: Client, bo: User) -> None:
    bo.note_microsoft_sign_in()

    as_anna.post(f"/users/{bo.pk}/", card(authentication_email="BO@contoso.example"))

    bo.refresh_from_db()
    assert bo.signed_in_to_microsoft_at is not None


def test_the_last_administrator_stays_administrator(as_anna: Client, anna: User) -> None:
    values = card(name="Anna", email=anna.email, code="AA", authentication_email=anna.authentication_email)

    response = as_anna.post(f"/users/{anna.pk}/", values)

    assert "This is the last administrator." in response.text
    anna.refresh_from_db()
    assert anna.is_administrator


def test_the_last_administrator_cannot_be_closed(as_anna: Client, anna: User) -> None:
    AdministratorFactory(is_active=False)

    response = as_anna.post(f"/users/{anna.pk}/deactivate/", follow=True)

    assert "This is the last administrator." in response.text
    anna.refresh_from_db()
    assert anna.is_active


def test_the_admin_site_keeps_the_last_administrator_too(client: Client, db: None) -> None:
    root = User.objects.create_superuser("root@crm.example", "secret-pass-1", name="Root")
    client.force_login(root)
    values = {"name": "Root", "email": root.email, "role": "salesperson", "language": "en", "is_active": "on"}

    assert "This is the last administrator." in client.post(f"/admin/users/user/{root.pk}/change/", values).text


def test_one_of_two_administrators_may_go(as_anna: Client, anna: User) -> None:
    AdministratorFactory()
    values = card(name="Anna", email=anna.email, code="AA", authentication_email=anna.authentication_email)

    as_anna.post(f"/users/{anna.pk}/", values)

    anna.refresh_from_db()
    assert not anna.is_administrator
    assert as_anna.get("/users/").status_code == 403


def test_it_closes_and_opens_the_sign_in(as_anna: Client, bo: User) -> None:
    assert "can no longer sign in" in as_anna.post(f"/users/{bo.pk}/deactivate/", follow=True).text
    bo.refresh_from_db()
    assert not bo.is_active

    assert "can sign in again" in as_anna.post(f"/users/{bo.pk}/reactivate/", follow=True).text
    bo.refresh_from_db()
    assert bo.is_active


def test_who_is_no_administrator_any_more_loses_the_admin_site_too(db: None) -> None:
    root = User.objects.create_superuser("root@crm.example", "secret-pass-1", name="Root")
    AdministratorFactory()
    root.role = Role.SALESPERSON
    root.save()

    root.refresh_from_db()
    assert not root.is_staff and not root.is_superuser


def test_a_superuser_sees_users_on_the_admin_site(client: Client, bo: User) -> None:
    client.force_login(User.objects.create_superuser("root@crm.example", "secret-pass-1", name="Root"))

    assert "bo@crm.example" in client.get("/admin/users/user/").text
    assert client.get(f"/admin/users/user/{bo.pk}/delete/").status_code == 403
