"""The one word for each mailbox: worked out in the database, the same on every page."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from crmsync.sync.health import Health, is_late, mailboxes
from crmsync.sync.models import LEASE
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.factories import RunFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def minutes(ago: int) -> Any:
    return NOW - timedelta(minutes=ago)


WELL = {
    "enabled": True, "enabled_at": minutes(9000), "auto_sync": True, "interval_minutes": 15,
    "last_sync_at": minutes(10), "next_sync_at": minutes(-5),
}  # fmt: skip
RUNNING = {"outcome": "running", "heartbeat_at": minutes(0)}
DEAD = {"outcome": "running", "heartbeat_at": NOW - LEASE - timedelta(seconds=1)}
FAILED = {"outcome": "failed", "error": "unreachable"}

CASES: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "all is well": ("ok", {}, [{}]),
    "enabled a moment ago": ("ok", {"last_sync_at": None, "enabled_at": minutes(3)}, []),
    "nobody has let the first one begin": ("waiting", {"last_sync_at": None, "first_sync_allowed": False}, []),
    "the same, by hand only": (
        "waiting", {"last_sync_at": None, "first_sync_allowed": False, "auto_sync": False}, [{"kind": "preview"}],
    ),
    "by hand only, long ago": ("ok", {"auto_sync": False, "last_sync_at": minutes(9000)}, [{}]),
    "failed once, then went through": ("ok", {}, [FAILED, {}]),
    "a preview failed": ("ok", {}, [{}, FAILED | {"kind": "preview"}]),
    "somebody stopped it": ("ok", {}, [{"outcome": "cancelled"}]),
    "begun, never enabled": ("not_set_up", {"enabled": False, "enabled_at": None}, []),
    "never enabled, and the test failed": (
        "not_set_up", {"enabled": False, "enabled_at": None, "trouble": "folder_gone"}, [],
    ),
    "a run is under way": ("running", {}, [RUNNING]),
    "a run waits for a worker": ("running", {}, [RUNNING | {"outcome": "queued"}]),
    "it runs after a failure": ("running", {"trouble": "needs_sign_in"}, [FAILED, RUNNING]),
    "a run waits for a decision": ("held", {}, [{"outcome": "held", "heartbeat_at": minutes(9000)}]),
    "held, then paused": ("held", {"enabled": False}, [{"outcome": "held"}]),
    "the sign-in ran out": ("needs_sign_in", {"trouble": "needs_sign_in"}, [FAILED]),
    "the sign-in ran out, then paused": ("needs_sign_in", {"enabled": False, "trouble": "needs_sign_in"}, []),
    "the folder is gone": ("error", {"trouble": "folder_gone"}, [FAILED]),
    "the last one failed": ("error", {}, [{}, FAILED]),
    "failed, and late by now": ("error", {"last_sync_at": minutes(9000)}, [FAILED]),
    "the user card names another mailbox": ("error", {"mailbox": "other@contoso.example"}, [{}]),
    "paused": ("paused", {"enabled": False}, [{}]),
    "paused after a failure": ("paused", {"enabled": False}, [FAILED]),
    "two intervals without one": ("late", {"last_sync_at": minutes(31)}, [{}]),
    "never went through": ("late", {"last_sync_at": None, "enabled_at": minutes(31)}, []),
    "a day's interval, a day ago": ("ok", {"interval_minutes": 1440, "last_sync_at": minutes(1500)}, [{}]),
    "a day's interval, two days ago": ("late", {"interval_minutes": 1440, "last_sync_at": minutes(2881)}, [{}]),
    "its worker died": ("late", {}, [DEAD]),
    "no worker takes it": ("late", {}, [DEAD | {"outcome": "queued"}]),
}  # fmt: skip


def health_of(setup: ExchangeSync) -> str:
    return mailboxes(NOW).get(exchange_sync=setup).health


@pytest.mark.parametrize(("expected", "values", "runs"), CASES.values(), ids=CASES)
def test_each_mailbox_has_exactly_one_word(
    settings: Any, expected: str, values: dict[str, Any], runs: list[dict[str, Any]]
) -> None:
    settings.M365_ACCESS = "application"
    setup = SetupFactory(**(WELL | values))
    for run in runs:
        RunFactory(setup=setup, **run)
    RunFactory(setup=SetupFactory(**WELL), **FAILED)
    assert health_of(setup) == expected


@pytest.mark.parametrize(
    ("status", "access", "expected"),
    [
        ("connected", "delegated", "ok"),
        ("expired", "delegated", "needs_sign_in"),
        (None, "delegated", "needs_sign_in"),
        (None, "application", "ok"),
    ],
)
def test_where_everybody_signs_in_a_mailbox_without_a_sign_in_needs_one(
    settings: Any, status: str | None, access: str, expected: str
) -> None:
    settings.M365_ACCESS = access
    setup = SetupFactory(**WELL)
    if status:
        MailboxSignIn.objects.create(setup=setup, status=status)
    assert health_of(setup) == expected


def test_a_user_who_may_not_sign_in_any_more_is_paused(settings: Any) -> None:
    settings.M365_ACCESS = "application"
    assert health_of(SetupFactory(**WELL, user__is_active=False)) == "paused"


def test_a_user_without_an_authentication_email_cannot_sync(settings: Any) -> None:
    settings.M365_ACCESS = "application"
    assert health_of(SetupFactory(**WELL, user__authentication_email="")) == "error"


def test_those_are_listed_who_have_a_setup_or_could_have_one() -> None:
    setup = SetupFactory(**WELL)
    closed_with_setup = SetupFactory(user__is_active=False)
    could = UserFactory()
    UserFactory(authentication_email="")
    UserFactory(is_active=False)
    found = {user.pk: user.health for user in mailboxes(NOW)}
    assert set(found) == {setup.user_id, closed_with_setup.user_id, could.pk} and found[could.pk] == "not_set_up"


@pytest.mark.parametrize("auto_sync", [True, False])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("last", [None, 10, 29, 31])
@pytest.mark.parametrize("enabled_ago", [3, 31])
def test_the_chip_and_the_list_agree_on_late(
    settings: Any, auto_sync: bool, enabled: bool, last: int | None, enabled_ago: int
) -> None:
    settings.M365_ACCESS = "application"
    last_sync_at = minutes(last) if last else None
    values = {"enabled": enabled, "auto_sync": auto_sync, "enabled_at": minutes(enabled_ago)}
    setup = SetupFactory(**(WELL | values | {"last_sync_at": last_sync_at}))
    assert is_late(setup, NOW) == (health_of(setup) == Health.LATE)


def test_the_documentation_explains_each_word() -> None:
    table = (Path(__file__).parent.parent / "docs/mailboxes.md").read_text(encoding="utf-8").partition("## Settings")[0]
    with translation.override("en"):
        missing = [str(health.label) for health in Health if f"\n| {health.label} |" not in table]
    assert missing == []
