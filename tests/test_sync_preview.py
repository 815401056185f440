"""A preview that is carried out: just what it showed, less what was left out, whatever happened in between."""

import pytest
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.decisions import Outdated, RunAtWork
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.previewing import CarriedOut, Unconfirmed, carry_out, leave, sight, to_do
from crmsync.sync.report import as_json
from tests.compare import settle
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db
NAMES = ["Anne", "Bo", "Carla", "Dora"]


@pytest.fixture
def people():
    return {name: PersonFactory(first_name=name, surname="Holm", email=f"{name.lower()}@crm.example") for name in NAMES}


def preview(jens, **kind) -> SyncRun:
    report = jens.sync(preview=True, **kind)
    assert report["outcome"] == "done", report
    return SyncRun.objects.select_related("setup__user").get(pk=report["run"])


def apply(run, agreed="", count=None):
    """A person presses Apply, and a worker does it; the report."""
    left = to_do(run).filter(leave="").count() if count is None else count
    opened = carry_out(run, run.setup.user, count=left, agreed=agreed, enqueue=False)
    perform(opened.pk, budget=float("inf"))
    return as_json(SyncRun.objects.get(pk=opened.pk))


def leave_out(run, *names, how="not_now"):
    rows = run.changes.filter(name__in=[f"{name} Holm" for name in names])
    assert leave(run, rows, how) == len(names)


def outcomes(report):
    return {row["name"]: (row["outcome"], row["reason"]) for row in report["changes"]}


def test_applied_whole_it_does_what_it_showed_and_leaves_nothing_to_do(jens, people):
    shown = preview(jens)
    report = apply(shown)
    assert report["outlook"]["created"] == len(to_do(shown)) == 4
    assert (report["plan_of"], report["notes"]) == (shown.pk, ["folder_created", "first_sync"])
    settle(jens, runs=2)


def test_it_shows_that_who_is_new_in_the_crm_is_paired_with_an_item_that_waits(jens):
    jens.change(new_contact_rule="hold")
    jens.sync()
    jens.outlook.add(**outlook_person("Anne", "Holm", "anne@crm.example"))
    jens.sync()
    PersonFactory(first_name="Anne", surname="Holm", email="anne@crm.example")
    shown = preview(jens)
    assert outcomes(as_json(shown)) == {"Anne Holm": ("planned", "")}
    assert apply(shown)["paired"] == 1
    settle(jens, runs=2)


def test_what_can_never_come_in_as_it_stands_is_told_by_the_sync_too(jens):
    jens.sync()
    jens.outlook.add(givenName="No", surname="Email")
    assert [jens.sync(preview=True)["skipped"] for _ in range(2)] == [1, 1]
    assert jens.sync()["skipped"] == 1
    settle(jens, runs=2)


def test_who_is_left_out_this_time_comes_with_the_next_sync(jens, people):
    shown = preview(jens)
    leave_out(shown, "Bo", "Carla")
    report = apply(shown)
    assert report["outlook"]["created"] == 2 and jens.names() == ["Anne Holm", "Dora Holm"]
    assert outcomes(report)["Bo Holm"] == ("stale", "not_this_time")
    assert jens.sync()["outlook"]["created"] == 2
    settle(jens, runs=2)


@pytest.mark.parametrize("what", ["crm", "outlook", "both", "item", "trashed", "removed", "filter"])
def test_whatever_is_left_out_this_time_the_next_sync_looks_at_it_again(jens, people, what):
    """The watermark, the bookmark and the settings have moved on; each kind of row is found all the same."""
    jens.sync()
    anne, card = people["Anne"], jens.card("Anne Holm")
    if what in ("crm", "both"):
        edit(anne, job_title="Boss")
    if what in ("outlook", "both"):
        jens.outlook.edit(card["id"], companyName="Fabrikam")
    if what == "item":
        jens.outlook.add(FOLDER, **outlook_person("Erik", "Holm", "erik@crm.example"))
    if what == "trashed":
        anne.trash(by=None)
    if what == "removed":
        jens.outlook.remove(card["id"])
    if what == "filter":
        jens.change(contact_filter={"first_name": "<>Anne"}, left_filter_rule="remove")
    shown = preview(jens)
    assert len(to_do(shown)) == 1
    leave(shown, to_do(shown), "not_now")
    first = apply(shown)
    assert {row["reason"] for row in first["changes"]} == {"not_this_time"} and first["stale"] == len(first["changes"])
    again = jens.sync()
    assert [(row["side"], row["action"]) for row in again["changes"]] == [
        (row["side"], row["action"]) for row in first["changes"]
    ]
    assert {row["outcome"] for row in again["changes"]} == {"done"}
    settle(jens, runs=2)


