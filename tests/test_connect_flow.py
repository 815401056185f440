"""Connecting a mailbox: to Microsoft's sign-in page and back, and everything that may come back instead."""

import json

import pytest
from django.db import connection
from django.test import Client

from exchange_setup import connecting
from exchange_setup.models import ExchangeSync, MailboxSignIn, Trouble
from tests.connect import at_microsoft, begin_sign_in, come_back, connect, connected_setup
from tests.factories import SetupFactory, UserFactory
from tests.outlook import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(sandbox: Tenant, client: Client):
    user = UserFactory(name="Anna", authentication_email="anna@contoso.example")
    sandbox.add_person("anna@contoso.example", "Anna")
    client.force_login(user)
    return user


def test_signing_in_connects_the_mailbox(anna, client: Client) -> None:
    assert connect(client, "anna@contoso.example") == ["Connected to anna@contoso.example."]
    setup = ExchangeSync.objects.get(user=anna)
    assert setup.sign_in.is_connected and setup.sign_in.account == "anna@contoso.example"
    assert setup.mailbox == "anna@contoso.example"
    assert setup.sign_in.token_cache.startswith("{")
    anna.refresh_from_db()
    assert anna.signed_in_to_microsoft_at is not None


def test_the_way_there_asks_for_contacts_and_nothing_more(anna, client: Client) -> None:
    address = begin_sign_in(client)
    assert "scope=Contacts.ReadWrite+User.Read+" in address
    assert "code_challenge_method=S256" in address and "login_hint=anna%40contoso.example" in address
    assert "redirect_uri=http%3A%2F%2Ftestserver%2Fexchange-setup%2Fcallback%2F" in address


def test_the_way_back_leads_to_the_address_that_the_product_is_known_by(anna, client: Client, settings) -> None:
    settings.BASE_URL = "https://crm.example.com"
    assert "redirect_uri=https%3A%2F%2Fcrm.example.com%2Fexchange-setup%2Fcallback%2F" in begin_sign_in(client)


def test_the_account_must_be_the_one_on_the_user_card(anna, sandbox: Tenant, client: Client) -> None:
    sandbox.add_person("bo@contoso.example", "Bo")
    [message] = connect(client, "bo@contoso.example")
    assert "bo@contoso.example" in message and "anna@contoso.example" in message
    assert not MailboxSignIn.objects.exists()
    anna.refresh_from_db()
    assert anna.signed_in_to_microsoft_at is None
    assert "prompt=select_account" in begin_sign_in(client)


def test_the_account_may_have_another_sign_in_name_than_its_mail(sandbox: Tenant, client: Client) -> None:
    sandbox.add_person("Carla@contoso.example", "Carla", upn="c17@contoso.example")
    client.force_login(UserFactory(authentication_email="carla@contoso.example"))
    assert connect(client, "Carla@contoso.example") == ["Connected to carla@contoso.example."]


def test_a_refused_consent_connects_nothing(anna, client: Client) -> None:
    query = at_microsoft(begin_sign_in(client), "anna@contoso.example", answer="cancel")
    assert query["error"] == "access_denied"
    [message] = come_back(client, query)
    assert "did not agree" in message
    assert not MailboxSignIn.objects.exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"do": "consent_required"}, "administrator"),
        ({"do": "wrong_nonce"}, "begun elsewhere"),
        ({"do": "wrong_tid"}, "another organisation"),
        ({"do": "revoked"}, "has run out"),
        ({"do": "status", "status": 503, "match": "POST /token"}, "did not answer"),
        ({"do": "drop", "match": "POST /token"}, "did not answer"),
        ({"do": "garbage", "match": "POST /token"}, "did not answer"),
    ],
)
def test_a_sign_in_that_goes_wrong_says_so_and_keeps_nothing(
    anna, sandbox: Tenant, client: Client, fault: dict, words: str
) -> None:
    query = at_microsoft(begin_sign_in(client), "anna@contoso.example")
    sandbox.faults.add(**fault)
    [message] = come_back(client, query)
    assert words in message
    assert not MailboxSignIn.objects.exists()


@pytest.mark.parametrize(
    ("number", "words"),
    [("90094", "administrator"), ("50105", "assign"), ("65004", "did not agree"), ("50020", "another organisation")],
)
def test_an_error_of_the_sign_in_page_is_put_in_words(anna, client: Client, number: str, words: str) -> None:
    query = at_microsoft(begin_sign_in(client), "anna@contoso.example", answer="cancel")
    query |= {"error": "access_denied", "error_description": f"AADSTS{number}: Something."}
    [message] = come_back(client, query)
    assert words in message


def test_coming_back_twice_is_refused_the_second_time(anna, client: Client) -> None:
    query = at_microsoft(begin_sign_in(client), "anna@contoso.example")
    assert come_back(client, query)[0].startswith("Connected")
    version = MailboxSignIn.objects.get().version
    assert "begun elsewhere" in come_back(client, query)[0]
    assert MailboxSignIn.objects.get().version == version


