"""Signing in with Microsoft, against the sandbox tenant over real HTTP."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core.cache import cache
from django.test import Client

from crmsync.users.models import AuthenticationStatus, User
from tests.factories import AdministratorFactory, UserFactory
from tests.outlook import Tenant

START = "/accounts/microsoft/login/?process=login"
JENS = "jens@contoso.example"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


def at_microsoft(url: str, email: str, answer: str = "accept") -> str:
    """Sign in on Microsoft's page as a browser does; the address on our side that it sends back to."""
    with requests.Session() as browser:
        browser.trust_env = False
        assert browser.get(url, timeout=30).status_code == 200
        response = browser.post(url, data={"email": email, "answer": answer}, allow_redirects=False, timeout=30)
    target = urlsplit(response.headers["Location"])
    assert target.netloc == "testserver"
    return f"{target.path}?{target.query}"


def sign_in(client: Client, email: str = JENS, start: str = START, **more: str) -> Any:
    """The whole way: our button, Microsoft's page, and back."""
    return client.get(at_microsoft(client.post(start).url, email, **more), follow=True)


def is_signed_in(client: Client, user: User) -> bool:
    return client.session.get("_auth_user_id") == str(user.pk)


@pytest.fixture
def jens(db: None, sandbox: Tenant) -> User:
    """A user with an authentication email that nobody has signed in with yet."""
    sandbox.add_person(JENS, "Jens Hansen")
    return UserFactory(name="Jens", email="jh@crm.example", authentication_email=JENS)


def test_it_connects_and_signs_in_the_user_with_that_authentication_email(client: Client, jens: User) -> None:
    assert jens.authentication_status == AuthenticationStatus.INACTIVE

    response = sign_in(client)

    assert "Hello, Jens" in response.text and is_signed_in(client, jens)
    jens.refresh_from_db()
    assert jens.authentication_status == AuthenticationStatus.ACTIVE
    assert SocialAccount.objects.get().user == jens
    assert not SocialToken.objects.exists()


def test_it_asks_for_the_profile_only_with_a_proof_key(client: Client, jens: User) -> None:
    url = client.post(START).url

    assert "scope=User.Read&" in url and "code_challenge_method=S256" in url
    assert "/11111111-2222-4333-8444-555555555555/oauth2/v2.0/authorize" in url


def test_it_compares_addresses_without_case(client: Client, jens: User, sandbox: Tenant) -> None:
    User.objects.filter(pk=jens.pk).update(authentication_email="Jens@Contoso.Example")

    sign_in(client)

    assert is_signed_in(client, jens)


def test_it_knows_the_sign_in_name_where_the_mail_address_differs(client: Client, db: None, sandbox: Tenant) -> None:
    sandbox.add_person("bo.chen@contoso.example", "Bo Chen", upn="bo@contoso.example")
    bo = UserFactory(authentication_email="bo@contoso.example")

    sign_in(client, "bo.chen@contoso.example")

    assert is_signed_in(client, bo)


def test_the_second_sign_in_adds_nothing(client: Client, jens: User) -> None:
    sign_in(client)
    jens.refresh_from_db()
    first = jens.signed_in_to_microsoft_at
    client.post("/accounts/logout/")

    sign_in(client)

    jens.refresh_from_db()
    assert is_signed_in(client, jens) and jens.signed_in_to_microsoft_at == first
    assert SocialAccount.objects.count() == 1


def test_an_unknown_account_gets_a_page_that_says_whom_to_ask(client: Client, jens: User, sandbox: Tenant) -> None:
    sandbox.add_person("stranger@contoso.example", "A Stranger")

    response = sign_in(client, "stranger@contoso.example")

    assert response.status_code == 403
    assert "stranger@contoso.example" in response.text and "Ask an administrator" in response.text
    assert User.objects.count() == 1 and not SocialAccount.objects.exists()
    assert "_auth_user_id" not in client.session


def test_a_user_without_authentication_email_is_known_by_e_mail(client: Client, db: None, sandbox: Tenant) -> None:
    sandbox.add_person("bo@contoso.example", "Bo")
    bo = UserFactory(email="bo@contoso.example", authentication_email="")

    sign_in(client, "bo@contoso.example")

    assert is_signed_in(client, bo)
    bo.refresh_from_db()
    assert bo.authentication_status == AuthenticationStatus.DISABLED and bo.signed_in_to_microsoft_at is None


