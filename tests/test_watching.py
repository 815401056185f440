"""The mails about a sync that broke and works again: one each, in the user's language, whoever else is looking."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from crmsync.sync.digest import send_digests
from crmsync.sync.models import SyncRun
from crmsync.sync.secret import tell_of_expiry
from crmsync.sync.watch import Watch
from crmsync.sync.watching import tell_breaks, tell_recoveries, watch
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.factories import AdministratorFactory, RunFactory, SetupFactory

pytestmark = pytest.mark.django_db
BASE_URL = "https://crm.contoso.example"


@pytest.fixture(autouse=True)
def mail_is_sent(settings: Any) -> None:
    settings.EMAIL_IS_SENT, settings.BASE_URL, settings.M365_ACCESS = True, BASE_URL, "application"


def well(**values: Any) -> ExchangeSync:
    """A setup that synced ten minutes ago."""
    now = timezone.now()
    begun = {"enabled_at": now - timedelta(days=9), "last_sync_at": now - timedelta(minutes=10), "auto_sync": True}
    setup = SetupFactory(**(begun | values))
    RunFactory(setup=setup)
    return setup


def change(setup: ExchangeSync, **values: Any) -> None:
    ExchangeSync.objects.filter(pk=setup.pk).update(**values)


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


BROKE, WORKS = "Your contacts no longer sync with Outlook", "Your contacts sync with Outlook again"
LONG_AGO = timezone.now() - timedelta(days=2)
BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "the folder is gone": ({"trouble": "folder_gone"}, "The folder in Outlook is gone."),
    "the sign-in ran out": ({"trouble": "needs_sign_in"}, "no longer accepts your sign-in"),
    "two intervals without a sync": ({"last_sync_at": LONG_AGO}, "no sync has come to its end for some time"),
    "another mailbox on the user card": ({"mailbox": "other@contoso.example"}, "Your mailbox is another one"),
}


@pytest.mark.parametrize(("values", "says"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_told_once_and_so_is_the_recovery(values: dict[str, Any], says: str) -> None:
    setup = well()
    watch()
    assert mail.outbox == []
    before = ExchangeSync.objects.filter(pk=setup.pk).values(*values).get()

    change(setup, **values)
    watch()
    watch()

    (told,) = mail.outbox
    assert told.subject == BROKE and told.to == [setup.user.email]
    assert says in told.body and "What you can do:" in told.body and f"{BASE_URL}/" in told.body

    change(setup, **before)
    watch()
    watch()
    assert subjects() == [BROKE, WORKS]

    change(setup, **values)
    watch()
    assert subjects() == [BROKE, WORKS, BROKE]


def test_one_break_that_turns_into_another_is_still_one() -> None:
    setup = well(last_sync_at=LONG_AGO)
    watch()
    change(setup, trouble="needs_sign_in")
    watch()
    assert subjects() == [BROKE]


def test_somebody_who_never_signed_in_where_everybody_must_is_told(settings: Any) -> None:
    settings.M365_ACCESS = "delegated"
    setup = well()
    watch()
    MailboxSignIn.objects.create(setup=setup)
    watch()
    assert subjects() == [BROKE, WORKS]


def test_a_pause_does_not_end_a_break() -> None:
    setup = well(trouble="folder_gone")
    for values in ({}, {"enabled": False}, {"enabled": True}):
        change(setup, **values)
        watch()
    assert subjects() == [BROKE]
    change(setup, trouble="")
    watch()
    assert subjects() == [BROKE, WORKS]


@pytest.mark.parametrize("values", [{"enabled": False}, {"user__is_active": False}])
def test_a_sync_that_nobody_waits_for_cannot_break(values: dict[str, Any]) -> None:
    well(trouble="folder_gone", **values)
    watch()
    assert mail.outbox == []


def test_a_held_sync_is_not_told_twice() -> None:
    RunFactory(setup=well(), outcome="held")
    watch()
    assert mail.outbox == []


def test_a_busy_microsoft_is_told_only_when_the_next_sync_did_not_mend_it() -> None:
    setup = well()
    RunFactory(setup=setup, outcome="failed", error="throttled")
    watch()
    assert mail.outbox == []
    change(setup, last_sync_at=LONG_AGO)
    watch()
    assert subjects() == [BROKE]


@pytest.mark.parametrize("values", [{"auto_sync": False}, {}])
def test_a_failure_that_will_not_pass_by_itself_is_told_at_once(values: dict[str, Any]) -> None:
    error = "throttled" if values else "crashed"
    RunFactory(setup=well(**values), outcome="failed", error=error)
    watch()
    assert subjects() == [BROKE]


def test_of_two_workers_that_look_at_the_same_moment_one_writes() -> None:
    setup = well(trouble="folder_gone")
    now = timezone.now()
    one, other = Watch.objects.of(setup), Watch.objects.of(setup)
    assert [one.note_break("error", now), other.note_break("error", now)] == [True, False]
    one, other = Watch.objects.of(setup), Watch.objects.of(setup)
    assert [one.note_recovery(), other.note_recovery()] == [True, False]


def test_a_mail_that_could_not_be_handed_over_is_tried_again(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    setup = well(trouble="folder_gone")
    assert tell_breaks(timezone.now()) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert tell_breaks(timezone.now()) == 1
    change(setup, trouble="")
    assert tell_recoveries(timezone.now()) == 1
    assert subjects() == [BROKE, WORKS]


def test_mails_are_in_the_users_language_and_without_an_address_they_carry_no_link(settings: Any) -> None:
    settings.BASE_URL = ""
    well(trouble="folder_gone", user__language="da")
    watch()
    (told,) = mail.outbox
    assert "Mappen i Outlook er væk." in told.body and "http" not in told.body


def test_nothing_is_told_and_nothing_forgotten_where_no_mail_is_sent(settings: Any) -> None:
    settings.EMAIL_IS_SENT = False
    well(trouble="folder_gone")
    watch()
    settings.EMAIL_IS_SENT = True
    watch()
    assert subjects() == [BROKE]


def test_watching_costs_the_same_queries_however_many_are_well(django_assert_num_queries: Any) -> None:
    for _ in range(5):
        well()
    with django_assert_num_queries(2):  # who broke, who recovered
        assert tell_breaks(timezone.now()) + tell_recoveries(timezone.now()) == 0


# --- The daily mail --------------------------------------------------------------------------------------------------


def at(hour: int) -> Any:
    return timezone.localtime().replace(hour=hour, minute=30)


def test_the_daily_mail_comes_once_a_day_to_those_who_asked() -> None:
    well()
    setup = well(daily_digest=True)
    counts = {"outlook": {"created": 2, "updated": 1}, "crm": {"updated": 4}, "conflicts": 1}
    SyncRun.objects.filter(setup=setup).update(finished_at=at(7), counts=counts)
    RunFactory(setup=setup, outcome="failed", error="throttled", finished_at=at(7))

    assert [send_digests(at(hour)) for hour in (6, 8, 9, 13)] == [0, 1, 0, 0]
    assert send_digests(at(8) + timedelta(days=1)) == 1

    first = mail.outbox[0]
    assert first.to == [setup.user.email]
    for line in ("2 created in Outlook", "1 updated in Outlook", "4 updated in the CRM", "1 conflict", "1 sync failed"):
        assert f"- {line}" in first.body
    assert "nothing changed on either side" in mail.outbox[1].body


def test_the_setup_page_offers_the_daily_mail_where_mail_is_sent(client: Any, settings: Any) -> None:
    setup = well()
    client.force_login(setup.user)
    assert "every morning" in client.get("/exchange-setup/").text
    client.post("/exchange-setup/schedule/", {"interval_minutes": "30", "daily_digest": "on"})
    setup.refresh_from_db()
    assert setup.daily_digest

    settings.EMAIL_IS_SENT = False
    assert "every morning" not in client.get("/exchange-setup/").text
    client.post("/exchange-setup/schedule/", {"interval_minutes": "30"})
    setup.refresh_from_db()
    assert setup.daily_digest


# --- The client secret -----------------------------------------------------------------------------------------------


def test_administrators_are_told_of_the_client_secrets_end_once_at_each_threshold(settings: Any) -> None:
    anna = AdministratorFactory()
    well()
    noon = at(12)
    settings.M365_CLIENT_SECRET_EXPIRES = (noon + timedelta(days=31)).date()
    told = [tell_of_expiry(noon + timedelta(days=days)) for days in (0, 1, 2, 24, 25, 30, 31, 32)]
    assert told == [0, 1, 0, 1, 0, 1, 0, 0]
    assert {message.to[0] for message in mail.outbox} == {anna.email}
    assert [message.subject.rpartition(" in ")[2] for message in mail.outbox] == ["30 days", "7 days", "1 day"]
    assert f"{BASE_URL}/sync/status/" in mail.outbox[0].body
