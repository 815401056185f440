"""Erasing a person on request: everything of theirs goes, nothing brings them back, and the receipt says the truth."""

import io
import json
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client

from contacts.blocking import BlockedEmail, blocked
from contacts.models import Contact
from contacts.transfer.importing import import_contacts
from crmsync.sync import apply
from crmsync.sync.choices import ChangeOutcome, Kind, LinkState, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.erasing import StillRunning, erase
from crmsync.sync.erasures import CopyOutcome, ErasedCopy, Erasure
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.runs import approve, reject, request_run
from exchange_setup.models import ExchangeSync
from tests.compare import quiet
from tests.crash import Reaper, time_passes
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, RunFactory
from tests.scene import FOLDER, Salesperson, Stage, edit, outlook_person

TRACES = ("Lovelace", "ada@lovelace.example", "ada@old.example", "Analyst", "+45 11 22 33 44")


@pytest.fixture
def mia(stage: Stage) -> Salesperson:
    return stage.salesperson("mia@contoso.example")


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    client.force_login(AdministratorFactory(name="Anna Admin", authentication_email=""))
    return client


@pytest.fixture
def ada(db: None) -> Contact:
    return PersonFactory(first_name="Ada", surname="Lovelace", email="ada@lovelace.example", phone="+45 11 22 33 44")


def traces() -> list[str]:
    """The places in the whole database that still say something of the person."""
    rows = [row for model in apps.get_models() for row in model._base_manager.all()]
    found = []
    for row in rows:
        text = serializers.serialize("json", [row], ensure_ascii=False)
        found += [f"{row._meta.label}: {trace}" for trace in TRACES if trace.lower() in text.lower()]
    return found


def do_erase(contact: Contact) -> Erasure:
    return erase(Contact.objects.get(pk=contact.pk), by=AdministratorFactory())


def go_on(*people: Salesperson) -> None:
    """Carry out the runs that the erasure asked for."""
    for run in SyncRun.objects.open().filter(setup__in=[person.setup for person in people]):
        assert perform(run.pk, budget=float("inf")) == Outcome.DONE


def outcomes(erasure: Erasure) -> dict[str, str]:
    return dict(erasure.copies.values_list("mailbox", "outcome"))


def test_the_person_goes_from_the_crm_the_journal_and_every_outlook(
    jens: Salesperson, mia: Salesperson, ada: Contact
) -> None:
    jens.sync()
    mia.sync()
    edit(ada, email="ada@old.example", job_title="Analyst")
    edit(ada, email="ada@lovelace.example")
    jens.sync()
    jens.outlook.edit(jens.card("Ada Lovelace")["id"], jobTitle="Analyst in chief")
    mia.change(trashed_rule="keep")
    erasure = do_erase(ada)
    assert traces() == [] and jens.names() == ["Ada Lovelace"]
    assert set(outcomes(erasure).values()) == {"pending"}
    go_on(jens, mia)
    assert outcomes(erasure) == {"jens@contoso.example": "removed", "mia@contoso.example": "removed"}
    assert jens.names() == mia.names() == [] and traces() == [] and not ContactLink.objects.exists()
    assert len(erasure.digests) == 2 and blocked(["ADA@old.example", "else@where.example"]) == {"ada@old.example"}
    assert jens.sync()["changes"] == mia.sync()["changes"] == []


def test_cards_that_were_merged_into_it_go_too(jens: Salesperson, ada: Contact) -> None:
    PersonFactory(first_name="A.", surname="Lovelace", email="ada@old.example").write(
        {"deleted_at": ada.created_at, "merged_into": ada}, by=None
    )
    assert do_erase(ada).reach["cards"] == 2
    assert traces() == [] and not Contact.objects.exists() and BlockedEmail.objects.count() == 2


