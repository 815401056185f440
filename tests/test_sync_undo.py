"""Undo: what it takes back, what it leaves alone, and that the next sync does not do again what was undone."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.runs import AlreadyDecided, approve, reject
from crmsync.sync.sweep import sweep
from crmsync.sync.undo import can_be_undone
from tests.compare import both_sides, differences, settle
from tests.factories import PersonFactory, UserFactory
from tests.scene import FOLDER, edit, outlook_person


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@crm.example", job_title="Buyer")


def told(report) -> list[tuple[str, str, str, str]]:
    return [(row["side"], row["action"], row["outcome"], row["reason"]) for row in report["changes"]]


def stays(jens) -> None:
    """Syncs do not do again what was undone."""
    before = both_sides(jens)
    settle(jens)
    found = both_sides(jens)
    assert differences([before["contacts"], before["folders"]], [found["contacts"], found["folders"]]) == []


# --- Each action -----------------------------------------------------------------------------------------------------


def test_what_a_run_created_in_outlook_goes_and_no_rule_puts_it_back(jens, anne):
    jens.change(removed_rule="put_back")
    jens.sync()
    report = jens.undo()
    assert told(report) == [("outlook", "delete", "done", "")]
    assert report["kind"] == "undo" and report["outlook"]["deleted"] == 1
    assert jens.names() == [] and jens.names("Deleted Items") == ["Anne Holm"]
    edit(anne, job_title="Head of Purchasing")
    jens.change(contact_filter={"job_title": "*"})
    stays(jens)
    jens.sync(full=True)
    assert jens.names() == ["Anne Holm"]  # a full sync puts back what is not there


def test_who_is_brought_back_in_outlook_right_after_an_undo_is_in_both_again(jens, anne):
    jens.sync()
    jens.undo()
    jens.outlook.restore(jens.outlook.contacts("Deleted Items")[0]["id"])
    settle(jens)
    assert jens.names() == ["Anne Holm"] and ContactLink.objects.get().state == LinkState.LINKED


def test_what_a_run_updated_in_outlook_gets_its_former_values_and_the_next_edit_goes_on(jens, anne):
    jens.sync()
    edit(anne, job_title="Head of Purchasing", city="Aarhus")
    jens.sync()
    report = jens.undo()
    assert told(report) == [("outlook", "update", "done", "")]
    assert jens.card("Anne Holm")["jobTitle"] == "Buyer"
    anne.refresh_from_db()
    assert anne.job_title == "Head of Purchasing"
    stays(jens)
    assert jens.sync(full=True)["changes"] == []
    edit(anne, job_title="Director")
    jens.sync()
    assert jens.card("Anne Holm")["jobTitle"] == "Director"


def test_what_a_run_removed_from_outlook_is_made_again_though_its_contact_is_in_the_trash(jens, anne):
    jens.sync()
    before = jens.card("Anne Holm")
    Contact.objects.get(pk=anne.pk).trash(by=None)
    jens.sync()
    assert jens.names() == []
    assert told(jens.undo()) == [("outlook", "create", "done", "")]
    again = jens.card("Anne Holm")
    assert again["id"] != before["id"] and again["jobTitle"] == "Buyer"
    stays(jens)
    assert jens.sync(full=True)["changes"] == []
    Contact.objects.get(pk=anne.pk).restore(by=None)
    settle(jens)
    Contact.objects.get(pk=anne.pk).trash(by=None)
    jens.sync()
    assert jens.names() == []  # an ordinary pair again, by the ordinary rule


def test_what_a_run_created_in_the_crm_goes_to_the_trash_and_its_item_stays_and_is_not_imported_again(jens):
    jens.outlook.create_folder(FOLDER)
    item = jens.outlook.add(**outlook_person("Bo", "Chen", "bo@crm.example"))
    jens.sync()
    assert told(jens.undo()) == [("crm", "delete", "done", "")]
    assert [contact.is_trashed for contact in Contact.objects.all()] == [True]
    jens.outlook.edit(item["id"], jobTitle="Plumber")
    jens.sync()
    jens.sync(full=True)
    assert jens.names() == ["Bo Chen"] and Contact.objects.count() == 1
    link = ContactLink.objects.get()
    assert (link.state, link.problem) == (LinkState.SEEN, "in_trash")
    Contact.objects.get().restore(by=None)
    settle(jens)
    assert ContactLink.objects.get().state == LinkState.LINKED and jens.names() == ["Bo Chen"]


def test_what_a_run_updated_in_the_crm_gets_its_former_values_while_outlook_keeps_its_own(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Chief Buyer")
    jens.sync()
    assert told(jens.undo()) == [("crm", "update", "done", "")]
    anne.refresh_from_db()
    assert (anne.job_title, jens.card("Anne Holm")["jobTitle"]) == ("Buyer", "Chief Buyer")
    stays(jens)
    assert jens.sync(full=True)["changes"] == []


def test_who_a_run_moved_to_the_trash_comes_back_and_stays_out_of_outlook(jens, anne):
    jens.change(removed_rule="trash")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.sync()
    assert told(jens.undo()) == [("crm", "restore", "done", "")]
    anne.refresh_from_db()
    assert not anne.is_trashed
    stays(jens)
    assert jens.names() == []


def test_a_pair_gets_its_values_back_on_both_sides_and_stays_a_pair(jens, anne):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Ann", "Holm", "anne@crm.example", mobilePhone="123"))
    jens.sync()
    assert {row[:2] for row in told(jens.undo())} == {("outlook", "update"), ("crm", "update")}
    anne.refresh_from_db()
    assert anne.mobile_phone == "" and jens.card("Ann Holm")["jobTitle"] is None
    stays(jens)
    assert jens.sync(full=True)["changes"] == []
    assert ContactLink.objects.get().state == LinkState.LINKED


def test_an_edit_that_beat_a_delete_is_undone_into_the_trash(jens, anne):
    jens.sync()
    Contact.objects.get(pk=anne.pk).trash(by=None)
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Chief Buyer")
    jens.sync()
    assert told(jens.undo()) == [("crm", "delete", "done", "")]
    anne.refresh_from_db()
    assert anne.is_trashed
    stays(jens)
    assert jens.names() == ["Anne Holm"]


# --- The whole of it -------------------------------------------------------------------------------------------------


def test_a_broken_filter_is_regretted_and_both_sides_are_as_before(jens):
    jens.change(left_filter_rule="remove", contact_filter={"city": "Aarhus"})
    for name in ("Anne", "Bo", "Carla"):
        PersonFactory(first_name=name, surname="Holm", email=f"{name}@crm.example", city="Aarhus", notes="ours")
    jens.sync()
    before = both_sides(jens)
    jens.change(contact_filter={"city": "Arhus"})
    jens.sync()
    assert jens.names() == []

    report = jens.undo()

    assert report["outlook"]["created"] == 3 and report["requests"] <= 5
    assert differences(before["contacts"], both_sides(jens)["contacts"]) == []
    assert differences(before["folders"][FOLDER], both_sides(jens)["folders"][FOLDER]) == []
    stays(jens)  # though the filter is still broken
    jens.change(contact_filter={"city": "Aarhus"})
    settle(jens)
    assert jens.names() == ["Anne Holm", "Bo Holm", "Carla Holm"]
    jens.change(contact_filter={"city": "Arhus"})
    jens.sync()
    assert jens.names() == []  # the rule holds again once the filter has selected them again


def test_what_changed_since_is_left_alone_field_by_field_and_listed(jens, anne):
    jens.sync()
    edit(anne, job_title="Head of Purchasing", city="Aarhus")
    jens.sync()
    run = SyncRun.objects.latest("pk").pk
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Chief Buyer")
    jens.sync()
    report = jens.undo(run)
    assert told(report) == [("outlook", "skip", "skipped", "changed_since"), ("outlook", "update", "done", "")]
    assert report["changes"][0]["detail"] == "job_title"
    assert jens.card("Anne Holm")["jobTitle"] == "Chief Buyer"
    assert not jens.card("Anne Holm")["businessAddress"].get("city")


def test_an_edit_that_waits_is_neither_lost_nor_swallowed(jens, anne):
    jens.sync()
    edit(anne, job_title="Head of Purchasing")
    jens.sync()
    edit(anne, job_title="Director")
    assert told(jens.undo()) == [("outlook", "skip", "skipped", "changed_since")]
    jens.sync()
    assert jens.card("Anne Holm")["jobTitle"] == "Director"


def test_an_item_that_its_owner_has_made_their_own_is_not_removed(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], personalNotes="mine")
    assert told(jens.undo()) == [("outlook", "skip", "skipped", "changed_since")]
    assert jens.names() == ["Anne Holm"]


def test_nothing_is_done_before_somebody_says_so_and_a_rejected_undo_changes_nothing(jens, anne):
    jens.sync()
    report = jens.undo(applies=False)
    assert report["outcome"] == "held" and jens.names() == ["Anne Holm"]
    undo = SyncRun.objects.latest("pk")
    reject(undo, undo.setup.user)
    with pytest.raises(AlreadyDecided):
        approve(undo, None)
    stays(jens)


def test_one_change_of_a_run_is_undone_by_itself(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example")
    jens.sync()
    change = SyncChange.objects.get(name="Bo Chen")
    assert told(jens.undo(change=change)) == [("outlook", "delete", "done", "")]
    assert jens.names() == ["Anne Holm"]
    report = jens.undo(change.run_id)
    assert sorted(told(report)) == [
        ("outlook", "delete", "done", ""), ("outlook", "skip", "skipped", "already_undone"),
    ]  # fmt: skip


@pytest.mark.parametrize("case", ["create", "update", "crm", "trash"])
def test_an_undo_twice_says_so_and_an_undone_undo_does_it_again(jens, anne, case):
    jens.change(removed_rule="trash")
    jens.outlook.create_folder(FOLDER)
    if case == "crm":
        jens.outlook.add(**outlook_person("Bo", "Chen", "bo@crm.example"))
    elif case != "create":
        jens.sync()
        if case == "update":
            edit(anne, job_title="Head of Purchasing")
        else:
            jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.sync()
    after = both_sides(jens)["contacts"], jens.names()
    run = SyncRun.objects.latest("pk").pk
    undo = jens.undo()["run"]
    twice = jens.undo(run)
    assert twice["outcome"] == "done"
    assert {(row["outcome"], row["reason"]) for row in twice["changes"]} == {("skipped", "already_undone")}
    assert jens.undo(undo)["failed"] == 0
    assert differences(after, (both_sides(jens)["contacts"], jens.names())) == []
    stays(jens)
    assert not can_be_undone(SyncRun.objects.get(pk=twice["run"]))


def test_a_contact_that_a_colleague_has_paired_is_left_alone(stage, jens):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Bo", "Chen", "bo@crm.example"))
    jens.sync()
    run = SyncRun.objects.latest("pk").pk
    mette = stage.salesperson("mette@contoso.example")
    mette.outlook.create_folder(FOLDER)
    mette.outlook.add(**outlook_person("Bo", "Chen", "bo@crm.example"))
    mette.sync()
    assert told(jens.undo(run)) == [("crm", "skip", "skipped", "in_use")]
    assert not Contact.objects.get().is_trashed


def test_notes_go_back_too_and_stay(jens, anne):
    jens.change(sync_notes=True)
    edit(anne, notes="first")
    jens.sync()
    edit(anne, notes="second")
    jens.sync()
    assert told(jens.undo()) == [("outlook", "update", "done", "")]
    assert jens.card("Anne Holm")["personalNotes"] == "first"
    stays(jens)
    edit(anne, notes="third")
    jens.sync()
    assert jens.card("Anne Holm")["personalNotes"] == "third"


def test_an_undo_costs_the_batches_that_the_run_cost_and_no_query_for_each_contact(jens):
    def undo_of(number: int) -> tuple[int, int]:
        PersonFactory.create_batch(number)
        run = jens.sync()
        with CaptureQueriesContext(connection) as captured:
            undo = jens.undo(run["run"])
        assert undo["outlook"]["deleted"] == run["outlook"]["created"] == number
        return undo["requests"] - run["requests"], len(captured)

    undo_of(1)
    more_requests, few_queries = undo_of(21)
    many_requests, many_queries = undo_of(40)
    assert max(more_requests, many_requests) <= 3
    assert many_queries == few_queries


def test_an_undo_does_not_move_the_watermark(jens, anne):
    jens.sync()
    PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example")
    jens.undo()
    jens.sync()
    assert jens.names() == ["Bo Chen"]


def test_an_undo_that_nobody_applies_gives_way_to_the_next_sync_after_an_hour(jens, anne):
    jens.sync()
    jens.undo(applies=False)
    sweep()
    assert SyncRun.objects.latest("pk").outcome == "held"
    SyncRun.objects.update(heartbeat_at=timezone.now() - timedelta(hours=2))
    sweep()
    assert SyncRun.objects.get(kind="undo").outcome == "rejected"
    assert jens.sync()["changes"] == [] and jens.names() == ["Anne Holm"]


@pytest.mark.parametrize("answer", ["heard", "lost"])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_note_that_an_undo_brings_back_is_still_whose_it_was(jens, anne, answer, is_own):
    """What somebody wrote in Outlook themselves is never overwritten; a note of the CRM's goes on following it."""
    jens.change(sync_notes=True)
    jens.sync()
    if is_own:
        jens.outlook.edit(jens.card("Anne Holm")["id"], personalNotes="as it was")
        settle(jens)
    edit(anne, notes="the CRM's" if is_own else "as it was")
    settle(jens)
    edit(anne, deleted_at=timezone.now())
    jens.sync()
    if answer == "lost":
        jens.tenant.faults.add("lost", match="POST .*contacts$", times=1)
    jens.undo()
    edit(anne, deleted_at=None)
    settle(jens)
    assert jens.card("Anne Holm")["personalNotes"] == "as it was"
    edit(anne, notes="later")
    settle(jens)
    assert jens.card("Anne Holm")["personalNotes"] == ("as it was" if is_own else "later")


