"""The Outlook side of the demo: two mailboxes with contacts of their own, and the first salesperson's sign-in to one.

The sandbox is reached by HTTP alone: its controls stand for what people did in Outlook, its sign-in page for theirs.
"""

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.urls import reverse

from crmsync.demo.sample import PASSWORD, read, users
from crmsync.users.models import User
from exchange_setup.connecting import complete_sign_in, start_sign_in
from exchange_setup.folders import ensure_folder
from exchange_setup.mailbox import open_mailbox, uses_application_access
from exchange_setup.models import ExchangeSync

SENSITIVITY = "Integer 0x36"
PRIVATE = "2"
Rows = list[dict[str, Any]]


class Tenant:
    """The controls of the sandbox at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False  # it is on this machine: no proxy stands between

    def call(self, path: str, values: dict[str, Any] | None = None) -> Any:
        """What a control answers; with `values`, they are posted. Raises requests.RequestException."""
        method = "GET" if values is None else "POST"
        response = self.session.request(method, f"{self.url}/control/{path}", json=values, timeout=30)
        response.raise_for_status()
        return response.json()

    def sign_in(self, page: str, email: str) -> dict[str, str]:
        """What the browser brings back from the sign-in page when that person accepts. Raises RequestException."""
        form = {"email": email, "password": PASSWORD, "answer": "accept"}
        response = self.session.post(page, data=form, allow_redirects=False, timeout=30)
        response.raise_for_status()
        return dict(parse_qsl(urlsplit(response.headers["Location"]).query))

    def answers(self) -> bool:
        try:
            return bool(self.call(""))
        except requests.RequestException:
            return False


def fill(tenant: Tenant) -> None:
    """Give everybody who has a mailbox the contacts of mailboxes.toml; a mailbox that was ever used is left alone."""
    for user in users():
        email = user["authentication_email"]
        if not email:
            continue
        tenant.call("people", {"email": email, "name": user["name"], "password": PASSWORD})
        path = f"mailboxes/{quote(email)}"
        if not any(folder["count"] for folder in tenant.call(f"{path}/folders")):
            for folder, contacts in contacts_of(email).items():
                if folder != "Contacts":
                    tenant.call(f"{path}/folders", {"name": folder})
                tenant.call(f"{path}/contacts", {"folder": folder, "contacts": contacts})


def contacts_of(email: str) -> dict[str, Rows]:
    """Folder → contacts in Graph's words, of one mailbox."""
    folders: dict[str, Rows] = {}
    for contact in read("mailboxes.toml")["contact"]:
        if contact.pop("mailbox") == email:
            if contact.pop("private", False):
                contact["singleValueExtendedProperties"] = [{"id": SENSITIVITY, "value": PRIVATE}]
            folders.setdefault(contact.pop("folder"), []).append(contact)
    return folders


def connect(tenant: Tenant) -> None:
    """Connect and enable the first salesperson, as they would in the browser; once that was done it is left alone."""
    user = User.objects.filter(email=users()[0]["email"]).first()
    if user is None or ExchangeSync.objects.filter(user=user, enabled_at__isnull=False).exists():
        return
    setup, _ = ExchangeSync.objects.get_or_create(user=user)
    if uses_application_access():
        setup.move_to(user.authentication_email)
        setup.save()
    else:
        session = SessionBase()
        page = start_sign_in(session, setup, settings.BASE_URL + reverse("exchange_setup:callback"))
        complete_sign_in(session, setup, tenant.sign_in(page, user.authentication_email))
    with open_mailbox(setup) as graph:
        ensure_folder(setup, graph)
    setup.enable()
