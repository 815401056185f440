"""Disconnecting: what stays in Outlook, what goes, and that connecting again goes on without a duplicate."""

import re
import time
from typing import Any

import pytest
from django.test import Client

from contacts.models import Contact
from crmsync.sync.choices import ChangeOutcome, Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.leaving import Estate, StillRunning, leave
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.runs import request_run
from crmsync.sync.undo import can_be_undone
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.compare import settle
from tests.connect import connect, connected_setup
from tests.crash import Death, Reaper, time_passes
from tests.factories import AdministratorFactory, PersonFactory, UserFactory
from tests.outlook import Tenant
from tests.scene import FOLDER, Salesperson, edit, outlook_person
from tests.test_sync_unheard import Meanwhile, die


@pytest.fixture
def browser(client: Client, jens: Salesperson) -> Client:
    jens.setup.enable()
    client.force_login(jens.setup.user)
    return client


def disconnect(browser: Client, contacts: str, count: int = 0) -> Any:
    return browser.post("/sync/disconnect/", {"contacts": contacts, "count": count}, follow=True)


def carry_out() -> SyncRun:
    """The removal that was asked for, to its end."""
    run = SyncRun.objects.filter(kind=Kind.REMOVAL).latest("pk")
    perform(run.pk, budget=float("inf"))
    run.refresh_from_db()
    return run


def reasons(run: SyncRun) -> dict[str, str]:
    return dict(run.changes.filter(outcome=ChangeOutcome.SKIPPED).values_list("name", "reason"))


def test_every_page_counts_only_what_is_still_in_the_folder(browser: Client, jens: Salesperson, settings: Any) -> None:
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    PersonFactory.create_batch(2)
    jens.sync()
    for card in list(jens.outlook.contacts(FOLDER)):
        jens.outlook.remove(card["id"])
    assert jens.sync()["outcome"] == Outcome.HELD
    assert browser.get("/").context["home"].linked == 0
    page = browser.get("/sync/disconnect/").content.decode()
    assert "is in your Outlook now, so nothing becomes of them there." in page and "0 contacts" not in page
    assert "What becomes" not in page and 'type="radio"' not in page
    close = f"/sync/mailboxes/{jens.setup.user_id}/close/"
    browser.force_login(AdministratorFactory())
    page = browser.get(close).content.decode()
    assert f"is in the Outlook of {jens.setup.user} now, so" in page and 'type="radio"' not in page
    (row,) = (row for row in browser.get("/sync/mailboxes/").context["listing"].rows if row.setup)
    assert row.linked == 0
    assert row.result.startswith("Held")


def test_with_nothing_in_the_folder_there_is_nothing_to_choose(browser: Client, jens: Salesperson) -> None:
    jens.sync()
    page = browser.get("/sync/disconnect/").text
    sent = dict(re.findall(r'name="(contacts|count)" value="(\w*)"', page))
    assert sent == {"contacts": "keep"}
    browser.post("/sync/disconnect/", sent)
    jens.setup.refresh_from_db()
    assert not jens.setup.enabled


def test_only_what_the_crm_put_there_and_nobody_has_changed_since_is_removed(browser: Client, jens: Salesperson):
    jens.outlook.create_folder(FOLDER)
    ours, edited, theirs = (PersonFactory(first_name=name, surname="Dam") for name in ("Ours", "Edited", "Theirs"))
    jens.outlook.add(FOLDER, **outlook_person("Theirs", "Dam", theirs.email))
    jens.outlook.add(FOLDER, **outlook_person("Newly", "Made", "newly@made.example"))
    jens.sync()
    jens.outlook.edit(jens.card("Edited Dam")["id"], spouseName="Not synced, and theirs alone")
    edit(ours, city="Ribe")
    jens.sync()
    page = browser.get("/sync/disconnect/")
    assert vars(page.context["form"].estate) == {"removable": 1, "changed_since": 1, "made_in_outlook": 2}
    disconnect(browser, "remove", 1)
    run = carry_out()
    assert (run.outcome, run.counts["outlook"]["deleted"], run.notes) == (Outcome.DONE, 1, ["disconnected"])
    assert jens.names() == ["Edited Dam", "Newly Made", "Theirs Dam"]
    assert jens.names("Deleted Items") == ["Ours Dam"]
    assert reasons(run) == {
        "Edited Dam": "edited_since", "Newly Made": "made_in_outlook", "Theirs Dam": "made_in_outlook"
    }  # fmt: skip
    assert Contact.objects.alive().count() == 4
    assert not ExchangeSync.objects.get().enabled


