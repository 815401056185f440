"""Signing in with the real msal: code flow, refresh, client credentials, and all that can go wrong."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import pytest
import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from tests.outlook import Caller, Mailbox, Tenant

ANNE, JIM = "anne@contoso.example", "jim@contoso.example"
AUTHORITY = "https://login.microsoftonline.com"
SCOPES = ["User.Read", "Contacts.ReadWrite"]
BACK = "http://127.0.0.1:8000/exchange-setup/callback"


class StandIn(HTTPAdapter):
    """Sends what is meant for the sign-in service to the sandbox, and says so."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = str(request.url).replace(AUTHORITY, self.url, 1)
        request.headers.update({"X-Forwarded-Proto": "https", "X-Forwarded-Host": urlsplit(AUTHORITY).netloc})
        return super().send(request, *args, **{**options, "proxies": {}})


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    sandbox.add_person(JIM, "Jim Ray")
    return sandbox.add_person(ANNE, "Anne Nørgård", password="correct horse")


@pytest.fixture
def app(sandbox: Tenant) -> msal.ConfidentialClientApplication:
    return application(sandbox)


def application(sandbox: Tenant, secret: str = "", cache: Any = None) -> msal.ConfidentialClientApplication:
    session = requests.Session()
    session.mount(AUTHORITY, StandIn(sandbox.url))
    return msal.ConfidentialClientApplication(
        settings.M365_CLIENT_ID,
        client_credential=secret or settings.M365_CLIENT_SECRET,
        authority=f"{AUTHORITY}/{settings.M365_TENANT_ID}",
        instance_discovery=False,
        http_client=session,
        token_cache=cache,
    )


def answered(flow: dict[str, Any], email: str = ANNE, **form: str) -> dict[str, str]:
    """What the sign-in page sends back when a person fills it in."""
    page = requests.get(flow["auth_uri"], timeout=5)
    assert page.ok and "Pick an account" in page.text
    values = {"email": email, "answer": "accept", **form}
    response = requests.post(flow["auth_uri"], data=values, timeout=5, allow_redirects=False)
    assert response.status_code == 302, response.text
    assert response.headers["Location"].startswith(f"{BACK}?")
    return {name: found[0] for name, found in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def signed_in(app: msal.ConfidentialClientApplication, email: str = ANNE, **form: str) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    return app.acquire_token_by_auth_code_flow(flow, answered(flow, email, **form))


def refreshed(app: msal.ConfidentialClientApplication) -> dict[str, Any] | None:
    return app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)


def test_a_person_signs_in_with_the_code_flow(sandbox: Tenant, anne: Mailbox, app):
    result = signed_in(app)
    claims = result["id_token_claims"]
    assert (claims["preferred_username"], claims["name"], claims["tid"]) == (
        ANNE,
        "Anne Nørgård",
        settings.M365_TENANT_ID,
    )
    assert claims["aud"] == settings.M365_CLIENT_ID and result["refresh_token"]
    me = Caller(sandbox.graph_url, result["access_token"], True).get("/me").json()
    assert me["mail"] == ANNE and me["id"] == claims["oid"]
    assert app.get_accounts()[0]["home_account_id"] == f"{claims['oid']}.{claims['tid']}"
    assert [entry["path"].rpartition("/")[2] for entry in sandbox.requests("login")] == [
        "openid-configuration",
        "token",
    ]


def test_the_discovery_document_names_the_browsers_address_and_the_clients(sandbox: Tenant):
    path = f"{sandbox.url}/{settings.M365_TENANT_ID}/v2.0/.well-known/openid-configuration"
    document = requests.get(path, timeout=5).json()
    assert document["authorization_endpoint"].startswith(f"{sandbox.url}/{settings.M365_TENANT_ID}/oauth2")
    assert document["token_endpoint"].startswith(f"{sandbox.url}/{settings.M365_TENANT_ID}/oauth2")
    assert requests.get(path.replace(settings.M365_TENANT_ID, "nobody"), timeout=5).status_code == 400
    instances = requests.get(f"{sandbox.url}/common/discovery/instance", timeout=5).json()
    assert "login.microsoftonline.com" in instances["metadata"][0]["aliases"]


def test_the_page_preselects_who_is_hinted_at(anne: Mailbox, app):
    page = requests.get(
        app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK, login_hint=JIM.upper())["auth_uri"], timeout=5
    )
    assert re.findall(r'value="([^"]+)" checked', page.text) == [JIM]
    assert "have full access to your contacts" in page.text
    unknown = app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK, login_hint="new@contoso.example")["auth_uri"]
    assert 'name="typed" value="new@contoso.example"' in requests.get(unknown, timeout=5).text


def test_a_person_refuses(anne: Mailbox, app):
    result = signed_in(app, answer="refuse")
    assert result["error"] == "access_denied" and "AADSTS65004" in result["error_description"]


