"""Tokens of a connected mailbox: renewed once for everybody, never put back, given up only when the user must act."""

import json
import threading
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from exchange_setup.graph.errors import (
    AccessDenied,
    MailboxChanged,
    MailboxUnavailable,
    NeedsSignIn,
    Unreachable,
    WrongConfiguration,
)
from exchange_setup.graph.login import stored
from exchange_setup.mailbox import ApplicationToken, open_mailbox, registration, token_source
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.connect import connected_setup
from tests.factories import SetupFactory, UserFactory
from tests.outlook import Tenant

pytestmark = pytest.mark.django_db
ADDRESS = "anna@contoso.example"


@pytest.fixture
def setup(sandbox: Tenant, client: Client) -> ExchangeSync:
    return connected_setup(sandbox, client, UserFactory(authentication_email=ADDRESS))


@pytest.fixture
def stale(sandbox: Tenant, client: Client) -> ExchangeSync:
    """A setup whose access token is about to run out."""
    sandbox.settings(access_token_seconds=60)
    setup = connected_setup(sandbox, client, UserFactory(authentication_email=ADDRESS))
    sandbox.settings(access_token_seconds=3600)
    sandbox.clear_requests()
    return setup


def renewals(sandbox: Tenant) -> int:
    return sum(entry["path"].endswith("/token") for entry in sandbox.requests("login"))


def stored_token(setup: ExchangeSync) -> str:
    sign_in = MailboxSignIn.objects.get(setup=setup)
    token = stored(registration(), sign_in.token_cache, sign_in.home_account_id)
    assert token is not None
    return token.value


