"""Signing in by e-mail, and what goes wrong with it."""

import re
from collections.abc import Iterator

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from crmsync.users.models import User
from tests.factories import AdministratorFactory, UserFactory

PASSWORD = "secret-pass-1"
OTHER_PASSWORD = "quite-another-pass-2"


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def anna(db: None) -> User:
    return UserFactory(name="Anna", email="anna@crm.example")


def sign_in(client: Client, email: str = "anna@crm.example", password: str = PASSWORD, **more: str):
    return client.post("/accounts/login/", {"login": email, "password": password, **more})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("email", ["anna@crm.example", "Anna@CRM.example", "  ANNA@crm.example "])
def test_it_signs_in_by_e_mail_in_any_case(client: Client, anna: User, email: str) -> None:
    response = sign_in(client, email)

    assert response.status_code == 302 and response.url == "/"
    assert "Hello, Anna" in client.get("/").text


def test_it_signs_in_a_user_whose_e_mail_was_typed_with_capitals(client: Client, db: None) -> None:
    User.objects.create_user("Bo.Chen@CRM.Example", PASSWORD, name="Bo")

    assert sign_in(client, "bo.chen@crm.example").status_code == 302
    assert User.objects.get().email == "bo.chen@crm.example"


@pytest.mark.parametrize(("email", "password"), [("anna@crm.example", "wrong"), ("nobody@crm.example", PASSWORD)])
def test_it_says_plainly_that_e_mail_or_password_is_wrong(
    client: Client, anna: User, email: str, password: str
) -> None:
    response = sign_in(client, email, password)

    assert response.status_code == 200 and not is_signed_in(client)
    assert "The e-mail or the password is not right." in response.text
    assert f'value="{email}"' in response.text


def test_it_asks_for_what_is_missing(client: Client, db: None) -> None:
    response = sign_in(client, "", "")

    assert response.text.count("This field is required.") == 2


def test_it_closes_sign_in_for_a_while_after_five_wrong_passwords(client: Client, anna: User) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")

    response = sign_in(client)

    assert "Too many failed tries." in response.text and not is_signed_in(client)


def test_it_answers_too_many_requests_in_the_shell(client: Client, anna: User, settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    sign_in(client, password="wrong")

    response = sign_in(client)

    assert response.status_code == 429
    assert "Too many tries" in response.text and "crmsync" in response.text


def test_it_tells_a_closed_user_whom_to_ask(client: Client, anna: User) -> None:
    anna.is_active = False
    anna.save()

    response = client.post("/accounts/login/", {"login": anna.email, "password": PASSWORD}, follow=True)

    assert "You cannot sign in any more" in response.text and not is_signed_in(client)


def test_a_closed_user_is_out_at_once(client: Client, anna: User) -> None:
    AdministratorFactory()
    client.force_login(anna)
    anna.deactivate()

    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_it_goes_on_to_no_other_host(client: Client, anna: User, target: str) -> None:
    assert sign_in(client, next=target).url == "/"


def test_it_goes_on_to_the_page_that_was_asked_for(client: Client, anna: User) -> None:
    response = client.get("/accounts/password/change/")
    assert response.url == "/accounts/login/?next=/accounts/password/change/"

    assert sign_in(client, next="/accounts/password/change/").url == "/accounts/password/change/"


def test_the_session_gets_a_new_key_at_sign_in(client: Client, anna: User) -> None:
    client.get("/accounts/login/")
    session = client.session
    session["seen"] = "before"
    session.save()
    before = session.session_key

    sign_in(client)

    assert client.session.session_key != before


@pytest.mark.parametrize(("ticked", "ends_with_browser"), [({}, True), ({"remember": "on"}, False)])
def test_the_session_lasts_as_the_person_chose(
    client: Client, anna: User, ticked: dict[str, str], ends_with_browser: bool
) -> None:
    sign_in(client, **ticked)

    assert client.session.get_expire_at_browser_close() is ends_with_browser


def test_signing_out_is_a_post(client: Client, anna: User) -> None:
    client.force_login(anna)

    assert "Sign out?" in client.get("/accounts/logout/").text and is_signed_in(client)

    response = client.post("/accounts/logout/", follow=True)
    assert not is_signed_in(client) and "You are signed out." in response.text


def test_nobody_signs_up(client: Client, db: None) -> None:
    values = {"email": "new@crm.example", "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}

    assert "Nobody signs up here" in client.get("/accounts/signup/").text
    assert "Nobody signs up here" in client.post("/accounts/signup/", values).text
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["email/", "3rdparty/", "confirm-email/", "3rdparty/signup/"])
def test_pages_that_would_let_people_in_uninvited_do_not_exist(client: Client, anna: User, path: str) -> None:
    client.force_login(anna)

    assert client.get(f"/accounts/{path}").status_code == 404


def test_it_changes_the_password_and_stays_signed_in(client: Client, anna: User) -> None:
    client.force_login(anna)
    values = {"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}

    response = client.post("/accounts/password/change/", values, follow=True)

    assert "Your password is changed." in response.text and is_signed_in(client)
    anna.refresh_from_db()
    assert anna.check_password(OTHER_PASSWORD)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"oldpassword": "wrong", "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD},
            "not your current password",
        ),
        ({"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": "else"}, "type the same password"),
        ({"oldpassword": PASSWORD, "password1": "12345678", "password2": "12345678"}, "entirely numeric"),
    ],
)
def test_it_refuses_a_password_that_will_not_do(client: Client, anna: User, values: dict[str, str], said: str) -> None:
    client.force_login(anna)

    assert said in client.post("/accounts/password/change/", values).text
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_it_asks_for_the_password_once_more(client: Client, anna: User) -> None:
    client.force_login(anna)

    assert "That is not your password." in client.post("/accounts/reauthenticate/", {"password": "wrong"}).text
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302


