"""The brakes: what a mass change is held by, what the run then says, and what approving and rejecting do."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState, Outcome
from crmsync.sync.engine import perform
from crmsync.sync.leaving import leave
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.report import as_json
from crmsync.sync.runs import approve, reject
from exchange_setup.models import ExchangeSync
from tests.compare import quiet
from tests.crash import Death, Reaper, World, time_passes
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db
PEOPLE = 6


@pytest.fixture
def synced(jens, settings):
    """Six people in both places; more than two deletions, or three overwrites, are too many."""
    settings.SYNC_DELETE_LIMIT = 2
    for number in range(PEOPLE):
        PersonFactory(first_name="P", surname=str(number), email=f"p{number}@crm.example", city="Aarhus")
    assert jens.sync()["outlook"]["created"] == PEOPLE
    return jens


def everything(jens):
    """What a held run must leave alone: both sides, without when they were read."""
    crm = list(Contact.objects.order_by("pk").values_list("pk", "version", "deleted_at", "city"))
    return crm, [jens.outlook.contacts(name) for name in (FOLDER, "Contacts", "Deleted Items")]


def held(jens, **kind):
    """A run that is held, having done nothing; its brakes as (brake, side, cause, count, limit)."""
    before = everything(jens)
    report = jens.sync(**kind)
    assert (report["outcome"], everything(jens)) == ("held", before)
    keys = ("brake", "side", "cause", "count", "limit")  # as the database gives them, in any order
    return sorted(tuple(brake[key] for key in keys) for brake in report["brakes"])


def decide(verdict=approve):
    """A person decides about the held run, and a worker takes it up; its report."""
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    verdict(run, run.setup.user)
    perform(run.pk)
    return as_json(SyncRun.objects.get(pk=run.pk))


# What is held -------------------------------------------------------------------------------------------------------


def test_a_filter_that_nobody_passes_is_held_and_carried_out_once_approved(synced):
    synced.change(contact_filter={"city": "Nowhere"}, left_filter_rule="remove")
    assert held(synced) == [("deletions", "outlook", "left_filter", PEOPLE, 2)]
    report = decide()
    assert (report["outcome"], report["outlook"]["deleted"]) == ("done", PEOPLE)
    assert synced.names() == []
    assert Contact.objects.alive().count() == PEOPLE
    assert quiet(synced)


def test_an_emptied_folder_is_held_and_put_back_by_a_full_sync_if_that_was_meant(synced):
    synced.outlook.empty()
    assert held(synced) == [
        ("deletions", "outlook", "removed_in_outlook", PEOPLE, 2),
        ("folder_empty", "outlook", "", PEOPLE, 0),
    ]
    assert decide()["outcome"] == "done"
    assert set(ContactLink.objects.values_list("state", flat=True)) == {LinkState.REMOVED}
    assert synced.sync(full=True)["outlook"]["created"] == PEOPLE


def test_an_emptied_folder_cannot_empty_the_crm_unasked(synced):
    synced.change(removed_rule="trash")
    synced.outlook.empty()
    assert ("deletions", "crm", "removed_in_outlook", PEOPLE, 2) in held(synced)
    assert decide(reject)["outcome"] == "rejected"
    assert Contact.objects.alive().count() == PEOPLE
    assert held(synced)  # the cause is still there, so the next run asks again


def test_a_mass_trash_is_held(synced):
    for contact in Contact.objects.all()[:4]:
        contact.trash(by=None)
    assert held(synced) == [("deletions", "outlook", "trashed", 4, 2)]
    assert decide(reject)["outcome"] == "rejected"
    for contact in Contact.objects.trashed():
        contact.restore(by=None)
    assert quiet(synced)
    assert len(synced.names()) == PEOPLE


def test_causes_are_counted_each_by_itself_but_measured_together(synced):
    first, second, third = Contact.objects.all()[:3]
    first.trash(by=None)
    second.trash(by=None)
    synced.outlook.remove(synced.card(third.name)["id"])
    assert held(synced) == [
        ("deletions", "outlook", "removed_in_outlook", 1, 2),
        ("deletions", "outlook", "trashed", 2, 2),
    ]


def test_as_many_deletions_as_the_limit_go_through(synced):
    for contact in Contact.objects.all()[:2]:
        contact.trash(by=None)
    assert synced.sync()["outlook"]["deleted"] == 2


def test_an_import_that_empties_a_column_is_held(synced):
    for contact in Contact.objects.all():
        edit(contact, city="")
    assert held(synced) == [("overwrites", "outlook", "edited_in_crm", PEOPLE, 3)]
    assert decide()["outlook"]["updated"] == PEOPLE
    assert quiet(synced)


def test_an_edit_of_every_contact_in_outlook_is_held(synced):
    for item in synced.outlook.contacts():
        synced.outlook.edit(item["id"], jobTitle="")
        synced.outlook.edit(item["id"], companyName="Everybody's")
    assert held(synced) == [("overwrites", "crm", "edited_in_outlook", PEOPLE, 3)]


def test_many_items_that_would_be_paired_and_overwritten_later_on_are_held(synced):
    for number in range(4):
        PersonFactory(first_name="Q", surname=str(number), email=f"q{number}@crm.example", city="Aarhus")
        address = {"businessAddress": {"city": "Odense"}} if number else {}
        synced.outlook.add(**outlook_person("Q", str(number), f"q{number}@crm.example", **address))
    assert synced.sync()["outcome"] == "done"
    for number in range(4, 10):
        PersonFactory(first_name="Q", surname=str(number), email=f"q{number}@crm.example", city="Aarhus")
        address = {"businessAddress": {"city": "Odense"}}
        synced.outlook.add(**outlook_person("Q", str(number), f"q{number}@crm.example", **address))
    assert held(synced) == [("overwrites", "outlook", "first_sight", 6, 5)]
    assert decide()["paired"] == 6
    assert quiet(synced)


def test_a_mailbox_that_was_cleared_and_is_connected_again_still_has_the_brake_on_its_pairs(synced):
    """It begins as at a first sync; but what was left in Outlook are pairs of old."""
    for item in synced.outlook.contacts()[1:]:
        synced.outlook.edit(item["id"], jobTitle="Boss")
    perform(leave(synced.setup, by=synced.setup.user, agreed=PEOPLE).pk)
    ExchangeSync.objects.get().enable()
    assert len(synced.outlook.contacts()) == PEOPLE - 1
    assert held(synced) == [("overwrites", "crm", "edited_in_outlook", PEOPLE - 1, 2)]
    assert decide()["crm"]["updated"] == PEOPLE - 1
    assert quiet(synced)


def test_another_mailbox_is_held_and_then_filled_while_the_old_one_keeps_its_contacts(synced):
    other = synced.tenant.add_person("jens.new@contoso.example")
    user = synced.setup.user
    user.authentication_email = other.email
    user.save()
    assert held(synced) == [("mailbox_changed", "outlook", "", PEOPLE, 0)]
    report = decide()
    assert (report["outcome"], report["outlook"]["created"], report["crm"]["deleted"]) == ("done", PEOPLE, 0)
    assert len(other.contacts()) == len(synced.outlook.contacts()) == PEOPLE
    assert quiet(synced)


def test_approving_deletions_is_no_word_on_another_mailbox(synced):
    for contact in Contact.objects.all()[:4]:
        contact.trash(by=None)
    held(synced)
    user = synced.setup.user
    user.authentication_email = synced.tenant.add_person("jens.new@contoso.example").email
    user.save()
    report = decide()
    assert (report["outcome"], [brake["brake"] for brake in report["brakes"]]) == ("held", ["mailbox_changed"])
    assert ContactLink.objects.count() == PEOPLE


# What approving means -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outlook_honours_if_match", [True, False])
def test_what_was_edited_while_the_run_was_held_is_left_to_the_next_one(synced, outlook_honours_if_match):
    synced.tenant.settings(if_match=outlook_honours_if_match)
    for contact in Contact.objects.all():
        edit(contact, city="Vejle")
    held(synced)
    edit(Contact.objects.get(surname="0"), city="Odense")
    for surname in "12":
        synced.outlook.edit(synced.card(f"P {surname}")["id"], businessAddress={"city": "Outlook's"})
    report = decide()
    stale = sorted(row["name"] for row in report["changes"] if row["outcome"] == "stale")
    assert (report["outlook"]["updated"], stale) == (3, ["P 0", "P 1", "P 2"])
    report = synced.sync()
    assert report["outlook"]["updated"] == 3
    lost = sorted(row["conflicts"]["city"]["outlook"] for row in report["changes"] if row["conflicts"])
    assert lost == ["Outlook's", "Outlook's"]
    assert synced.card("P 0")["businessAddress"]["city"] == "Odense"
    assert quiet(synced)


@pytest.mark.parametrize("change", [{"left_filter_rule": "keep"}, {"folder_id": "", "folder_name": "Another"}])
def test_a_plan_made_with_other_settings_is_not_carried_out(synced, change):
    synced.change(contact_filter={"city": "Nowhere"}, left_filter_rule="remove")
    held(synced)
    synced.change(**change)
    report = decide()
    assert (report["outcome"], report["error"]) == ("failed", "setup_changed")
    assert len(synced.names()) == PEOPLE
    assert {row["outcome"] for row in report["changes"]} == {"stale"}


def test_rejecting_ends_the_run_and_changes_nothing(synced):
    Contact.objects.first().trash(by=None)
    synced.change(contact_filter={"city": "Nowhere"}, left_filter_rule="remove")
    held(synced)
    before = everything(synced)
    report = decide(reject)
    assert (report["outcome"], everything(synced)) == ("rejected", before)
    assert {row["outcome"] for row in report["changes"]} == {"stale"}


# Whatever happens to the worker -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outcome", [Outcome.RUNNING, Outcome.QUEUED])
def test_no_crash_and_no_handing_back_lets_a_plan_slip_past_the_brakes(synced, sandbox_server, outcome):
    synced.change(contact_filter={"city": "Nowhere"}, left_filter_rule="remove")
    before, world = everything(synced), World(str(sandbox_server.sandbox.store.path))
    reaper = Reaper(synced.tenant)
    with reaper.at_work():
        held(synced)
    for number in range(1, len(reaper.steps) + 1):
        world.restore()
        with pytest.raises(Death), Reaper(synced.tenant, number).at_work():
            synced.sync()
        time_passes()
        SyncRun.objects.filter(outcome=Outcome.RUNNING).update(outcome=outcome)
        for run in SyncRun.objects.open().exclude(outcome=Outcome.HELD):
            assert perform(run.pk) == Outcome.HELD, reaper.steps[number - 2 : number]
        assert everything(synced) == before
