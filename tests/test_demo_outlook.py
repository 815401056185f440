"""The demo's mailboxes, in a real sandbox."""

import pytest

from crmsync.demo import outlook
from tests.outlook import Tenant as Sandbox

JENS, XENIA = "jens.rask@contoso.example", "xenia.xu@contoso.example"


@pytest.fixture
def tenant(sandbox: Sandbox) -> outlook.Tenant:
    return outlook.Tenant(sandbox.url)


def names(sandbox: Sandbox, email: str, folder: str) -> list[str]:
    return [contact["displayName"] for contact in sandbox.mailbox(email).contacts(folder)]


def test_two_mailboxes_have_contacts_of_their_own(sandbox: Sandbox, tenant: outlook.Tenant) -> None:
    outlook.fill(tenant)
    assert {folder["name"] for folder in sandbox.mailbox(JENS).folders()} >= {"Contacts", "Business Central"}
    assert len(names(sandbox, JENS, "Business Central")) == 13
    assert len(names(sandbox, JENS, "Contacts")) == 4
    assert "妈妈" in names(sandbox, XENIA, "Contacts")
    assert names(sandbox, XENIA, "Business Central") == []


def test_a_private_contact_is_marked_as_outlook_marks_it(sandbox: Sandbox, tenant: outlook.Tenant) -> None:
    outlook.fill(tenant)
    private = [c for c in sandbox.mailbox(JENS).contacts() if c["extended"].get(outlook.SENSITIVITY) == outlook.PRIVATE]
    assert [contact["displayName"] for contact in private] == ["Liv Terapeut"]


def test_filling_again_leaves_what_people_did_meanwhile(sandbox: Sandbox, tenant: outlook.Tenant) -> None:
    outlook.fill(tenant)
    xenia = sandbox.mailbox(XENIA)
    xenia.empty("Contacts")
    outlook.fill(tenant)
    assert xenia.contacts("Contacts") == []
    assert len(names(sandbox, JENS, "Business Central")) == 13


def test_a_tenant_that_is_not_there_does_not_answer() -> None:
    assert not outlook.Tenant("http://127.0.0.1:1").answers()