def test_a_token_that_lasts_is_taken_from_the_store(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.clear_requests()
    with open_mailbox(setup) as graph:
        assert graph.me().address == ADDRESS
        graph.folders()
    assert renewals(sandbox) == 0


def test_a_stale_token_is_renewed_once_and_kept(stale: ExchangeSync, sandbox: Tenant) -> None:
    for _ in range(2):
        with open_mailbox(stale) as graph:
            graph.me()
            graph.me()
    assert renewals(sandbox) == 1
    assert stale.sign_in.version == 2 and stale.sign_in.renewal_claimed_until is None


def test_every_rotated_refresh_token_is_kept(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.settings(strict_rotation=True)
    for _ in range(3):
        token = token_source(setup)
        token(force=token() == "")
        assert token(force=True)
    assert MailboxSignIn.objects.get(setup=setup).is_connected


def test_a_token_that_graph_refuses_is_renewed_once(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.clear_requests()
    sandbox.faults.add("unauthorized", match="GET /me", times=1)
    with open_mailbox(setup) as graph:
        graph.me()
        assert graph.requests == 2
    assert renewals(sandbox) == 1


def test_a_token_that_somebody_else_renewed_meanwhile_is_used(setup: ExchangeSync, sandbox: Tenant) -> None:
    one, other = token_source(setup), token_source(setup)
    assert one() == other()
    renewed = one(force=True)
    sandbox.clear_requests()
    assert other(force=True) == renewed
    assert renewals(sandbox) == 0


def test_a_claims_challenge_reaches_microsoft(setup: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.faults.add("claims", match="GET /me", times=1)
    with open_mailbox(setup) as graph:
        assert graph.me().address == ADDRESS


def test_whoever_finds_the_renewal_claimed_waits_for_it(stale: ExchangeSync, sandbox: Tenant) -> None:
    sign_in = MailboxSignIn.objects.get(setup=stale)
    assert sign_in.claim_renewal(timedelta(seconds=40))
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:  # the other worker is done
            sign_in.give_back_renewal()
            token_source(stale)()

    assert token_source(stale, wait)() == stored_token(stale)
    assert len(waits) == 3 and renewals(sandbox) == 1


def test_a_claim_whose_worker_died_lapses(stale: ExchangeSync, sandbox: Tenant) -> None:
    MailboxSignIn.objects.update(renewal_claimed_until=timezone.now() - timedelta(seconds=1))
    token_source(stale)()
    assert renewals(sandbox) == 1


def test_a_claim_that_never_ends_is_not_waited_for_for_ever(stale: ExchangeSync) -> None:
    MailboxSignIn.objects.update(renewal_claimed_until=timezone.now() + timedelta(days=1))
    with pytest.raises(Unreachable):
        token_source(stale, lambda seconds: None)()


def test_a_late_renewal_never_overwrites_a_new_sign_in(setup: ExchangeSync) -> None:
    late = MailboxSignIn.objects.get(setup=setup)
    assert MailboxSignIn.objects.get(setup=setup).store_renewal('{"new": 1}')
    assert not late.store_renewal('{"old": 1}')
    assert not late.expire("invalid_grant")
    assert MailboxSignIn.objects.get(setup=setup).token_cache == '{"new": 1}'


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_renew_once(stale: ExchangeSync, sandbox: Tenant) -> None:
    # Threads on SQLite in memory lock each other's tables without waiting, so that there it is one worker.
    workers = 8 if connection.vendor == "postgresql" else 1
    tokens, start = [], threading.Barrier(workers)

    def work() -> None:
        start.wait()
        tokens.append(token_source(stale)())
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == workers and len(set(tokens)) == 1
    assert renewals(sandbox) == 1


def test_a_revoked_sign_in_needs_the_user(stale: ExchangeSync, sandbox: Tenant) -> None:
    sandbox.revoke(ADDRESS)
    with open_mailbox(stale) as graph, pytest.raises(NeedsSignIn, match="50173"):
        graph.me()
    sign_in = MailboxSignIn.objects.get(setup=stale)
    assert sign_in.status == "expired" and "50173" in sign_in.last_error
    sandbox.clear_requests()
    with open_mailbox(stale) as graph, pytest.raises(NeedsSignIn):
        graph.me()
    assert renewals(sandbox) == 0


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 400, "code": "x"}])
def test_trouble_that_passes_leaves_the_sign_in_as_it_is(stale: ExchangeSync, sandbox: Tenant, fault: dict) -> None:
    do = "drop" if fault["status"] == 400 else "status"
    sandbox.faults.add(do, match="POST /token", times=0, **({} if do == "drop" else fault))
    with open_mailbox(stale) as graph, pytest.raises(Unreachable):
        graph.me()
    sandbox.faults.clear()
    with open_mailbox(stale) as graph:
        assert graph.me().address == ADDRESS


def test_without_a_sign_in_nothing_opens(sandbox: Tenant) -> None:
    with open_mailbox(SetupFactory()) as graph, pytest.raises(NeedsSignIn):
        graph.me()


def test_the_sign_in_of_the_former_mailbox_is_never_used_for_the_new_one(setup: ExchangeSync, sandbox: Tenant) -> None:
    setup.user.authentication_email = "new@contoso.example"
    setup.user.save()
    with pytest.raises(MailboxChanged):
        open_mailbox(setup)
    setup.move_to("new@contoso.example")
    with open_mailbox(setup) as graph, pytest.raises(NeedsSignIn, match="former"):
        graph.me()


def test_a_user_without_an_authentication_email_has_no_mailbox(db) -> None:
    with pytest.raises(MailboxUnavailable):
        open_mailbox(SetupFactory(user__authentication_email="", mailbox=""))


def test_a_lost_key_means_connect_again_and_no_page_breaks(setup: ExchangeSync, client: Client, settings) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with open_mailbox(setup) as graph, pytest.raises(NeedsSignIn, match="key"):
        graph.me()
    assert client.get("/exchange-setup/").status_code == 200


def test_keys_are_rotated(setup: ExchangeSync, settings, capsys: pytest.CaptureFixture[str]) -> None:
    cache, new = MailboxSignIn.objects.get().token_cache, Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    call_command("rotate_encryption_keys")
    settings.ENCRYPTION_KEYS = [new]
    assert MailboxSignIn.objects.get().token_cache == cache
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    call_command("rotate_encryption_keys")
    assert capsys.readouterr().out.splitlines() == [
        "Sealed 1 sign-ins with the newest key.",
        "Sealed 0 sign-ins with the newest key.",
        "1 were sealed with a key that is gone: those users have to connect again.",
    ]


def test_a_spoilt_cache_means_connect_again(setup: ExchangeSync) -> None:
    MailboxSignIn.objects.update(token_cache="{not json")
    with open_mailbox(setup) as graph, pytest.raises(NeedsSignIn):
        graph.me()


def test_the_cache_holds_what_msal_needs_and_no_more(setup: ExchangeSync) -> None:
    cache = json.loads(MailboxSignIn.objects.get().token_cache)
    assert len(cache["RefreshToken"]) == len(cache["AccessToken"]) == 1


# --- Application access ----------------------------------------------------------------------------------------------


@pytest.fixture
def application(sandbox: Tenant, settings) -> Tenant:
    settings.M365_ACCESS = "application"
    ApplicationToken.known.clear()
    sandbox.add_person(ADDRESS, "Anna")
    return sandbox


def test_the_application_reaches_the_mailbox_by_its_address(application: Tenant) -> None:
    setup = SetupFactory(user__authentication_email=ADDRESS)
    for _ in range(2):
        with open_mailbox(setup) as graph:
            assert graph.main_folder().is_main
    assert {entry["mailbox"] for entry in application.requests()} == {ADDRESS}
    assert all("/users/" in entry["path"] for entry in application.requests())
    assert renewals(application) == 1


def test_a_refused_application_token_is_renewed_once(application: Tenant) -> None:
    application.faults.add("unauthorized", match="GET /users", times=1)
    with open_mailbox(SetupFactory(user__authentication_email=ADDRESS)) as graph:
        graph.main_folder()
    assert renewals(application) == 2


def test_a_wrong_secret_is_a_wrong_configuration(application: Tenant, settings) -> None:
    settings.M365_CLIENT_SECRET = "old"
    setup = SetupFactory(user__authentication_email=ADDRESS)
    with open_mailbox(setup) as graph, pytest.raises(WrongConfiguration, match="7000215"):
        graph.main_folder()


def test_without_the_application_permission_access_is_denied(application: Tenant) -> None:
    application.settings(app_roles="User.Read")
    with open_mailbox(SetupFactory(user__authentication_email=ADDRESS)) as graph, pytest.raises(AccessDenied):
        graph.main_folder()


def test_a_permission_that_was_granted_meanwhile_counts_at_once(application: Tenant) -> None:
    application.settings(app_roles="User.Read")
    setup = SetupFactory(user__authentication_email=ADDRESS)
    with open_mailbox(setup) as graph, pytest.raises(AccessDenied):
        graph.main_folder()
    application.settings(app_roles="Contacts.ReadWrite")
    with open_mailbox(setup) as graph:
        assert graph.main_folder().is_main


def test_a_mailbox_that_does_not_exist_is_unavailable(application: Tenant) -> None:
    setup = SetupFactory(user__authentication_email="nobody@contoso.example")
    with open_mailbox(setup) as graph, pytest.raises(MailboxUnavailable):
        graph.main_folder()


def test_a_tenant_that_is_not_there_is_a_wrong_configuration(application: Tenant, settings) -> None:
    settings.M365_TENANT_ID = "22222222-2222-4333-8444-555555555555"
    setup = SetupFactory(user__authentication_email=ADDRESS)
    with open_mailbox(setup) as graph, pytest.raises(WrongConfiguration):
        graph.main_folder()