def test_the_e_mail_of_a_user_with_another_authentication_email_opens_nothing(
    client: Client, jens: User, sandbox: Tenant
) -> None:
    sandbox.add_person("jh@crm.example", "Somebody else")

    assert sign_in(client, "jh@crm.example").status_code == 403


def test_a_new_authentication_email_ends_the_old_account_s_way_in(client: Client, jens: User, sandbox: Tenant) -> None:
    sandbox.add_person("jens.hansen@contoso.example", "Jens Hansen")
    sign_in(client)
    client.post("/accounts/logout/")
    jens.refresh_from_db()
    jens.authentication_email = "jens.hansen@contoso.example"
    jens.save()

    assert jens.authentication_status == AuthenticationStatus.INACTIVE
    assert sign_in(client).status_code == 403
    sign_in(client, "jens.hansen@contoso.example")
    assert is_signed_in(client, jens)


def test_an_account_goes_with_its_address_to_another_user(client: Client, jens: User) -> None:
    sign_in(client)
    client.post("/accounts/logout/")
    jens.refresh_from_db()
    jens.authentication_email = ""
    jens.save()
    bo = UserFactory(authentication_email=JENS)

    sign_in(client)

    assert is_signed_in(client, bo) and SocialAccount.objects.get().user == bo


def test_a_closed_user_stays_out(client: Client, jens: User) -> None:
    AdministratorFactory()
    jens.deactivate()

    response = sign_in(client)

    assert "You cannot sign in any more" in response.text and "_auth_user_id" not in client.session
    jens.refresh_from_db()
    assert jens.signed_in_to_microsoft_at is None


def test_a_signed_in_user_cannot_take_over_another_s_account(client: Client, jens: User) -> None:
    bo = UserFactory()
    client.force_login(bo)

    sign_in(client, start="/accounts/microsoft/login/?process=connect")

    assert is_signed_in(client, bo)
    assert not SocialAccount.objects.filter(user=bo).exists()


def test_a_refused_consent_changes_nothing(client: Client, jens: User) -> None:
    response = sign_in(client, answer="refuse")

    assert "You did not sign in" in response.text and "_auth_user_id" not in client.session


def test_an_answer_that_we_did_not_ask_for_is_refused(client: Client, jens: User) -> None:
    answer = at_microsoft(client.post(START).url, JENS)

    response = Client().get(answer)

    assert response.status_code == 401 and "Microsoft did not sign you in" in response.text


def test_an_answer_works_once(client: Client, jens: User) -> None:
    answer = at_microsoft(client.post(START).url, JENS)
    client.get(answer)

    assert client.get(answer).status_code == 401


@pytest.mark.parametrize("fault", ["consent_required", "garbage", "truncate", "empty", "drop"])
def test_it_says_so_when_microsoft_fails(
    client: Client, jens: User, sandbox: Tenant, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(fault, match="/token$")

    response = sign_in(client)

    assert response.status_code == 401 and "Microsoft did not sign you in" in response.text
    assert "Sign-in with Microsoft failed: " in caplog.text
    assert "not-a-secret" not in caplog.text


def test_it_goes_on_to_the_page_that_was_asked_for(client: Client, jens: User) -> None:
    response = sign_in(client, start=f"{START}&next=/accounts/password/change/")

    assert response.redirect_chain[-1][0] == "/accounts/password/change/"


def test_it_goes_on_to_no_other_host(client: Client, jens: User) -> None:
    assert sign_in(client, start=f"{START}&next=https://evil.example/").redirect_chain[-1][0] == "/"


def test_opening_the_address_only_asks(client: Client, jens: User) -> None:
    response = client.get(START)

    assert response.status_code == 200 and "Go on" in response.text


def test_the_button_is_there_only_where_microsoft_365_is_set_up(client: Client, db: None, settings) -> None:
    assert "Sign in with Microsoft" in client.get("/accounts/login/").text

    settings.M365_CONFIGURED = False

    assert "Sign in with Microsoft" not in client.get("/accounts/login/").text