def test_who_was_handed_over_since_is_not_moved_to_the_trash(jens):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Bo", "Dam", "bo@dam.example"))
    jens.sync()
    edit(Contact.objects.get(), salesperson=UserFactory())
    assert told(jens.undo()) == [("crm", "skip", "skipped", "changed_since")]
    assert not Contact.objects.get().is_trashed


def test_the_card_says_what_an_undo_has_left(jens, anne, client):
    client.force_login(jens.setup.user)
    jens.setup.enable()
    card = f"/sync/contacts/{anne.number}/"
    jens.sync()
    created = SyncRun.objects.latest("pk").pk
    edit(anne, job_title="Head of Purchasing")
    jens.sync()
    assert "Differs" not in client.get(card).content.decode()
    jens.undo()
    page = client.get(card).content.decode()
    assert "Differs" in page and "Job title" in page
    jens.undo(created)
    assert "An undo left it out of your Outlook." in client.get(card).content.decode()


def test_an_undo_that_puts_nobody_into_outlook_needs_no_filter(jens, anne):
    jens.sync()
    edit(anne, job_title="Head of Purchasing")
    jens.sync()
    jens.change(contact_filter={"city": "((("})
    assert jens.undo()["outcome"] == "done" and jens.card("Anne Holm")["jobTitle"] == "Buyer"


def test_nobody_is_made_again_beside_another_contact_that_has_their_e_mail_in_outlook_by_now(jens):
    for name in ("Anne", "Bo"):
        PersonFactory(first_name=name, surname="Holm", email="both@x.example")
    jens.change(contact_filter={"first_name": "Bo"}, left_filter_rule="remove")
    settle(jens)
    jens.change(contact_filter={"first_name": "Anne"})
    run = jens.sync()["run"]
    settle(jens)
    assert jens.names() == ["Anne Holm"]
    (change,) = jens.undo(run)["changes"]
    assert (change["reason"], jens.names()) == ("shared_email", ["Anne Holm"])