def test_after_half_a_removal_everybody_comes_back_with_the_next_sync(browser: Client, jens: Salesperson):
    for number in range(25):
        PersonFactory(first_name=f"No{number}", surname="Dam")
    jens.sync()
    disconnect(browser, "remove", 25)
    jens.tenant.faults.add("throttled", match="DELETE ", nth=21, times=0, retry_after=3600)
    assert (carry_out().outcome, len(jens.names())) == (Outcome.FAILED, 5)
    jens.tenant.faults.clear()
    jens.change(enabled=True, trouble="")
    jens.sync()
    assert len(jens.names()) == 25


def test_a_removal_is_not_undone(browser: Client, jens: Salesperson):
    PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    disconnect(browser, "remove", 1)
    removal = carry_out()
    assert not can_be_undone(SyncRun.objects.get(pk=removal.pk))


def test_a_sync_that_is_open_already_is_no_removal(browser: Client, jens: Salesperson):
    PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    run, _ = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(outcome=Outcome.RUNNING)
    with pytest.raises(StillRunning):
        leave(jens.setup, by=jens.setup.user, agreed=1)
    assert not SyncRun.objects.filter(kind=Kind.REMOVAL).exists() and ExchangeSync.objects.get().enabled


def test_what_is_edited_between_the_question_and_the_run_stays(browser: Client, jens: Salesperson):
    PersonFactory(first_name="Ada", surname="Dam")
    jens.sync()
    disconnect(browser, "remove", 1)
    jens.outlook.edit(jens.card("Ada Dam")["id"], jobTitle="Owner")
    assert reasons(carry_out()) == {"Ada Dam": "edited_since"} and jens.names() == ["Ada Dam"]


def test_more_than_was_agreed_to_is_held(browser: Client, jens: Salesperson):
    PersonFactory.create_batch(3)
    jens.sync()
    answer = disconnect(browser, "remove", 2)
    assert answer.status_code == 422 and not SyncRun.objects.filter(kind=Kind.REMOVAL).exists()
    leave(jens.setup, by=jens.setup.user, agreed=2)
    run = carry_out()
    assert (run.outcome, run.brakes[0]["count"], run.brakes[0]["limit"]) == (Outcome.HELD, 3, 2)
    assert len(jens.names()) == 3
    browser.post(f"/sync/runs/{run.pk}/approve/")
    assert carry_out().outcome == Outcome.DONE and jens.names() == []


def test_an_item_that_cannot_be_removed_leaves_the_way_to_it_open(browser: Client, jens: Salesperson):
    PersonFactory.create_batch(2)
    jens.sync()
    disconnect(browser, "remove", 2)
    jens.tenant.faults.add("status", status=400, match="DELETE /contacts/", times=1)
    assert carry_out().notes == ["still_connected"] and len(jens.names()) == 1
    disconnect(browser, "remove", 1)
    assert carry_out().notes == ["disconnected"] and jens.names() == []


def test_enabled_again_after_a_removal_everybody_is_back_once(browser: Client, jens: Salesperson):
    PersonFactory.create_batch(3)
    kept = PersonFactory(first_name="Kept", surname="Dam")
    jens.sync()
    jens.outlook.edit(jens.card("Kept Dam")["id"], jobTitle="Owner")
    disconnect(browser, "remove", 4)
    carry_out()
    assert jens.names() == ["Kept Dam"]
    ExchangeSync.objects.get().enable()
    report = jens.sync()
    assert report["outlook"]["created"] == 3 and len(jens.names()) == 4
    kept.refresh_from_db()
    assert kept.job_title == "Owner" and Contact.objects.count() == 4
    assert jens.sync()["changes"] == []


def test_connected_again_the_links_go_on_and_edits_of_both_sides_meet(
    db: None, client: Client, sandbox: Tenant
) -> None:
    setup = connected_setup(sandbox, client, UserFactory(authentication_email="anna@contoso.example"))
    setup.enable()
    anna = Salesperson(setup, sandbox.mailbox("anna@contoso.example"), sandbox)
    contact = PersonFactory(first_name="Ada", surname="Dam")
    anna.sync()
    link = ContactLink.objects.get()
    disconnect(client, "keep")
    assert not MailboxSignIn.objects.exists() and anna.names() == ["Ada Dam"]
    edit(contact, city="Ribe")
    anna.outlook.edit(anna.card("Ada Dam")["id"], jobTitle="Owner")
    connect(client, "anna@contoso.example")
    client.post("/exchange-setup/enable/")
    anna.outlook.expire_links()
    anna.sync()
    contact.refresh_from_db()
    assert (contact.city, contact.job_title) == ("Ribe", "Owner")
    assert (
        anna.card("Ada Dam")["homeAddress"].get("city", "") or anna.card("Ada Dam")["businessAddress"]["city"] == "Ribe"
    )
    assert Contact.objects.count() == 1 and ContactLink.objects.get().pk == link.pk and anna.names() == ["Ada Dam"]
    assert anna.sync()["changes"] == []