def test_a_typed_address_counts_and_a_wrong_one_or_password_is_told(anne: Mailbox, app):
    assert signed_in(app, JIM, typed=ANNE)["id_token_claims"]["preferred_username"] == ANNE
    assert signed_in(app, password="correct horse")["access_token"]
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    for form, code in (({"typed": "nobody@contoso.example"}, "50034"), ({"email": ANNE, "password": "no"}, "50126")):
        page = requests.post(flow["auth_uri"], data={"answer": "accept", **form}, timeout=5)
        assert f"AADSTS{code}" in page.text and "Pick an account" in page.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("crmsync-tests", "another-app"), "AADSTS700016"),
        ((settings.M365_TENANT_ID, "another-tenant"), "AADSTS90002"),
        (("http%3A%2F%2F127.0.0.1", "http%3A%2F%2Fevil.example"), "AADSTS50011"),
    ],
)
def test_nobody_is_sent_back_to_an_application_that_is_not_registered(anne: Mailbox, app, change, code):
    page = requests.get(app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK)["auth_uri"].replace(*change), timeout=5)
    assert page.status_code == 400 and code in page.text


def test_a_code_works_once_and_only_with_its_verifier(anne: Mailbox, app):
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answered(flow)
    wrong = app.acquire_token_by_auth_code_flow({**flow, "code_verifier": "x" * 43}, answer)
    assert wrong["error"] == "invalid_grant" and wrong["error_codes"] == [501481]
    again = app.acquire_token_by_auth_code_flow(flow, answer)
    assert again["error_codes"] == [54005]


def test_tokens_are_refreshed_and_rotate(sandbox: Tenant, anne: Mailbox, app):
    first = signed_in(app)
    second = refreshed(app)
    assert second and second["access_token"] != first["access_token"]
    stale = application(sandbox).acquire_token_by_refresh_token(first["refresh_token"], SCOPES)
    assert "access_token" in stale, "an old refresh token goes on working, as the real one does"
    sandbox.settings(strict_rotation=True)
    assert "access_token" in application(sandbox).acquire_token_by_refresh_token(first["refresh_token"], SCOPES)
    used = application(sandbox).acquire_token_by_refresh_token(first["refresh_token"], SCOPES)
    assert used["error"] == "invalid_grant"


def test_a_revoked_sign_in_and_a_missing_consent_are_invalid_grants(sandbox: Tenant, anne: Mailbox):
    for turn_on, code in (
        (lambda: sandbox.faults.add("revoked"), 50173),
        (lambda: sandbox.faults.add("consent_required"), 65001),
        (lambda: sandbox.revoke(ANNE), 50173),
    ):
        app = application(sandbox)
        signed_in(app)
        turn_on()
        result = refreshed(app)
        assert result and (result["error"], result["error_codes"]) == ("invalid_grant", [code])
    app = application(sandbox)
    signed_in(app)
    wider = app.acquire_token_silent_with_error(["Mail.Read"], app.get_accounts()[0])
    assert wider and wider["error_codes"] == [65001]


def test_a_fault_of_one_mailbox_leaves_the_others_alone(sandbox: Tenant, anne: Mailbox):
    sandbox.faults.add("revoked", mailbox=JIM, times=0)
    assert "access_token" in signed_in(application(sandbox))
    assert signed_in(application(sandbox), JIM)["error_codes"] == [50173]


def test_a_wrong_nonce_a_foreign_tenant_and_a_foreign_account(sandbox: Tenant, anne: Mailbox):
    sandbox.faults.add("wrong_nonce")
    with pytest.raises(RuntimeError, match="nonce"):
        signed_in(application(sandbox))
    sandbox.faults.add("wrong_tid")
    assert signed_in(application(sandbox))["id_token_claims"]["tid"] != settings.M365_TENANT_ID
    sandbox.faults.add("foreign_account")
    assert signed_in(application(sandbox))["id_token_claims"]["preferred_username"] == JIM
    sandbox.faults.add("no_refresh_token")
    assert "refresh_token" not in signed_in(application(sandbox))


def test_the_token_endpoint_fails_as_a_server_does(sandbox: Tenant, anne: Mailbox):
    sandbox.faults.add("status", status=503, match="POST /token")
    with pytest.raises(msal.exceptions.MsalServiceError):
        signed_in(application(sandbox))
    sandbox.faults.add("drop", match="POST /token")
    with pytest.raises(requests.ConnectionError):
        signed_in(application(sandbox))


def test_the_application_signs_in_for_itself(sandbox: Tenant, anne: Mailbox, app):
    result = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    graph = Caller(sandbox.graph_url, result["access_token"], True)
    assert graph.get(f"/users/{ANNE}/contacts").ok
    refused = graph.get(f"/users/{ANNE}")
    assert refused.json()["error"]["code"] == "Authorization_RequestDenied", "Contacts.ReadWrite does not read profiles"
    wrong = application(sandbox, secret="wrong").acquire_token_for_client(["https://graph.microsoft.com/.default"])
    assert (wrong["error"], wrong["error_codes"]) == ("invalid_client", [7000215])
    assert app.acquire_token_for_client(["Contacts.ReadWrite"])["error"] == "invalid_scope"
