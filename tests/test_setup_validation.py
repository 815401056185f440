"""Validate Exchange connection: a plain result for every step, and nothing left behind."""

import html
import re

import pytest
from django.core import signing
from django.test import Client

from exchange_setup.models import ExchangeSync, Trouble
from exchange_setup.validation import Outcome, validate
from tests.connect import connected_setup
from tests.factories import UserFactory
from tests.outlook import Tenant

pytestmark = pytest.mark.django_db
ADDRESS = "anna@contoso.example"


@pytest.fixture
def setup(sandbox: Tenant, client: Client) -> ExchangeSync:
    setup = connected_setup(sandbox, client, UserFactory(authentication_email=ADDRESS))
    sandbox.clear_requests()
    return setup


def marks(outcomes: list[Outcome]) -> str:
    """✓ for what works, ! for what does not, – for what was not tried."""
    return "".join({True: "✓", False: "!", None: "–"}[outcome.ok] for outcome in outcomes)


def test_every_step_works_and_nothing_is_left_behind(setup: ExchangeSync, sandbox: Tenant) -> None:
    outcomes = validate(setup)
    assert marks(outcomes) == "✓✓✓✓✓"
    assert "written, read back and removed" in str(outcomes[3].text)
    assert "does not exist yet" in str(outcomes[4].text)
    mailbox = sandbox.mailbox(ADDRESS)
    assert mailbox.contacts("Contacts") == []
    assert [folder["name"] for folder in mailbox.folders() if folder["name"] == "Business Central"] == []