def test_without_mail_a_forgotten_password_is_a_matter_for_an_administrator(client: Client, db: None) -> None:
    assert "An administrator can give you a link" in client.get("/accounts/login/").text

    page = client.get("/accounts/password/reset/").text
    assert "This server sends no mail." in page and "Send the link" not in page


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/reauthenticate/"])
def test_without_mail_no_page_leads_to_a_link_by_mail(client: Client, anna: User, path: str) -> None:
    client.force_login(anna)
    page = client.get(path).text
    assert "An administrator can give you a link" in page and 'href="/accounts/password/reset/"' not in page


def test_an_administrator_makes_that_link_themselves(client: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(role="administrator")
    client.force_login(anna)
    page = client.get("/accounts/password/change/").text
    assert f'<a href="/users/{anna.pk}/">Make a password link on your user card.</a>' in page
    assert "An administrator can give you" not in page


def test_a_mail_is_promised_only_where_mail_is_sent(client: Client, db: None, settings) -> None:
    page = client.get("/accounts/password/reset/done/").text
    assert "This server sends no mail." in page and "on its way" not in page
    settings.EMAIL_IS_SENT = True
    assert "a link is on its way" in client.get("/accounts/password/reset/done/").text


def test_a_used_link_offers_a_new_one_by_mail_only_where_mail_is_sent(client: Client, db: None, settings) -> None:
    link = "/accounts/password/reset/key/1-set-password/"
    page = client.get(link).text
    assert "This link no longer works" in page and "Ask an administrator for a new link." in page
    assert 'href="/accounts/password/reset/"' not in page
    settings.EMAIL_IS_SENT = True
    page = client.get(link).text
    assert "Ask an administrator for a new link, or send yourself one." in page
    assert 'href="/accounts/password/reset/"' in page


def test_with_mail_a_link_sets_a_new_password_once(client: Client, anna: User, settings) -> None:
    settings.EMAIL_IS_SENT, settings.BASE_URL = True, "https://crm.contoso.example"
    client.post("/accounts/password/reset/", {"email": "Anna@crm.example"})
    (message,) = mail.outbox
    assert message.to == ["anna@crm.example"] and message.subject == "Set a new password for crmsync"
    (link,) = re.findall(r"https://crm\.contoso\.example(/\S+)", message.body)

    form = client.get(link, follow=True)
    values = {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}
    client.post(form.redirect_chain[-1][0], values, follow=True)

    assert is_signed_in(client)
    assert "This link no longer works" in Client().get(link, follow=True).text


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: Client, db: None, settings) -> None:
    settings.EMAIL_IS_SENT = True

    response = client.post("/accounts/password/reset/", {"email": "nobody@crm.example"}, follow=True)

    assert "If a user has that e-mail" in response.text and not mail.outbox


def test_it_goes_on_in_the_language_of_the_user_card(client: Client, db: None) -> None:
    UserFactory(email="bo@crm.example", language="da")

    assert sign_in(client, "bo@crm.example").cookies["django_language"].value == "da"


def test_it_keeps_the_language_that_this_browser_chose(client: Client, db: None) -> None:
    UserFactory(email="bo@crm.example", language="da")
    client.cookies["django_language"] = "en"

    assert "django_language" not in sign_in(client, "bo@crm.example").cookies


def test_the_admin_site_signs_in_by_the_same_page(client: Client, anna: User) -> None:
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")

    client.force_login(anna)
    assert client.get("/admin/", follow=True).status_code == 403


def test_failed_tries_are_counted_by_visitor_behind_a_proxy(anna: User, settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "1/m/ip"}
    near, far = (Client(headers={"x-forwarded-for": address}) for address in ("192.0.2.1", "192.0.2.2"))
    for _ in range(2):
        response = sign_in(near, password="wrong")

    assert "Too many failed tries." in response.text
    assert sign_in(far).status_code == 302