@pytest.mark.django_db(transaction=True)
def test_what_somebody_edits_just_before_our_write_stays_where_a_mailbox_ignores_if_match(jens: Salesperson) -> None:
    """Our write goes through beside the edit, and so does its answer: the item is no longer ours alone."""
    ada = PersonFactory(first_name="Ada", surname="Dam", job_title="Buyer")
    settle(jens)
    jens.tenant.settings(if_match=False)
    item = jens.card("Ada Dam")["id"]
    edit(ada, job_title="Head")
    reaper = Reaper(jens.tenant, 2, lambda: jens.outlook.edit(item, department="Sales"))
    with reaper.at_work():
        jens.sync()
    assert "PATCH" in reaper.steps[1]
    settle(jens)
    assert Contact.objects.get().department == "Sales"
    estate = Estate.of(jens.setup)
    assert (estate.removable, estate.changed_since) == (0, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrote", [{"department": "Sales"}, {"spouseName": "Not synced, and theirs alone"}])
def test_what_was_edited_before_its_creation_was_heard_of_counts_as_edited(jens: Salesperson, wrote: Any) -> None:
    """The worker died as it had made the item. It is not said to be made in Outlook, nor to be as it was made."""
    jens.outlook.create_folder(FOLDER)
    PersonFactory(first_name="Ada", surname="Dam")
    with pytest.raises(Death), Meanwhile(jens, "after POST", die).at_work():
        jens.sync()
    time_passes()
    time.sleep(2.1)  # Outlook tells its dates to the second, and may itself follow a new item up within one
    jens.outlook.edit(jens.card("Ada Dam")["id"], **wrote)
    settle(jens)
    estate = Estate.of(jens.setup)
    assert (estate.removable, estate.changed_since, estate.made_in_outlook) == (0, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_what_nobody_edited_before_its_creation_was_heard_of_may_go(jens: Salesperson) -> None:
    jens.outlook.create_folder(FOLDER)
    PersonFactory(first_name="Ada", surname="Dam")
    with pytest.raises(Death), Meanwhile(jens, "after POST", die).at_work():
        jens.sync()
    time_passes()
    settle(jens)
    assert Estate.of(jens.setup).removable == 1


def test_a_disconnect_in_mid_run_stops_the_run_and_leaves_no_trouble(db: None, client: Client, sandbox: Tenant) -> None:
    setup = connected_setup(sandbox, client, UserFactory(authentication_email="anna@contoso.example"))
    setup.enable()
    PersonFactory.create_batch(3)
    run, _new = request_run(setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(outcome=Outcome.RUNNING, worker="elsewhere:1")
    with pytest.raises(StillRunning):
        leave(setup, by=setup.user, agreed=1)
    disconnect(client, "keep")
    assert not MailboxSignIn.objects.exists()
    SyncRun.objects.filter(pk=run.pk).update(outcome=Outcome.QUEUED)  # its worker goes on
    assert perform(run.pk) == Outcome.CANCELLED
    setup.refresh_from_db()
    assert (setup.trouble, setup.enabled) == ("", False)
    assert sandbox.mailbox("anna@contoso.example").contacts() == []


@pytest.mark.parametrize("outcome", [Outcome.QUEUED, Outcome.HELD])
def test_a_disconnect_ends_a_run_that_waits(browser: Client, jens: Salesperson, outcome: str):
    run, _new = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(outcome=outcome)
    disconnect(browser, "keep")
    run.refresh_from_db()
    assert not run.is_open and not SyncChange.objects.exists()


def test_nothing_can_be_removed_from_a_mailbox_out_of_reach(browser: Client, jens: Salesperson):
    PersonFactory()
    jens.sync()
    jens.change(trouble="access_denied")
    assert not browser.get("/sync/disconnect/").context["form"].offers_removal
    assert disconnect(browser, "remove", 1).status_code == 422
    disconnect(browser, "keep")
    assert not ExchangeSync.objects.get().enabled