def test_a_folder_that_exists_is_told(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.mailbox(ADDRESS).create_folder("business central")
    assert "will be used" in str(validate(setup)[4].text)


def test_the_test_contact_goes_where_the_sync_writes(setup: ExchangeSync, sandbox: Tenant) -> None:
    folder = sandbox.mailbox(ADDRESS).create_folder("Customers")
    setup.use_folder("Customers", folder["id"])
    assert marks(validate(setup)) == "✓✓✓✓✓"
    writes = [entry["path"] for entry in sandbox.requests() if entry["method"] == "POST"]
    assert len(writes) == 1 and "contactFolders" in writes[0]


def test_a_renamed_folder_is_still_the_folder(setup: ExchangeSync, sandbox: Tenant) -> None:
    folder = sandbox.mailbox(ADDRESS).create_folder("Customers")
    setup.use_folder("Customers", folder["id"])
    sandbox.mailbox(ADDRESS).rename_folder("Customers", "Kunder")
    assert "“Kunder” is there" in str(validate(setup)[4].text)


@pytest.mark.parametrize(
    ("fault", "expected", "trouble"),
    [
        ({"do": "status", "status": 401, "match": "GET /contactFolders", "times": 0}, "✓!–––", "needs_sign_in"),
        ({"do": "mailbox_not_enabled"}, "✓!–––", "mailbox_unavailable"),
        ({"do": "access_denied", "match": "GET /contactFolders/contacts"}, "✓!–––", "access_denied"),
        ({"do": "access_denied", "match": r"GET /contactFolders\?"}, "✓✓!––", "access_denied"),
        ({"do": "access_denied", "match": "POST /contacts$"}, "✓✓✓!–", "access_denied"),
        ({"do": "mailbox_full"}, "✓✓✓!–", "quota_full"),
        ({"do": "status", "status": 400, "code": "ErrorX", "match": "POST /contacts$"}, "✓✓✓!–", ""),
        ({"do": "drop", "match": "POST /contacts$"}, "✓✓✓!–", ""),
        ({"do": "throttled", "retry_after": 3600, "match": "GET /contactFolders"}, "✓!–––", ""),
        ({"do": "garbage", "match": "GET /contactFolders", "times": 0}, "✓!–––", ""),
    ],
)
def test_each_step_that_fails_says_so_and_the_rest_is_not_tried(
    setup: ExchangeSync, sandbox: Tenant, fault: dict, expected: str, trouble: str
) -> None:
    sandbox.faults.add(**fault)
    outcomes = validate(setup)
    assert marks(outcomes) == expected
    failed = next(outcome for outcome in outcomes if outcome.ok is False)
    assert str(failed.text).count(".") >= 2 and failed.detail
    setup.refresh_from_db()
    assert setup.trouble == trouble


def test_a_sign_in_that_was_revoked_fails_the_first_step(sandbox: Tenant, client: Client) -> None:
    sandbox.settings(access_token_seconds=60)
    setup = connected_setup(sandbox, client, UserFactory(authentication_email=ADDRESS))
    sandbox.revoke(ADDRESS)
    assert marks(validate(setup)) == "!––––"
    setup.refresh_from_db()
    assert setup.trouble == Trouble.NEEDS_SIGN_IN and "50173" in setup.trouble_detail


def test_a_deleted_folder_fails_the_last_step(setup: ExchangeSync, sandbox: Tenant) -> None:
    folder = sandbox.mailbox(ADDRESS).create_folder("Customers")
    setup.use_folder("Customers", folder["id"])
    sandbox.faults.add("status", status=404, code="ErrorItemNotFound", match="GET /contactFolders/[^c]", times=0)
    assert marks(validate(setup)) == "✓✓✓✓!"
    setup.refresh_from_db()
    assert setup.trouble == Trouble.FOLDER_GONE


def test_a_test_contact_that_stays_is_named(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.faults.add("access_denied", match="DELETE /contacts/", times=0)
    failed = validate(setup)[3]
    assert failed.ok is False and "CRM connection test" in str(failed.text)
    [left] = sandbox.mailbox(ADDRESS).contacts("Contacts")
    assert left["displayName"] == "CRM connection test" and left["emailAddresses"] == []


def test_success_ends_the_trouble(setup: ExchangeSync) -> None:
    setup.note_trouble(Trouble.ACCESS_DENIED, "403")
    validate(setup)
    setup.refresh_from_db()
    assert (setup.trouble, setup.trouble_detail) == ("", "")


def test_it_waits_a_little_for_a_busy_mailbox(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.faults.add("throttled", retry_after=0, match="GET /contactFolders", times=2)
    assert marks(validate(setup)) == "✓✓✓✓✓"


def test_application_access_is_tried_the_same_way(sandbox: Tenant, settings) -> None:
    settings.M365_ACCESS = "application"
    user = UserFactory(authentication_email=ADDRESS)
    sandbox.add_person(ADDRESS, "Anna")
    setup = ExchangeSync.objects.create(user=user)
    assert marks(validate(setup)) == "✓✓✓✓✓"
    settings.M365_CLIENT_SECRET = "wrong"
    outcomes = validate(setup)
    assert marks(outcomes) == "!––––" and "administrator" in str(outcomes[0].text)


def test_without_javascript_the_button_shows_all_outcomes_on_the_whole_page(
    setup: ExchangeSync, client: Client
) -> None:
    page = client.post("/exchange-setup/validate/").content.decode()
    assert "<html" in page and "A test contact was written" in page
    assert client.get("/exchange-setup/validate/").status_code == 405


# --- Step by step ----------------------------------------------------------------------------------------------------


def press(client: Client, ticket: str = "") -> str:
    """What htmx swaps in when the button is pressed, or when the step that `ticket` is for asks for its outcome."""
    answer = client.post("/exchange-setup/validate/", {"ticket": ticket}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def tickets(fragment: str) -> list[str]:
    return re.findall(r'"ticket": "([^"]+)"', html.unescape(fragment))


def test_each_step_is_tried_by_a_request_of_its_own(setup: ExchangeSync, sandbox: Tenant, client: Client) -> None:
    setup.note_trouble(Trouble.ACCESS_DENIED, "403")
    fragment = press(client)
    assert "<html" not in fragment and fragment.count("<li") == 5 and sandbox.requests() == []
    said = []
    while found := tickets(fragment):
        fragment = press(client, *found)
        said.append(fragment.count(": works."))
    assert said == [1, 1, 1, 1, 1]
    assert "Everything that a sync needs works." in fragment and 'id="trouble"' in fragment
    assert sandbox.mailbox(ADDRESS).contacts("Contacts") == []
    setup.refresh_from_db()
    assert setup.trouble == ""


def test_after_a_step_that_fails_the_rest_is_not_tried(setup: ExchangeSync, sandbox: Tenant, client: Client) -> None:
    sandbox.faults.add("access_denied", match="POST /contacts$", times=0)
    fragment = press(client)
    while found := tickets(fragment):
        fragment = press(client, *found)
    assert "does not work" in fragment and fragment.count("Not tried.") == 1
    setup.refresh_from_db()
    assert setup.trouble == Trouble.ACCESS_DENIED and "does not let the CRM into" in fragment


def test_a_step_cannot_be_asked_for_before_the_others_went_well(
    setup: ExchangeSync, sandbox: Tenant, client: Client
) -> None:
    setup.note_trouble(Trouble.ACCESS_DENIED, "403")
    last = signing.dumps([setup.pk + 1, "folder"], salt="exchange_setup.validation")
    for forged in ("folder", last, last[:-1]):
        assert press(client, forged).count("<li") == 5
    setup.refresh_from_db()
    assert setup.trouble == Trouble.ACCESS_DENIED and sandbox.requests() == []
