"""The first sync of a setup: none begins by itself before somebody has let it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.erasing import erase
from crmsync.sync.erasures import ErasedCopy
from crmsync.sync.health import health_of
from crmsync.sync.models import SyncRun
from crmsync.sync.push import knock, look, start_wanted
from crmsync.sync.reset import reset_links
from crmsync.sync.runs import NotReady, cancel, request_run
from crmsync.sync.sweep import sweep
from exchange_setup.models import ExchangeSync
from tests.factories import AdministratorFactory, PersonFactory, UserFactory
from tests.scene import Salesperson, Stage, outlook_person

WAITING = {"first_sync_allowed": False, "auto_sync": True, "enabled_at": timezone.now()}


@pytest.fixture
def mia(stage: Stage) -> Salesperson:
    """Has enabled the sync a while ago, which would be due by now, and has not looked at the first one."""
    PersonFactory(first_name="Ada", surname="Lovelace", email="ada@lovelace.example")
    mia = stage.salesperson("mia@contoso.example", **WAITING)
    fall_due()
    return mia


@pytest.fixture
def as_mia(client: Client, mia: Salesperson) -> Client:
    client.force_login(mia.setup.user)
    client.cookies["django_language"] = "en"
    return client


def fall_due() -> None:
    ExchangeSync.objects.update(next_sync_at=timezone.now() - timedelta(seconds=1))


def is_due(person: Salesperson) -> bool:
    """Whether an automatic sync is opened for them, now or as soon as its time has come."""
    setup = ExchangeSync.objects.get(pk=person.setup.pk)
    if setup.next_sync_at is None:
        return False
    fall_due()
    sweep()
    return SyncRun.objects.filter(trigger=Trigger.SCHEDULE, kind=Kind.SYNC).exists()


def begin(client: Client, mia: Salesperson) -> SyncRun:
    """Ask for the first sync, as the dialog does, and see its preview through."""
    client.post("/sync/start/", {"kind": "sync", "go": "run"})
    preview = SyncRun.objects.latest("pk")
    assert preview.kind == Kind.PREVIEW and perform(preview.pk, budget=float("inf")) == Outcome.DONE
    return preview


def test_no_clock_and_no_bell_starts_it(mia: Salesperson) -> None:
    assert sweep().startswith("started 0 and 0 early")
    assert look(timezone.now() - timedelta(hours=1)) == 0
    knock([mia.setup.pk])
    assert start_wanted() == 0
    with pytest.raises(NotReady):
        request_run(mia.setup, kind=Kind.SYNC, trigger=Trigger.SCHEDULE)
    assert not SyncRun.objects.exists()


def test_an_erasure_does_not_start_it_either_and_its_receipt_says_why(mia: Salesperson) -> None:
    mia.outlook.create_folder("Business Central")
    mia.outlook.add(**outlook_person("Ada", "Lovelace", "ada@lovelace.example"))
    mia.sync(preview=True)
    erase(Contact.objects.get(), by=AdministratorFactory(authentication_email=""))
    assert not SyncRun.objects.open().exists()
    assert "first sync" in ErasedCopy.objects.get().waits_for


def test_it_is_not_late_and_every_page_says_what_it_waits_for(as_mia: Client, mia: Salesperson) -> None:
    ExchangeSync.objects.update(enabled_at=timezone.now() - timedelta(days=3))
    assert health_of(mia.setup) == "waiting"
    chip, home, page = (as_mia.get(path).text for path in ("/sync/chip/", "/", "/exchange-setup/"))
    assert "Waiting for your first sync" in chip and 'href="/sync/start/"' in chip
    assert "waits for you" in home and 'hx-get="/sync/start/"' in home
    assert "Enabled: waits for your first sync." in page and "After your first sync" in page
    assert "See what it would do" in page and "sync is late" not in page
    as_mia.force_login(AdministratorFactory(authentication_email=""))
    listed = as_mia.get("/sync/mailboxes/?health=waiting")
    assert [row.user for row in listed.context["listing"].rows] == [mia.setup.user]
    assert "First sync waits" in listed.text
    shown = as_mia.get(f"/sync/mailboxes/{mia.setup.user_id}/").context["mailbox"].row
    assert "has not looked at the first sync yet" in shown.why and shown.next_sync_at is None


def test_it_begins_once_its_preview_is_applied_and_then_goes_on_by_itself(as_mia: Client, mia: Salesperson) -> None:
    preview = begin(as_mia, mia)
    assert not is_due(mia)
    as_mia.post(f"/sync/previews/{preview.pk}/apply/", {"count": preview.changes.filter(leads=True).count()})
    run = SyncRun.objects.latest("pk")
    assert perform(run.pk, budget=float("inf")) == Outcome.DONE and mia.names() == ["Ada Lovelace"]
    PersonFactory(first_name="New", surname="Comer", email="new@comer.example")
    assert is_due(mia)


def test_stopping_the_first_sync_takes_the_word_back(as_mia: Client, mia: Salesperson) -> None:
    preview = begin(as_mia, mia)
    as_mia.post(f"/sync/previews/{preview.pk}/apply/", {"count": preview.changes.filter(leads=True).count()})
    cancel(SyncRun.objects.latest("pk"))
    assert not is_due(mia) and health_of(mia.setup) == "waiting"


def test_one_that_is_stopped_at_work_waits_as_well(as_mia: Client, mia: Salesperson) -> None:
    preview = begin(as_mia, mia)
    as_mia.post(f"/sync/previews/{preview.pk}/apply/", {"count": preview.changes.filter(leads=True).count()})
    run = SyncRun.objects.latest("pk")
    SyncRun.objects.filter(pk=run.pk).update(cancel_requested=True)
    assert perform(run.pk) == Outcome.CANCELLED and not is_due(mia)


def test_one_that_could_not_reach_outlook_is_tried_again_by_itself(as_mia: Client, mia: Salesperson) -> None:
    preview = begin(as_mia, mia)
    as_mia.post(f"/sync/previews/{preview.pk}/apply/", {"count": preview.changes.filter(leads=True).count()})
    run = SyncRun.objects.latest("pk")
    SyncRun.objects.filter(pk=run.pk).update(outcome="failed", error="unreachable")
    assert is_due(mia)


def test_the_command_and_an_administrators_button_are_a_persons_word(client: Client, mia: Salesperson) -> None:
    client.force_login(AdministratorFactory(authentication_email=""))
    client.post(f"/sync/mailboxes/{mia.setup.user_id}/sync/")
    assert SyncRun.objects.get().kind == Kind.SYNC
    cancel(SyncRun.objects.get())
    call_command("sync_contacts", user="mia@contoso.example", preview=True)
    assert not is_due(mia)
    call_command("sync_contacts", user="mia@contoso.example")
    assert mia.names() == ["Ada Lovelace"] and is_due(mia)


def test_whom_an_administrator_enables_begins_by_itself_and_is_told(client: Client, stage: Stage) -> None:
    client.force_login(AdministratorFactory(authentication_email=""))
    ida, bob, eve = (UserFactory(authentication_email=f"{name}@contoso.example") for name in ("ida", "bob", "eve"))
    client.post("/sync/mailboxes/set-up/", {"user": ida.pk, "enable": "1"})
    client.post("/sync/mailboxes/set-up/", {"user": bob.pk})
    client.post(f"/sync/mailboxes/{bob.pk}/resume/")
    call_command("exchange_setup", user=eve.email, auto_sync=15)
    ExchangeSync.objects.update(auto_sync=True)
    fall_due()
    assert sweep().startswith("started 3")
    client.force_login(ida)
    SyncRun.objects.all().delete()
    assert "starts by itself" in client.get("/sync/start/").text


def test_resuming_for_somebody_is_not_the_word_on_their_first_sync(client: Client, mia: Salesperson) -> None:
    client.force_login(AdministratorFactory(authentication_email=""))
    mia.setup.pause()
    client.post(f"/sync/mailboxes/{mia.setup.user_id}/resume/")
    assert not is_due(mia)


def test_one_that_has_nobody_to_carry_over_can_be_let_begin(as_mia: Client, mia: Salesperson) -> None:
    Contact.objects.update(email="")
    preview = begin(as_mia, mia)
    page = as_mia.get(f"/sync/previews/{preview.pk}/").text
    assert "Let it begin" in page and "There is nobody to carry over at present." in page and not is_due(mia)
    as_mia.post(f"/sync/previews/{preview.pk}/apply/", {"count": "0"})
    mia.finish(SyncRun.objects.latest("pk"))
    assert SyncRun.objects.latest("pk").outcome == Outcome.DONE and is_due(mia)


def test_another_folder_waits_for_a_look_and_the_same_one_again_does_not(as_mia: Client, mia: Salesperson) -> None:
    call_command("sync_contacts", user="mia@contoso.example")
    page = as_mia.post("/exchange-setup/folder/", {"choice": "new", "name": "Elsewhere"}, follow=True).text
    assert "once you have applied" in page and not is_due(mia)
    assert "changes nothing before you apply it" in as_mia.get("/sync/start/").text
    call_command("sync_contacts", user="mia@contoso.example")
    ExchangeSync.objects.update(trouble="folder_gone")
    as_mia.post("/exchange-setup/folder/again/")
    assert is_due(mia)


def test_links_that_an_administrator_resets_are_paired_again_by_themselves(mia: Salesperson) -> None:
    call_command("sync_contacts", user="mia@contoso.example")
    reset_links(ExchangeSync.objects.get())
    assert is_due(mia)


def test_whoever_took_the_contacts_out_of_outlook_looks_first_when_they_come_back(
    as_mia: Client, mia: Salesperson
) -> None:
    call_command("sync_contacts", user="mia@contoso.example")
    as_mia.post("/sync/disconnect/", {"contacts": "remove", "count": "1"})
    removal = SyncRun.objects.get(kind=Kind.REMOVAL)
    assert perform(removal.pk, budget=float("inf")) == Outcome.DONE and mia.names() == []
    as_mia.post("/exchange-setup/enable/")
    assert not is_due(mia) and health_of(mia.setup) == "waiting"


def test_the_dialog_of_one_that_is_paused_offers_what_it_has(as_mia: Client, mia: Salesperson) -> None:
    ExchangeSync.objects.update(enabled=False)
    page: Any = as_mia.get("/sync/start/?only=preview").text
    assert "OK shows" not in page and "The preview shows you what it would do, and changes nothing." in page