def test_never_leaves_a_contact_out_of_every_sync_once_the_preview_is_applied(jens, people):
    shown = preview(jens)
    leave_out(shown, "Bo", how="never")
    assert not jens.setup.preferences.exists()
    apply(shown)
    assert jens.setup.preferences.get().contact == people["Bo"]
    assert "Bo Holm" not in jens.names()
    settle(jens, runs=2)
    assert jens.sync(full=True)["changes"] == []


def test_never_keeps_an_outlook_contact_out_of_the_crm(jens, people):
    jens.sync()
    jens.outlook.add(FOLDER, **outlook_person("Erik", "Holm", "erik@crm.example"))
    shown = preview(jens)
    leave_out(shown, "Erik", how="never")
    apply(shown)
    settle(jens, runs=2)
    assert not Contact.objects.filter(first_name="Erik").exists()
    assert ContactLink.objects.get(contact=None).problem == "not_wanted"
    assert jens.sync(full=True)["crm"]["created"] == 0


def test_a_word_is_taken_back_before_it_is_applied(jens, people):
    shown = preview(jens)
    leave_out(shown, "Bo", how="never")
    leave_out(shown, "Bo", how="")
    apply(shown)
    assert len(jens.names()) == 4 and not jens.setup.preferences.exists()


def test_of_a_contact_that_both_sides_changed_both_rows_stay_or_go(jens, people):
    jens.sync()
    edit(people["Anne"], job_title="Boss")
    jens.outlook.edit(jens.card("Anne Holm")["id"], companyName="Fabrikam")
    shown = preview(jens)
    assert (len(to_do(shown)), shown.changes.count()) == (1, 2)
    leave(shown, to_do(shown), "not_now")
    apply(shown)
    assert jens.card("Anne Holm")["jobTitle"] in ("", None)
    people["Anne"].refresh_from_db()
    assert people["Anne"].company_name == ""


# What became stale ---------------------------------------------------------------------------------------------------


def test_applied_twice_it_is_carried_out_once(jens, people):
    shown = preview(jens)
    first = apply(shown)
    with pytest.raises(CarriedOut) as again:
        apply(shown)
    assert again.value.run.pk == first["run"] and len(jens.names()) == 4
    with pytest.raises(CarriedOut):
        leave_out(shown, "Bo")


def test_one_that_failed_can_be_applied_again(jens, people):
    shown = preview(jens)
    jens.tenant.faults.add("access_denied")
    assert apply(shown)["outcome"] == "failed"
    jens.tenant.faults.clear()
    assert apply(shown)["outlook"]["created"] == 4
    settle(jens, runs=2)


def test_what_was_changed_meanwhile_is_left_for_the_next_sync_and_says_so(jens, people):
    jens.sync()
    for contact in people.values():
        edit(contact, city="Vejle")
    shown = preview(jens)
    edit(people["Anne"], city="Odense")
    jens.outlook.edit(jens.card("Bo Holm")["id"], jobTitle="Boss")
    edit(people["Carla"], city="")
    PersonFactory(first_name="Erik", surname="Holm", email="erik@crm.example")
    report = apply(shown)
    assert outcomes(report) == {
        "Anne Holm": ("stale", "not_in_preview"),
        "Bo Holm": ("stale", "not_in_preview"),
        "Dora Holm": ("done", ""),
        "Erik Holm": ("stale", "not_in_preview"),
    }
    assert "preview_outdated" in report["notes"]
    assert jens.sync()["outlook"] == {"created": 1, "updated": 2, "deleted": 0}
    settle(jens, runs=2)