@pytest.mark.parametrize("query", [{}, {"code": "x"}, {"state": "x", "code": "y"}, {"error": "access_denied"}])
def test_coming_back_from_nowhere_connects_nothing(anna, client: Client, query: dict[str, str]) -> None:
    begin_sign_in(client)
    assert "begun elsewhere" in come_back(client, query)[0]
    assert not MailboxSignIn.objects.exists()


def test_of_two_tabs_the_later_one_connects(anna, client: Client) -> None:
    first = at_microsoft(begin_sign_in(client), "anna@contoso.example")
    second = at_microsoft(begin_sign_in(client), "anna@contoso.example")
    assert "begun elsewhere" in come_back(client, first)[0]
    assert come_back(client, second)[0].startswith("Connected")


def test_a_sign_in_that_took_too_long_is_begun_again(anna, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    query = at_microsoft(begin_sign_in(client), "anna@contoso.example")
    monkeypatch.setattr(connecting, "LASTS", -1)
    assert "too long" in come_back(client, query)[0]


def test_the_sign_in_of_a_colleague_cannot_be_slipped_in(anna, sandbox: Tenant, client: Client) -> None:
    sandbox.add_person("eve@contoso.example", "Eve")
    eve = Client()
    eve.force_login(UserFactory(authentication_email="eve@contoso.example"))
    query = at_microsoft(begin_sign_in(eve), "eve@contoso.example")
    begin_sign_in(client)
    assert "begun elsewhere" in come_back(client, query)[0]
    assert not MailboxSignIn.objects.exists()


def test_a_sign_in_page_that_cannot_be_reached_is_told(anna, client: Client, settings) -> None:
    settings.M365_LOGIN_URL = "http://127.0.0.1:1"
    answer = client.post("/exchange-setup/connect/", follow=True)
    assert "did not answer" in str(*answer.context["messages"])


def test_without_an_app_registration_the_reason_is_told(anna, client: Client, settings) -> None:
    settings.M365_CLIENT_SECRET = ""
    answer = client.post("/exchange-setup/connect/", follow=True)
    assert "app registration" in str(*answer.context["messages"])


def test_connecting_again_mends_the_trouble_and_asks_for_what_microsoft_demands(anna, client: Client) -> None:
    setup = SetupFactory(user=anna, trouble=Trouble.NEEDS_SIGN_IN, trouble_detail="x", auto_sync=True)
    MailboxSignIn.objects.create(setup=setup, account="anna@contoso.example", status="expired", claims='{"a": 1}')
    address = begin_sign_in(client)
    assert "claims=" in address
    come_back(client, at_microsoft(address, "anna@contoso.example"))
    setup.refresh_from_db()
    assert (setup.trouble, setup.trouble_detail) == ("", "")
    assert setup.next_sync_at is not None
    assert (setup.sign_in.is_connected, setup.sign_in.claims, setup.sign_in.version) == (True, "", 2)


def test_disconnecting_forgets_the_sign_in_and_stops_the_sync(anna, sandbox: Tenant, client: Client) -> None:
    connect(client, "anna@contoso.example")
    setup = ExchangeSync.objects.get(user=anna)
    setup.enable()
    sandbox.mailbox("anna@contoso.example").add("Contacts", givenName="Ada")
    answer = client.post("/sync/disconnect/", {"contacts": "keep"}, follow=True)
    assert "Outlook and the CRM stay as they are" in str(*answer.context["messages"])
    setup.refresh_from_db()
    assert not MailboxSignIn.objects.exists() and not setup.enabled
    assert len(sandbox.mailbox("anna@contoso.example").contacts("Contacts")) == 1


def test_another_mailbox_on_the_user_card_takes_a_deliberate_step(sandbox: Tenant, client: Client) -> None:
    user = UserFactory(authentication_email="old@contoso.example")
    setup = connected_setup(sandbox, client, user)
    setup.use_folder("Mine", "folder-1")
    user.authentication_email = "new@contoso.example"
    user.save()
    page = client.get("/exchange-setup/").content.decode()
    assert "new@contoso.example" in page and "old@contoso.example" in page and "Connect the new mailbox" in page
    client.post("/exchange-setup/move/")
    setup.refresh_from_db()
    assert (setup.mailbox, setup.folder_id, setup.folder_name) == ("new@contoso.example", "", "Mine")
    assert not MailboxSignIn.objects.exists()


def test_no_token_reaches_the_log_or_lies_open_in_the_database(
    anna, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    connect(client, "anna@contoso.example")
    cache = json.loads(MailboxSignIn.objects.get().token_cache)
    tokens = [entry["secret"] for kind in ("AccessToken", "RefreshToken") for entry in cache[kind].values()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT token_cache FROM exchange_setup_mailboxsignin")
        stored = bytes(cursor.fetchone()[0])
    assert len(tokens) == 2
    assert not any(token in caplog.text or token.encode() in stored for token in tokens)