def test_comparisons_and_parked_plans_forget_the_person_too(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    jens.outlook.edit(jens.card("Ada Lovelace")["id"], jobTitle="Analyst")
    jens.verify()
    assert any(trace.startswith("sync.Difference") for trace in traces())
    jens.sync(preview=True)
    SyncRun.objects.filter(kind=Kind.PREVIEW).update(outcome=Outcome.HELD)
    SyncChange.objects.update(outcome=ChangeOutcome.PARKED)
    do_erase(ada)
    assert traces() == [] and not SyncChange.objects.filter(outcome=ChangeOutcome.PARKED).exists()


def test_no_sync_brings_the_person_back(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    do_erase(ada)
    go_on(jens)
    jens.outlook.add(FOLDER, **outlook_person("Ada", "Lovelace", "ada@other.example"))
    second = [{"address": "new@first.example"}, {"address": "Ada@Lovelace.example"}]
    jens.outlook.add(FOLDER, givenName="Countess", surname="King", emailAddresses=second)
    report = jens.sync(full=True)
    assert report["crm"]["created"] == 1  # another e-mail is another person
    link = ContactLink.objects.get(outlook_name="Countess King")
    assert (link.problem, link.contact) == ("erased", None) and len(jens.names()) == 2
    PersonFactory(first_name="Countess", surname="King", email="new@first.example")
    assert jens.sync()["paired"] == 1  # somebody decided so by hand


def test_an_old_copy_is_known_whatever_was_written_in_it(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    jens.outlook.edit(jens.card("Ada Lovelace")["id"], emailAddresses=[{"address": "ada@only-in-outlook.example"}])
    do_erase(ada)
    go_on(jens)
    jens.outlook.restore(jens.outlook.contacts("Deleted Items")[0]["id"])
    assert jens.sync(full=True)["crm"]["created"] == 0 and not Contact.objects.exists()
    assert ContactLink.objects.get().problem == "erased" and jens.names() == ["Ada Lovelace"]


def test_an_old_copy_under_somebody_elses_e_mail_is_paired_with_nobody(jens: Salesperson, ada: Contact) -> None:
    """What it holds would come into the journal as what was written over."""
    jens.sync()
    do_erase(ada)
    go_on(jens)
    PersonFactory(first_name="Bo", surname="Dam", email="bo@dam.example")
    old = jens.outlook.restore(jens.outlook.contacts("Deleted Items")[0]["id"])
    jens.outlook.edit(old["id"], emailAddresses=[{"address": "bo@dam.example"}])
    assert jens.sync()["outlook"]["created"] == 1 and jens.names() == ["Ada Lovelace", "Bo Dam"]
    assert ContactLink.objects.get(contact=None).problem == "erased"
    assert not SyncChange.objects.exclude(conflicts={}).exists() and quiet(jens)


def test_a_copy_in_the_former_folder_is_never_said_to_be_gone(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    other = jens.outlook.create_folder("Other")
    ExchangeSync.objects.get().use_folder("Other", other["id"])
    erasure = do_erase(ada)
    jens.sync() if not SyncRun.objects.open().exists() else go_on(jens)
    copy = erasure.copies.get()
    assert jens.names() == ["Ada Lovelace"] and copy.is_pending and "no longer synced" in copy.waits_for


def test_no_import_brings_the_person_back(ada: Contact) -> None:
    do_erase(ada)
    file = "number,first_name,surname,email,email_2\n,Ada,L,ADA@lovelace.example,\n,Bo,C,bo@c.example,\n"
    file += ",Eve,D,eve@d.example,ada@lovelace.example\nCT000001,Ada,L,ada@lovelace.example,\n"
    report = import_contacts(io.BytesIO(file.encode()), by=None)
    assert (report.created, report.left_out) == (1, 3) and Contact.objects.get().name == "Bo C"
    assert {note.message for note in report.notes_on_left_out} == {"This person was erased on request."}


def test_a_copy_that_nobody_had_paired_goes_too_but_a_private_one_stays(jens: Salesperson, ada: Contact) -> None:
    jens.change(new_contact_rule="hold")
    jens.sync()
    for first in ("Twin", "Private"):
        jens.outlook.add(FOLDER, **outlook_person(first, "Copy", "ada@lovelace.example"))
    jens.sync()
    ContactLink.objects.filter(outlook_name="Private Copy").update(private=True, problem="private")
    do_erase(ada)
    go_on(jens)
    assert jens.names() == ["Private Copy"]


def test_a_mailbox_out_of_reach_is_listed_until_it_is_done(jens: Salesperson, mia: Salesperson, ada: Contact) -> None:
    for person in (jens, mia):
        person.sync()
        person.setup.enable()
    mia.setup.pause()
    erasure = do_erase(ada)
    go_on(jens)
    assert outcomes(erasure) == {"jens@contoso.example": "removed", "mia@contoso.example": "pending"}
    assert "paused" in erasure.copies.get(outcome="pending").waits_for and erasure.pending == 1
    mia.setup.enable()
    mia.sync()
    assert erasure.pending == 0 and mia.names() == []


@pytest.mark.parametrize("word", [approve, reject])
def test_a_copy_whose_sync_is_held_goes_after_the_decision_whatever_it_is(
    jens: Salesperson, ada: Contact, admin: Client, settings: Any, word: Any
) -> None:
    others = PersonFactory.create_batch(3)
    jens.sync()
    for contact in others:
        contact.trash(by=None)
    settings.SYNC_DELETE_LIMIT = 2
    assert jens.sync()["outcome"] == "held"
    erasure = do_erase(ada)
    said = f"waits for {jens.setup.user}&#x27;s decision. It goes after that"
    assert said in admin.get(erasure.get_absolute_url()).text and "after that" in erasure.copies.get().waits_for
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    word(run, jens.setup.user)
    if SyncRun.objects.open().exists():
        go_on(jens)
    copy = erasure.copies.get()
    if copy.is_pending:
        assert "with the next sync" in copy.waits_for
        settings.SYNC_DELETE_LIMIT = 50
        jens.sync()
    assert erasure.pending == 0 and "Ada Lovelace" not in jens.names()


def test_what_is_gone_already_or_edited_at_the_last_moment_comes_right(
    jens: Salesperson, mia: Salesperson, ada: Contact
):
    for person in (jens, mia):
        person.sync()
    erasure = do_erase(ada)
    jens.outlook.remove(jens.card("Ada Lovelace")["id"])
    mia.outlook.edit(mia.card("Ada Lovelace")["id"], jobTitle="Still here")
    go_on(jens, mia)
    assert outcomes(erasure) == {"jens@contoso.example": "gone", "mia@contoso.example": "removed"}
    assert mia.names() == [] and not Contact.objects.exists() and traces() == []


def test_reset_links_do_not_lose_the_copy(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    erasure = do_erase(ada)
    SyncRun.objects.open().update(outcome=Outcome.CANCELLED)
    ContactLink.objects.all().delete()
    ExchangeSync.objects.update(delta_link="", delta_next_link="", last_sync_at=None)
    jens.sync()
    assert outcomes(erasure) == {"jens@contoso.example": "removed"} and jens.names() == []


def test_a_create_that_was_under_way_is_found_and_removed(jens: Salesperson, ada: Contact) -> None:
    jens.tenant.faults.add("lost")
    jens.sync()
    ContactLink.objects.update(state=LinkState.CREATING, outlook_id="", change_key="")
    ExchangeSync.objects.update(delta_link="")
    erasure = do_erase(ada)
    go_on(jens)
    assert jens.names() == [] and outcomes(erasure) == {"jens@contoso.example": "removed"}
    assert traces() == []


def test_it_waits_while_a_run_has_the_person_in_hand(jens: Salesperson, ada: Contact) -> None:
    jens.sync()
    run, _new = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(outcome=Outcome.RUNNING, worker="elsewhere:1")
    with pytest.raises(StillRunning):
        do_erase(ada)
    assert Contact.objects.count() == 1 and not Erasure.objects.exists() and not BlockedEmail.objects.exists()


def test_a_held_run_applies_nothing_of_the_person_any_more(jens: Salesperson, ada: Contact) -> None:
    run, _new = request_run(jens.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    perform(run.pk)
    edit(ada, job_title="Analyst")
    jens.sync(preview=True)
    SyncRun.objects.filter(kind=Kind.PREVIEW).update(outcome=Outcome.HELD, kind=Kind.SYNC)
    held = SyncRun.objects.get(outcome=Outcome.HELD)
    do_erase(ada)
    assert not held.changes.filter(outcome="planned").exists() and traces() == []


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_stopped_names_nobody_that_it_was_at_work_on(
    jens: Salesperson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time of an erasure they may have another name, by which this one is not found."""
    monkeypatch.setattr(apply, "LARGEST", 1)
    jens.sync()
    PersonFactory.create_batch(4)
    with Reaper(jens.tenant, 4, lambda: SyncRun.objects.open().update(cancel_requested=True)).at_work():
        assert jens.sync()["outcome"] == Outcome.CANCELLED
    assert 0 < len(jens.names()) < 4
    RunFactory(setup=jens.setup, outcome=Outcome.RUNNING, doing="Ada Lovelace")
    time_passes()
    jens.sync()
    assert set(SyncRun.objects.values_list("outcome", "error", "doing")) == {
        ("done", "", ""),
        ("cancelled", "", ""),
        ("failed", "lost", ""),
    }


# --- The pages -------------------------------------------------------------------------------------------------------


def test_an_administrator_erases_on_the_page_and_keeps_the_receipt(
    admin: Client, jens: Salesperson, ada: Contact
) -> None:
    page = admin.get(f"/sync/erasures/new/{ada.number}/")
    assert "<dt>In Outlook</dt><dd>nothing, nobody has it</dd>" in page.text
    jens.sync()
    page = admin.get(f"/sync/erasures/new/{ada.number}/")
    assert (
        "Sales Person" in page.text
        and f"/sync/erasures/new/{ada.number}/" in admin.get(f"/contacts/{ada.number}/").text
    )
    assert admin.post(f"/sync/erasures/new/{ada.number}/", {"number": "CT1"}).status_code == 422
    answer = admin.post(f"/sync/erasures/new/{ada.number}/", {"number": ada.number.lower()}, follow=True)
    erasure = Erasure.objects.get()
    assert "Still to remove" in answer.text and admin.get(f"/contacts/{ada.number}/").status_code == 404
    receipt = admin.get(f"/sync/erasures/{erasure.pk}/receipt.txt")
    assert receipt["Content-Disposition"] == f'attachment; filename="erasure-{ada.number}.txt"'
    assert (
        erasure.digests[0] in receipt.text and "Anna Admin" in receipt.text and "jens@contoso.example" in receipt.text
    )
    assert not any(trace in json.dumps([receipt.text, answer.text]) for trace in TRACES)
    copy = ErasedCopy.objects.get()
    admin.post(f"/sync/erasures/{erasure.pk}/copies/{copy.pk}/")
    copy.refresh_from_db()
    assert copy.outcome == CopyOutcome.BY_HAND and "All done" in admin.get("/sync/erasures/").text


@pytest.mark.parametrize("path", ["", "new/{number}/", "{pk}/", "{pk}/receipt.txt", "{pk}/copies/1/"])
def test_nobody_else_sees_or_does_any_of_it(client: Client, jens: Salesperson, ada: Contact, path: str) -> None:
    erasure = Erasure.objects.create(number="CT000009")
    url = f"/sync/erasures/{path.format(number=ada.number, pk=erasure.pk)}"
    verb: Any = client.post if "copies" in path or "new" in path else client.get
    assert verb(url, {"number": ada.number}).url.startswith("/accounts/login/")
    client.force_login(jens.setup.user)
    assert verb(url, {"number": ada.number}).status_code == 403
    assert Contact.objects.exists()
    assert "Erase…" not in client.get(f"/contacts/{ada.number}/").text


def test_a_company_is_no_person_and_a_merged_card_leads_to_its_survivor(admin: Client, ada: Contact) -> None:
    assert admin.get(f"/sync/erasures/new/{CompanyFactory().number}/").status_code == 404
    merged = PersonFactory()
    merged.write({"deleted_at": ada.created_at, "merged_into": ada}, by=None)
    assert admin.get(f"/sync/erasures/new/{merged.number}/").url == f"/sync/erasures/new/{ada.number}/"
