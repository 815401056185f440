"""Mailboxes: the list and the page of one, for administrators. Who may, what is shown, what the buttons do."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.advice import happened
from crmsync.sync.choices import Kind, LinkState, Outcome
from crmsync.sync.health import LOOKS, Health
from crmsync.sync.models import SyncRun
from crmsync.sync.reasons import TROUBLES
from crmsync.sync.standing import not_set_up
from crmsync.users.models import User
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.connect import connected_setup
from tests.factories import AdministratorFactory, ChangeFactory, LinkFactory, RunFactory, SetupFactory, UserFactory
from tests.outlook import Tenant

pytestmark = pytest.mark.django_db

VERBS = ["sync", "full-sync", "pause", "resume", "reset", "validate"]
COUNTS = {
    "outlook": {"created": 12, "updated": 5, "deleted": 0},
    "crm": {"created": 2, "updated": 3, "deleted": 0},
    "skipped": 2, "conflicts": 0, "failed": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def by_organisation(settings: Any) -> None:
    settings.M365_ACCESS = "application"


@pytest.fixture
def setup() -> ExchangeSync:
    now = timezone.now()
    return SetupFactory(
        user__name="Jette", enabled_at=now, auto_sync=True, last_sync_at=now, next_sync_at=now + timedelta(minutes=10)
    )


@pytest.fixture
def admin(client: Client) -> Client:
    """A client signed in as an administrator without a mailbox of their own."""
    client.force_login(AdministratorFactory(authentication_email=""))
    return client


def page_of(setup: ExchangeSync) -> str:
    return f"/sync/mailboxes/{setup.user_id}/"


def names(client: Client, url: str = "/sync/mailboxes/") -> list[str]:
    return [row.user.name for row in client.get(url).context["listing"].rows]


def messages(client: Client, url: str, data: Any = None) -> str:
    answer = client.post(url, data or {}, follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "set-up/", "{pk}/", *(f"{{pk}}/{verb}/" for verb in VERBS)])
def test_only_administrators_get_in(client: Client, setup: ExchangeSync, path: str) -> None:
    url = f"/sync/mailboxes/{path.format(pk=setup.user_id)}"
    verb = client.get if path in {"", "{pk}/"} else client.post
    assert verb(url).url.startswith("/accounts/login/")
    client.force_login(setup.user)
    assert verb(url).status_code == 403
    assert ExchangeSync.objects.get().enabled and not SyncRun.objects.exists()


@pytest.mark.parametrize("path", ["set-up/", *(f"{{pk}}/{verb}/" for verb in VERBS)])
def test_a_link_changes_nothing(admin: Client, setup: ExchangeSync, path: str) -> None:
    assert admin.get(f"/sync/mailboxes/{path.format(pk=setup.user_id)}").status_code == 405


@pytest.mark.parametrize("verb", VERBS)
def test_what_does_not_exist_is_not_found(admin: Client, verb: str) -> None:
    without = UserFactory()
    assert admin.post(f"/sync/mailboxes/{without.pk}/{verb}/").status_code == 404
    assert admin.get("/sync/mailboxes/999999/").status_code == 404


def test_the_rail_leads_there_for_administrators_alone(client: Client, admin: Client) -> None:
    page = admin.get("/sync/mailboxes/").text
    assert 'href="/sync/mailboxes/" aria-current="page"' in page and page.count('aria-current="page"') == 2
    client.force_login(UserFactory())
    assert "/sync/mailboxes/" not in client.get("/").text


# --- The list --------------------------------------------------------------------------------------------------------


def test_a_row_says_how_the_mailbox_is_doing(admin: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=setup, counts=COUNTS)
    LinkFactory.create_batch(3, setup=setup)
    LinkFactory.create_batch(2, setup=setup, state="left_out", outlook_id="", problem="no_email")
    LinkFactory(problem="no_email")
    (row,) = [row for row in admin.get("/sync/mailboxes/").context["listing"].rows if row.setup == setup]
    assert (row.health.label, row.linked, row.left_out) == ("In sync", 3, 2)
    assert LOOKS[Health.NOT_SET_UP][0] == not_set_up().icon == "plug"  # the chip's sign is the list's
    assert row.result == "17 to Outlook, 5 to the CRM, 1 failed" and row.next_sync_at == setup.next_sync_at


def test_a_run_that_is_held_is_told_before_what_the_last_one_did(admin: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=setup, outcome="failed")
    RunFactory(setup=setup, outcome="held")
    (row,) = [row for row in admin.get("/sync/mailboxes/").context["listing"].rows if row.setup == setup]
    assert (row.health.label, row.result) == ("Held", "Held; before that: failed")
    assert "After the decision" in admin.get("/sync/mailboxes/").text


def test_those_that_need_a_look_come_first(admin: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=SetupFactory(user__name="Zoe"), outcome="held")
    SetupFactory(user__name="Yrsa", trouble="folder_gone")
    UserFactory(name="Adam")
    assert names(admin) == ["Yrsa", "Zoe", "Jette", "Adam"]


def test_the_url_narrows_by_health_and_by_words(admin: Client, setup: ExchangeSync) -> None:
    SetupFactory(user__name="Yrsa", trouble="folder_gone")
    SetupFactory(user__name="Zoe", enabled=False, enabled_at=timezone.now())
    assert names(admin, "/sync/mailboxes/?health=ok") == ["Jette"]
    assert names(admin, "/sync/mailboxes/?health=look") == ["Yrsa"]
    assert names(admin, "/sync/mailboxes/?health=paused&q=zo") == ["Zoe"]
    assert names(admin, "/sync/mailboxes/?health=paused&q=jette") == []
    assert names(admin, "/sync/mailboxes/?health=nonsense&page=999&q=%00") == ["Yrsa", "Zoe", "Jette"]
    tabs = {tab.slug: tab.count for tab in admin.get("/sync/mailboxes/?q=e").context["listing"].tabs}
    assert tabs == {"": 3, "look": 1, "error": 1, "paused": 1, "ok": 1}
    picked = admin.get("/sync/mailboxes/?health=late").context["listing"].tabs
    assert ("late", 0) in [(tab.slug, tab.count) for tab in picked]


@pytest.mark.parametrize("url", ["?q=nobody", "?health=late", ""])
def test_an_empty_list_says_why(admin: Client, url: str) -> None:
    assert 'class="empty"' in admin.get(f"/sync/mailboxes/{url}").text


def test_a_thousand_mailboxes_cost_what_two_do(admin: Client) -> None:
    def count(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(url).status_code == 200
        return len(captured)

    def make(number: int) -> None:
        start = User.objects.count()
        users = [
            User(name=f"U{i}", email=f"u{i}@crm.example", authentication_email=f"u{i}@contoso.example")
            for i in range(start, start + number)
        ]
        setups = [ExchangeSync(user=user, enabled=True) for user in User.objects.bulk_create(users)]
        runs = [SyncRun(setup=row, kind="sync", trigger="schedule", outcome="done") for row in made(setups)]
        SyncRun.objects.bulk_create(runs)

    def made(setups: list[ExchangeSync]) -> list[ExchangeSync]:
        return ExchangeSync.objects.bulk_create(setups)

    make(2)
    few = {url: count(url) for url in ("/sync/mailboxes/", "/sync/mailboxes/?health=ok&q=u&page=2")}
    make(998)
    assert {url: count(url) for url in few} == few and max(few.values()) <= 8
    assert len(admin.get("/sync/mailboxes/").context["listing"].rows) == 30


def test_nobodys_contacts_are_shown(admin: Client, setup: ExchangeSync) -> None:
    ChangeFactory(run=RunFactory(setup=setup, counts=COUNTS, outcome="held"), name="Secret Person")
    LinkFactory(setup=setup, contact=None, state="seen", outlook_name="Secret Friend", problem="private")
    for url in ("/sync/mailboxes/", page_of(setup)):
        assert "Secret" not in admin.get(url).text
    assert "marked Private in Outlook" in str(admin.get(page_of(setup)).context["mailbox"].reasons)


# --- One mailbox -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "run", "words"),
    [
        ({}, {}, "is in both places."),
        ({"last_sync_at": None}, None, "The first sync has not run yet."),
        ({}, {"outcome": "held"}, "A sync waits for Jette's decision"),
        ({}, {"outcome": "running", "step": "reading", "done": 3, "total": 9}, "Reading Outlook: 3 of 9."),
        ({}, {"outcome": "failed", "error": "unreachable"}, "Microsoft 365 could not be reached."),
        ({}, {"outcome": "failed", "error": "unheard_of"}, "The log has the details."),
        ({"trouble": "needs_sign_in"}, {}, "Only Jette can renew it"),
        ({"trouble": "folder_gone"}, {}, "Jette can have it made again"),
        ({"mailbox": "other@contoso.example"}, {}, "The user card names another mailbox"),
        ({"last_sync_at": timezone.now() - timedelta(days=1)}, {}, "See whether the workers run."),
        ({"enabled": False}, {}, "Nothing syncs until somebody resumes it."),
        ({"enabled": False, "enabled_at": None}, None, "the sync was never enabled"),
    ],
)
def test_the_page_says_why_it_is_as_it_is(
    admin: Client, setup: ExchangeSync, values: Any, run: Any, words: str
) -> None:
    ExchangeSync.objects.filter(pk=setup.pk).update(**values)
    if run is not None:
        RunFactory(setup=setup, **run)
    assert words in admin.get(page_of(setup)).context["mailbox"].row.why


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("unreachable", "Microsoft 365 could not be reached. Nothing was changed."),
        ("quota_full", "The mailbox is full. Nothing was changed."),
        ("needs_sign_in", "Microsoft 365 does not accept the sign-in to this mailbox. Nothing was changed."),
    ],
)
def test_a_failed_run_is_listed_with_its_cause(admin: Client, setup: ExchangeSync, error: str, words: str) -> None:
    RunFactory(setup=setup, outcome="failed", error=error)
    assert f"<td>{words}</td>" in admin.get(page_of(setup)).text


def test_no_cause_of_a_failure_speaks_to_the_user_when_an_administrator_reads_it() -> None:
    said = [str(happened(SyncRun(error=error))) for error in TROUBLES]
    assert not [text for text in said if "you" in text.lower()]


def test_a_user_without_a_setup_gets_one_from_their_page(admin: Client) -> None:
    user = UserFactory()
    assert "Make a setup" in admin.get(f"/sync/mailboxes/{user.pk}/").text
    assert messages(admin, "/sync/mailboxes/set-up/", {"user": user.pk}) == "1 setup was made."
    setup = ExchangeSync.objects.get(user=user)
    assert setup.mailbox == user.authentication_email and not setup.enabled


@pytest.mark.parametrize(("verb", "kind"), [("sync", Kind.SYNC), ("full-sync", Kind.FULL)])
def test_a_sync_is_started_for_somebody_else(admin: Client, setup: ExchangeSync, verb: str, kind: str) -> None:
    assert messages(admin, f"{page_of(setup)}{verb}/") == "The sync is on its way."
    run = SyncRun.objects.get()
    assert (run.setup, run.kind, run.outcome) == (setup, kind, Outcome.QUEUED)
    assert run.requested_by and run.requested_by.is_administrator
    assert "was open already" in messages(admin, f"{page_of(setup)}{verb}/")
    assert SyncRun.objects.count() == 1


def test_what_stands_in_the_way_is_said_in_words_about_the_user(
    admin: Client, setup: ExchangeSync, settings: Any
) -> None:
    settings.M365_ACCESS = "delegated"
    assert "Only Jette can do that" in messages(admin, f"{page_of(setup)}sync/")
    setup.pause()
    MailboxSignIn.objects.create(setup=setup)
    assert "Resume it first." in messages(admin, f"{page_of(setup)}sync/")
    assert not SyncRun.objects.exists()


def test_it_is_paused_and_resumed(admin: Client, setup: ExchangeSync) -> None:
    messages(admin, f"{page_of(setup)}pause/")
    setup.refresh_from_db()
    assert not setup.enabled and setup.next_sync_at is None
    messages(admin, f"{page_of(setup)}resume/")
    setup.refresh_from_db()
    assert setup.enabled and setup.next_sync_at is not None


def test_what_only_the_user_can_connect_is_not_resumed(admin: Client, setup: ExchangeSync, settings: Any) -> None:
    settings.M365_ACCESS = "delegated"
    setup.pause()
    assert "Only Jette can do that" in messages(admin, f"{page_of(setup)}resume/")
    setup.refresh_from_db()
    assert not setup.enabled
    assert "/resume/" not in admin.get(page_of(setup)).text


def test_the_connection_is_validated_step_by_step(
    client: Client, sandbox: Tenant, settings: Any, django_user_model: Any
) -> None:
    settings.M365_ACCESS = "delegated"
    setup = connected_setup(sandbox, client, UserFactory(name="Jette"))
    client.force_login(AdministratorFactory())
    page = client.post(f"{page_of(setup)}validate/").text
    assert "Microsoft 365 accepts the sign-in." in page and "Last syncs" in page
    part = client.post(f"{page_of(setup)}validate/", headers={"hx-request": "true"}).text
    assert "A test contact was written, read back and removed." in part and "<html" not in part


# --- Making setups for many ------------------------------------------------------------------------------------------


def test_setups_are_made_for_the_chosen_alone(admin: Client, setup: ExchangeSync) -> None:
    chosen, other = UserFactory.create_batch(2), UserFactory()
    page = admin.get("/sync/mailboxes/?health=not_set_up")
    assert f'name="user" value="{other.pk}"' in page.text and page.context["listing"].without_setup == 3
    data = {"user": [*(user.pk for user in chosen), setup.user_id, "x", "-1", "9" * 30]}
    assert messages(admin, "/sync/mailboxes/set-up/", data) == "2 setups were made."
    assert set(ExchangeSync.objects.values_list("user", flat=True)) == {setup.user_id, *(user.pk for user in chosen)}


def test_setups_are_made_for_everybody_who_could_have_one(admin: Client, setup: ExchangeSync) -> None:
    UserFactory.create_batch(3)
    UserFactory(authentication_email="")
    UserFactory(is_active=False)
    assert messages(admin, "/sync/mailboxes/set-up/", {"everybody": "1"}) == "3 setups were made."
    assert ExchangeSync.objects.filter(enabled=True).count() == 1


def test_everybody_means_those_of_the_list_that_was_shown(admin: Client) -> None:
    found, other = UserFactory(name="Zoe"), UserFactory(name="Adam")
    page = admin.get("/sync/mailboxes/?health=not_set_up&q=zoe")
    assert page.context["listing"].without_setup == 1 and 'name="q" value="zoe"' in page.text
    assert messages(admin, "/sync/mailboxes/set-up/", {"everybody": "1", "q": "zoe"}) == "1 setup was made."
    assert ExchangeSync.objects.filter(user=found).exists() and not ExchangeSync.objects.filter(user=other).exists()


def test_where_the_organisation_connects_they_can_sync_at_once(admin: Client, settings: Any) -> None:
    user = UserFactory()
    messages(admin, "/sync/mailboxes/set-up/", {"user": user.pk, "enable": "1"})
    assert ExchangeSync.objects.get(user=user).enabled_at is not None
    settings.M365_ACCESS = "delegated"
    other = UserFactory()
    messages(admin, "/sync/mailboxes/set-up/", {"user": other.pk, "enable": "1"})
    assert not ExchangeSync.objects.get(user=other).enabled


def test_choosing_nobody_makes_nothing(admin: Client) -> None:
    assert "Nobody was chosen" in messages(admin, "/sync/mailboxes/set-up/")


# --- Resetting links -------------------------------------------------------------------------------------------------


def test_a_reset_forgets_pairs_and_bookmarks_and_nothing_else(admin: Client, setup: ExchangeSync) -> None:
    ExchangeSync.objects.filter(pk=setup.pk).update(delta_link="here", folder_id="folder", planned_with="x")
    paired, other = LinkFactory(setup=setup), LinkFactory()
    LinkFactory(setup=setup, state=LinkState.CREATING, outlook_id="")
    seen = LinkFactory(setup=setup, contact=None, state=LinkState.SEEN)
    removed = LinkFactory(setup=setup, state=LinkState.REMOVED)
    change = ChangeFactory(run=RunFactory(setup=setup), link=paired)

    assert "The links are reset." in messages(admin, f"{page_of(setup)}reset/")

    assert set(setup.links.values_list("pk", flat=True)) == {seen.pk, removed.pk} and other.setup.links.exists()
    setup.refresh_from_db()
    assert (setup.delta_link, setup.last_sync_at, setup.planned_with, setup.folder_id) == ("", None, "", "folder")
    assert setup.next_sync_at <= timezone.now()
    change.refresh_from_db()
    assert change.link is None and change.contact is not None and SyncRun.objects.count() == 1


@pytest.mark.parametrize("outcome", ["queued", "running", "held"])
def test_an_open_sync_stands_on_the_links_so_they_stay(admin: Client, setup: ExchangeSync, outcome: str) -> None:
    RunFactory(setup=setup, outcome=outcome)
    LinkFactory(setup=setup)
    assert "Let it end, or stop it" in messages(admin, f"{page_of(setup)}reset/")
    assert setup.links.count() == 1


def test_the_button_says_what_a_reset_does(admin: Client, setup: ExchangeSync) -> None:
    page = admin.get(page_of(setup)).text
    assert "Nothing is deleted. The next sync pairs them again by e-mail" in page