def test_after_a_sync_has_done_it_all_there_is_nothing_left_to_apply(jens, people):
    shown = preview(jens)
    jens.sync()
    report = apply(shown)
    assert report["changes"] == [] and report["outlook"]["created"] == 0
    assert report["notes"] == ["preview_outdated"]


def test_a_rule_that_was_changed_meanwhile_carries_nothing_out_that_was_not_shown(jens, people):
    jens.sync()
    shown = preview(jens)
    jens.change(contact_filter={"first_name": "<>Anne"}, left_filter_rule="remove")
    shown.setup.refresh_from_db()
    SyncRun.objects.filter(pk=shown.pk).update(contact_filter={"first_name": "<>Anne"})
    shown.refresh_from_db()
    assert outcomes(apply(shown)) == {"Anne Holm": ("stale", "not_in_preview")}
    assert len(jens.names()) == 4
    assert jens.sync()["outlook"]["deleted"] == 1


def test_a_preview_of_another_filter_keeps_that_filter_once_it_is_applied(jens, people):
    jens.sync()
    jens.change(left_filter_rule="remove", contact_filter={"first_name": "<>Anne"})
    shown = preview(jens)
    jens.change(contact_filter={})
    assert apply(shown)["outlook"]["deleted"] == 1
    jens.setup.refresh_from_db()
    assert jens.setup.contact_filter == {"first_name": "<>Anne"}
    settle(jens, runs=2)


def test_nothing_is_applied_but_what_the_person_has_counted(jens, people):
    shown = preview(jens)
    with pytest.raises(Outdated):
        apply(shown, count=3)
    assert SyncRun.objects.count() == 1


def test_while_another_run_is_open_nothing_is_applied_and_never_is_not_said(jens, people):
    shown = preview(jens)
    leave_out(shown, "Bo", how="never")
    SyncRun.objects.create(setup=jens.setup, kind="sync", trigger="manual", heartbeat_at=timezone.now())
    with pytest.raises(RunAtWork):
        apply(shown)
    assert not jens.setup.preferences.exists()


# The brakes ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mass_trash(jens, people, settings):
    """A preview that would remove three, where more than two need a word."""
    settings.SYNC_DELETE_LIMIT = 2
    jens.sync()
    for name in NAMES[:3]:
        people[name].trash(by=None)
    return preview(jens)


def test_above_a_limit_it_is_applied_only_with_a_word_on_just_these_counts(jens, mass_trash):
    agreed = sight(mass_trash.brakes)
    for wrong in ("", "x", sight([{**mass_trash.brakes[0], "count": 2}])):
        with pytest.raises(Unconfirmed):
            apply(mass_trash, agreed=wrong)
    assert len(jens.names()) == 4
    report = apply(mass_trash, agreed=agreed)
    assert (report["outcome"], report["outlook"]["deleted"], jens.names()) == ("done", 3, ["Dora Holm"])
    settle(jens, runs=2)


def test_who_is_left_out_does_not_count(jens, mass_trash):
    leave_out(mass_trash, "Anne")
    assert apply(mass_trash)["outlook"]["deleted"] == 2
    assert jens.sync()["outlook"]["deleted"] == 1


def test_what_a_person_agreed_to_holds_for_nothing_more(jens, people, mass_trash, settings):
    """The limit is lower by the time that the run gets there: what nobody has agreed to is held as ever."""
    leave_out(mass_trash, "Anne")
    opened = carry_out(mass_trash, None, count=2, enqueue=False)
    settings.SYNC_DELETE_LIMIT, settings.SYNC_DELETE_PERCENT = 1, 0
    assert perform(opened.pk) == Outcome.HELD
    assert len(jens.names()) == 4
