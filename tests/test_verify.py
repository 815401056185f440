"""Comparing both sides: what differs and why, nothing written, and the next sync mends what nobody can explain."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Kind, Trigger
from crmsync.sync.differences import Difference
from crmsync.sync.engine import perform
from crmsync.sync.jobs import sweep
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import request_run
from crmsync.sync.verify import request_verify
from exchange_setup.graph import client as graph_client
from exchange_setup.models import ExchangeSync
from tests.factories import AdministratorFactory, ChangeFactory, PersonFactory, RunFactory, SetupFactory, UserFactory
from tests.outlook import Tenant
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def synced(jens: Salesperson) -> Salesperson:
    jens.setup.enable()
    for name in ("Anne", "Bo", "Carla"):
        PersonFactory(first_name=name, surname="Holm", city="Aarhus")
    jens.sync()
    return jens


def causes(report: dict) -> list[tuple[str, str, str, dict]]:
    return [(row["name"], row["place"], row["cause"], row["fields"]) for row in report["differences"]]


def card_of(jens: Salesperson, name: str) -> str:
    return jens.card(name)["id"]


def miss_the_edits(jens: Salesperson) -> None:
    """Corrupt the mirror: it believes that it has read what is in Outlook now, and that nothing came of it."""
    jens.sync(preview=True)
    for item in jens.outlook.contacts():
        links = ContactLink.objects.filter(outlook_id=item["id"])
        links.update(change_key=item["changeKey"], outlook=None, dirty=False, missing=False, needs_extras=False)


# --- The same, and how it differs ------------------------------------------------------------------------------------


def test_both_sides_that_are_the_same_are_said_to_be_and_nothing_is_written(synced: Salesperson) -> None:
    before = list(ContactLink.objects.order_by("pk").values()), list(Contact.objects.order_by("pk").values())
    report = synced.verify()
    assert (report["compared"], report["same"], report["differ"], report["requests"]) == (3, 3, {}, 1)
    assert {entry["method"] for entry in synced.tenant.requests()} == {"GET"}
    assert before == (list(ContactLink.objects.order_by("pk").values()), list(Contact.objects.order_by("pk").values()))
    assert synced.sync()["requests"] == 1


def test_what_the_next_sync_carries_over_is_listed_field_by_field(synced: Salesperson) -> None:
    edit(Contact.objects.get(first_name="Anne"), city="Odense")
    synced.outlook.edit(card_of(synced, "Bo Holm"), jobTitle="Boss")
    synced.outlook.remove(card_of(synced, "Carla Holm"))
    synced.outlook.add(FOLDER, **outlook_person("Dora", "Díaz", "dora@d.example"))
    PersonFactory(first_name="Erik", surname="Holm")
    report = synced.verify()
    assert sorted(causes(report)) == [
        ("Anne Holm", "both", "waiting", {"city": ["Odense", "Aarhus"]}),
        ("Bo Holm", "both", "waiting", {"job_title": ["", "Boss"]}),
        ("Carla Holm", "crm", "waiting", {}),
        ("Dora Díaz", "outlook", "waiting", {}),
        ("Erik Holm", "crm", "waiting", {}),
    ]
    assert (report["compared"], report["same"], report["differ"]) == (5, 0, {"waiting": 5})


def test_what_is_left_out_or_in_conflict_says_so(synced: Salesperson) -> None:
    synced.change(conflict_rule="ask")
    edit(Contact.objects.get(first_name="Anne"), city="Odense")
    synced.outlook.edit(card_of(synced, "Anne Holm"), businessAddress={"city": "Vejle"})
    synced.outlook.edit(card_of(synced, "Bo Holm"), businessAddress={"city": "Aarhus", "countryOrRegion": "Atlantis"})
    Contact.objects.filter(first_name="Carla").update(privacy_blocked=True, version=F("version") + 1, city="Skive")
    synced.outlook.add(FOLDER, givenName="Nobody", surname="Postless")
    synced.sync()
    report = synced.verify()
    assert sorted((row["name"], row["cause"], row["reason"], list(row["fields"])) for row in report["differences"]) == [
        ("Anne Holm", "conflict", "", ["city"]),
        ("Bo Holm", "left_out", "not_understood", ["country"]),
        ("Carla Holm", "left_out", "privacy_blocked", ["city"]),
    ]
    assert report["left_out"] == 1


def test_notes_that_the_user_keeps_in_outlook_are_no_difference(synced: Salesperson) -> None:
    synced.outlook.edit(card_of(synced, "Anne Holm"), personalNotes="Likes to meet at the harbour.")
    assert synced.verify()["differ"] == {}
    synced.sync()
    edit(Contact.objects.get(first_name="Bo"), notes="Calls back.")
    assert synced.verify()["differ"] == {}
    synced.change(sync_notes=True)
    assert [(row["name"], row["fields"]) for row in synced.verify()["differences"]] == [
        ("Bo Holm", {"notes": ["Calls back.", ""]})
    ]


# --- The mirror is corrupted, and mended ------------------------------------------------------------------------------


def unknown_then_mended(jens: Salesperson) -> None:
    """A comparison finds the difference that no sync would; the sync after it mends it."""
    assert not jens.sync()["changes"]
    assert set(jens.verify()["differ"]) == {"unknown"}
    jens.sync()
    report = jens.verify()
    assert report["differ"] == {} and report["compared"] == report["same"]


def test_an_edit_in_outlook_that_was_missed_is_found_and_carried_over(synced: Salesperson) -> None:
    synced.outlook.edit(card_of(synced, "Anne Holm"), businessAddress={"city": "Vejle"})
    miss_the_edits(synced)
    unknown_then_mended(synced)
    assert Contact.objects.get(first_name="Anne").city == "Vejle"


def test_a_change_in_the_crm_that_no_version_counts_is_found_and_carried_over(synced: Salesperson) -> None:
    Contact.objects.filter(first_name="Anne").update(city="Vejle")
    unknown_then_mended(synced)
    assert synced.card("Anne Holm")["businessAddress"]["city"] == "Vejle"


def test_what_the_mirror_wrongly_believes_of_outlook_is_read_again(synced: Salesperson) -> None:
    Contact.objects.filter(first_name="Anne").update(city="Skive")
    for link in ContactLink.objects.filter(contact__first_name="Anne"):
        link.base_crm["city"] = link.base_outlook["city"] = "Skive"
        link.save()
    unknown_then_mended(synced)
    assert (
        Contact.objects.get(first_name="Anne").city == synced.card("Anne Holm")["businessAddress"]["city"] == "Aarhus"
    )


def test_an_item_and_a_contact_that_the_links_lost_are_found_and_paired_again(synced: Salesperson) -> None:
    ContactLink.objects.filter(contact__first_name="Anne").delete()
    PersonFactory(first_name="Erik", surname="Holm", modified_at=timezone.now() - timedelta(days=9))
    ExchangeSync.objects.update(last_sync_at=timezone.now() + timedelta(hours=3))  # all of this was long before it
    assert set(synced.verify()["differ"]) == {"unknown"}
    synced.sync()
    assert synced.verify()["differ"] == {}
    assert synced.names() == ["Anne Holm", "Bo Holm", "Carla Holm", "Erik Holm"]
    assert Contact.objects.count() == ContactLink.objects.filter(state="linked").count() == 4


# --- What it costs, and what it waits for ----------------------------------------------------------------------------


def test_what_an_undo_left_apart_is_not_put_down_to_outlook_alone(client, synced: Salesperson) -> None:
    edit(Contact.objects.get(first_name="Anne"), city="Odense")
    synced.sync()
    synced.undo()
    synced.sync()
    assert [(row["name"], row["cause"]) for row in synced.verify()["differences"]] == [("Anne Holm", "own_way")]
    client.force_login(synced.setup.user)
    page = client.get(SyncRun.objects.latest("pk").get_absolute_url()).text
    assert "After an undo, or as Outlook writes it" in page


def test_what_was_left_out_is_told_as_of_the_comparison(client, synced: Salesperson) -> None:
    client.force_login(synced.setup.user)
    run = RunFactory(setup=synced.setup, kind="verify", counts={"compared": 3, "same": 3, "left_out": 12})
    text = client.get(f"/sync/verify/{run.pk}/").text
    assert "12 more were left out then." in text and "See who is left out now" in text


def test_a_comparison_before_the_sync_that_is_held_says_so(client, synced: Salesperson) -> None:
    client.force_login(synced.setup.user)
    RunFactory(setup=synced.setup, kind="verify", counts={"compared": 3, "same": 3})
    assert "is held" not in client.get("/sync/verify/last/").text
    RunFactory(setup=synced.setup, outcome="held")
    for url in ("/sync/verify/last/", SyncRun.objects.get(kind="verify", counts__same=3).get_absolute_url()):
        assert "before the sync that is held" in client.get(url).text


def test_a_comparison_before_a_sync_that_changed_something_says_so(client, synced: Salesperson) -> None:
    client.force_login(synced.setup.user)
    run = RunFactory(setup=synced.setup, kind="verify", counts={"compared": 3, "same": 3})
    pages = ("/sync/verify/last/", run.get_absolute_url())
    RunFactory(setup=synced.setup)  # it found nothing to do
    assert not any("a sync has changed something since" in client.get(url).text for url in pages)
    ChangeFactory(run__setup=synced.setup, outcome="done")
    assert all("a sync has changed something since" in client.get(url).text for url in pages)


def test_a_field_that_is_left_out_of_a_contact_in_both_says_so(client, synced: Salesperson) -> None:
    client.force_login(synced.setup.user)
    run = RunFactory(setup=synced.setup, kind="verify", counts={"compared": 3, "same": 1, "differ": {"left_out": 2}})
    for reason in ("not_understood", "private"):
        Difference.objects.create(run=run, name=reason, explanation="left_out", reason=reason)
    shown = client.get(f"/sync/verify/{run.pk}/").context["shown"]
    assert [str(row.why) for row in shown.rows] == ["a field is left out", "left out"]
    assert [str(group.label) for group in shown.groups] == ["left out"]
    Difference.objects.filter(reason="private").delete()
    assert [str(group.label) for group in shown.groups] == ["a field is left out"]


def test_it_costs_the_pages_of_the_folder_and_a_constant_number_of_queries_each(
    synced: Salesperson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_client, "WHOLE_PAGE", 20)
    PersonFactory.create_batch(37, city="Aarhus")
    synced.sync()
    with CaptureQueriesContext(connection) as captured:
        report = synced.verify()
    assert (report["compared"], report["same"], report["requests"]) == (40, 40, 2)
    with CaptureQueriesContext(connection) as one_page:
        monkeypatch.setattr(graph_client, "WHOLE_PAGE", 500)
        assert synced.verify()["requests"] == 1
    assert len(captured) - len(one_page) <= 12


def test_it_does_not_mix_with_a_sync(synced: Salesperson) -> None:
    setup = ExchangeSync.objects.select_related("user").get()
    run, _is_new = request_verify(setup, trigger=Trigger.MANUAL, enqueue=False)
    assert request_run(setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False) == (run, False)


def test_it_starts_afresh_where_a_worker_died_over_it_and_leaves_the_schedule_alone(synced: Salesperson) -> None:
    due = timezone.now() - timedelta(minutes=1)
    synced.change(auto_sync=True, next_sync_at=due)
    setup = ExchangeSync.objects.select_related("user").get()
    run, _is_new = request_verify(setup, trigger=Trigger.MANUAL, enqueue=False)
    run.differences.create(name="half done", explanation="waiting")
    perform(run.pk)
    run.refresh_from_db()
    assert run.outcome == "done" and not run.differences.exists()
    assert ExchangeSync.objects.get().next_sync_at == due


def test_a_folder_that_is_gone_ends_it_and_says_so(synced: Salesperson) -> None:
    synced.outlook.delete_folder(FOLDER)
    report = synced.verify()
    assert (report["outcome"], report["error"]) == ("failed", "folder_gone")


def test_there_is_one_a_week_where_the_sync_runs_by_itself(sandbox: Tenant, settings) -> None:
    settings.M365_ACCESS = "application"
    now = timezone.now()
    facts = {"enabled_at": now - timedelta(days=30), "last_sync_at": now, "folder_id": "f", "mirrored_folder_id": "f"}
    due = SetupFactory(auto_sync=True, next_sync_at=now + timedelta(minutes=5), **facts)
    SetupFactory(auto_sync=False, **facts)
    SetupFactory(auto_sync=True, next_sync_at=now + timedelta(minutes=5), **facts | {"enabled_at": now})
    sweep()
    run = SyncRun.objects.get()
    assert (run.setup, run.kind, run.trigger) == (due, "verify", "schedule")
    SyncRun.objects.update(outcome="done")
    sweep()
    assert SyncRun.objects.count() == 1
    SyncRun.objects.update(created_at=now - timedelta(days=8))
    sweep()
    assert SyncRun.objects.count() == 2


# --- The pages and the command ---------------------------------------------------------------------------------------


def text(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_page_lists_each_difference_and_others_see_no_names(client, synced: Salesperson) -> None:
    edit(Contact.objects.get(first_name="Anne"), city="Odense")
    run = synced.verify()["run"]
    client.force_login(synced.setup.user)
    page = text(client.get(f"/sync/verify/{run}/"))
    assert "66.6% identical, 1 differs." in page and "Anne Holm" in page and "Odense" in page
    assert "Anne Holm" not in text(client.get(f"/sync/verify/{run}/?cause=unknown"))
    assert "66.6% identical" in text(client.get("/sync/verify/last/"))
    assert "66.6% identical" in text(client.get("/sync/start/?kind=full"))
    client.force_login(AdministratorFactory())
    page = text(client.get(f"/sync/verify/{run}/"))
    assert "66.6% identical" in page and "Anne" not in page and "Odense" not in page
    client.force_login(UserFactory())
    assert client.get(f"/sync/verify/{run}/").status_code == 404
    assert client.post("/sync/verify/").status_code == 404
    assert client.get(f"/sync/runs/{run}/").status_code == 404
    assert client.get("/sync/verify/").status_code == 405


def test_the_button_starts_one_in_the_background(client, synced: Salesperson, run_queue) -> None:
    client.force_login(synced.setup.user)
    run = client.post("/sync/verify/").url
    assert run == SyncRun.objects.latest("pk").get_absolute_url()
    assert SyncRun.objects.latest("pk").kind == "verify"


def test_before_the_first_sync_there_is_nothing_to_compare(client, jens: Salesperson) -> None:
    client.force_login(jens.setup.user)
    assert client.get("/sync/verify/last/").status_code == 204
    assert client.post("/sync/verify/", headers={"hx-request": "true"}).status_code == 204
    assert not SyncRun.objects.exists()
    with pytest.raises(CommandError, match="nothing to compare"):
        call_command("verify_contacts", user=jens.setup.user.email)


def test_a_comparison_is_no_sync_to_the_top_bar(client, synced: Salesperson) -> None:
    RunFactory(setup=synced.setup, kind="verify", outcome="failed", error="unreachable")
    client.force_login(synced.setup.user)
    assert "In sync" in text(client.get("/sync/chip/"))


def test_the_command_reports_and_exits_with_four_where_nobody_knows_the_cause(synced: Salesperson) -> None:
    out = StringIO()
    call_command("verify_contacts", user=synced.setup.user.email, stdout=out)
    assert "100% identical: 3 contacts compared." in out.getvalue()
    Contact.objects.filter(first_name="Anne").update(city="Vejle")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_contacts", user=synced.setup.user.email, format="json", stdout=out)
    assert ended.value.code == 4
    told = json.loads(out.getvalue())
    assert [(row["cause"], row["fields"]) for row in told["differences"]] == [
        ("unknown", {"city": ["Vejle", "Aarhus"]})
    ]
