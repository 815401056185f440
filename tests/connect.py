"""Being a person at the setup page and at Microsoft's sign-in page, over HTTP."""

import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from django.test import Client

from exchange_setup.models import ExchangeSync
from tests.outlook import Tenant


def begin_sign_in(client: Client) -> str:
    """Press Connect; the address of the sign-in page."""
    answer = client.post("/exchange-setup/connect/")
    assert answer.status_code == 302, answer.content
    return answer["Location"]


def at_microsoft(address: str, email: str, **typed: Any) -> dict[str, str]:
    """Sign in as `email` on the page at `address` (or answer="cancel"); the query that the browser comes back with."""
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(address, timeout=10)
        assert page.ok, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(value) for name, value in hidden}
        form |= {"email": email, "answer": "accept"} | typed
        answer = browser.post(address.partition("?")[0], data=form, timeout=10, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def come_back(client: Client, query: dict[str, str]) -> list[str]:
    """Return from Microsoft; the messages that the page then shows."""
    answer = client.get("/exchange-setup/callback/", query, follow=True)
    return [str(message) for message in answer.context["messages"]]


def connect(client: Client, email: str) -> list[str]:
    """The whole way; the messages at its end."""
    return come_back(client, at_microsoft(begin_sign_in(client), email))


def connected_setup(sandbox: Tenant, client: Client, user: Any) -> ExchangeSync:
    """The setup of `user`, whose mailbox exists and is connected; `client` is signed in as them."""
    sandbox.add_person(user.authentication_email, user.name)
    client.force_login(user)
    query = at_microsoft(begin_sign_in(client), user.authentication_email)
    client.get("/exchange-setup/callback/", query)
    return ExchangeSync.objects.get(user=user)
