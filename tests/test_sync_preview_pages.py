"""The page of a preview: what it shows, what can be left out there, and Apply."""

import csv
import io
import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.fields import NAMES
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.report import as_json
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.factories import AdministratorFactory, ChangeFactory, PersonFactory, RunFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture
def setup():
    setup = SetupFactory(user__name="Jette", enabled_at=timezone.now(), last_sync_at=timezone.now())
    MailboxSignIn.objects.create(setup=setup, token_cache="{}", account=setup.mailbox)
    return setup


@pytest.fixture
def mine(client, setup):
    client.force_login(setup.user)
    return client


@pytest.fixture
def preview(setup):
    """Two to create, one that both sides change, one to remove, and one that is left out."""
    run = RunFactory(setup=setup, kind="preview", contact_filter={"city": "Aarhus"})
    for name in ("Anne Nørgård", "Bo Lind"):
        planned(run, name, action="create", cause="new_in_crm", fields={"email": ["", "x@crm.example"]})
    carla = planned(run, "Carla Díaz", action="update", cause="edited_in_crm", fields={"city": ["Aarhus", "Odense"]})
    ChangeFactory(
        run=run, contact=carla.contact, name=carla.name, side="crm", action="update", outcome="planned", leads=False,
        cause="edited_in_outlook", fields={"phone": ["", "+45 1"]},
    )  # fmt: skip
    planned(run, "Dora Holm", action="delete", cause="trashed")
    planned(run, "Erik Berg", action="skip", outcome="skipped", reason="no_email", cause="")
    return run


def planned(run, name, **values):
    return ChangeFactory(**{"run": run, "name": name, "outcome": "planned", **values})


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def page(client, run, **params):
    return client.get(f"/sync/previews/{run.pk}/", params)


def names(response):
    return [line.lead.name for line in response.context["plan"].lines]


def leave(client, run, how, **whom):
    return client.post(f"/sync/previews/{run.pk}/leave/", {"leave": how} | whom, follow=True)


def apply(client, run, **values):
    count = page(client, run).context["plan"].count
    return client.post(f"/sync/previews/{run.pk}/apply/", {"count": count} | values, follow=True)


def row(run, name):
    return run.changes.get(name=name, leads=True)


# --- What it shows ---------------------------------------------------------------------------------------------------


def test_it_has_one_line_for_each_contact_with_both_sides_before_and_after(mine, preview):
    response = page(mine, preview)
    assert names(response) == ["Anne Nørgård", "Bo Lind", "Carla Díaz", "Dora Holm"]
    carla = response.context["plan"].lines[2]
    assert [found.change.side for found in carla.rows] == ["outlook", "crm"]
    assert [str(found.fields[0].label) for found in carla.rows] == ["City", "Phone no."]
    assert "Update in Outlook" in text(response) and "Update in the CRM" in text(response)


def test_it_counts_what_would_be_done_by_kind_and_cause_and_each_group_is_a_click_away(mine, preview):
    plan = page(mine, preview).context["plan"]
    assert [(str(group.does), str(group.why), group.count) for group in plan.groups] == [
        ("Create in Outlook", "new in the CRM", 2),
        ("Remove from Outlook", "moved to the CRM's trash", 1),
        ("Update in Outlook", "edited in the CRM", 1),
    ]
    assert (plan.count, plan.left, plan.total, plan.skipped) == (4, 0, 4, 1)
    for group in plan.groups:
        assert len(names(page(mine, preview, group=group.slug))) == group.count
    assert names(page(mine, preview, group="left-out")) == ["Erik Berg"]
    assert "Give it an e-mail" in text(page(mine, preview, group="left-out"))


def test_a_name_is_found_in_it(mine, preview):
    assert names(page(mine, preview, q="nørg")) == ["Anne Nørgård"]
    assert names(page(mine, preview, q="o", group="create-outlook-new_in_crm")) == ["Anne Nørgård", "Bo Lind"][1:]
    nobody = text(page(mine, preview, q="zzz"))
    assert "Nobody is found for “zzz”" in nobody and "Check the spelling, or try fewer words." in nobody
    nobody = text(page(mine, preview, left="1"))
    assert "You left nobody out" in nobody and "Search by name" not in nobody


def test_it_opens_in_the_same_few_queries_however_long_it_is(mine, preview):
    def queries(**params):
        with CaptureQueriesContext(connection) as captured:
            page(mine, preview, **params)
        return len(captured)

    few, found = queries(), queries(q="o")
    contacts = PersonFactory.create_batch(60)
    SyncChange.objects.bulk_create(
        SyncChange(
            run=preview, contact=contacts[number % 60], name=f"Name {number}", side="outlook", action="create",
            cause="new_in_crm", fields={"email": ["", "x@crm.example"]},
        )
        for number in range(5_000)
    )  # fmt: skip
    assert (queries(), queries(q="o")) == (few, found) and few <= 13
    assert len(page(mine, preview).context["plan"].lines) == 20
    assert page(mine, preview).context["plan"].count == 5_004


def test_a_full_page_of_it_is_light(mine, preview):
    fields = {name: [f"The {name} it was", f"The {name} it is now"] for name in NAMES[5:8]}
    for contact in PersonFactory.create_batch(20):
        ChangeFactory(run=preview, contact=contact, side="outlook", action="update", outcome="planned", fields=fields)
    response = page(mine, preview)
    assert len(response.context["plan"].lines) == 20 and len(response.content) <= 60_000


def test_the_runs_own_address_leads_to_it_and_only_mine_is_there(client, mine, preview):
    assert mine.get(f"/sync/runs/{preview.pk}/").url == f"/sync/previews/{preview.pk}/"
    for user in (UserFactory(), AdministratorFactory()):
        client.force_login(user)
        address = f"/sync/previews/{preview.pk}"
        assert client.get(f"{address}/").status_code == 404
        assert client.post(f"{address}/leave/", {"leave": "never"}).status_code == 404
        assert client.post(f"{address}/apply/", {"count": 4}).status_code == 404
        assert client.get(f"/sync/runs/{preview.pk}/export/").status_code == 404


@pytest.mark.parametrize("verb", ["leave", "apply"])
def test_a_link_leaves_nobody_out_and_applies_nothing(mine, preview, verb):
    assert mine.get(f"/sync/previews/{preview.pk}/{verb}/").status_code == 405


def test_what_comes_from_outlook_is_shown_as_text(mine, preview):
    planned(preview, "<b>Bo</b>", side="crm", action="create", contact=None, fields={"email": ["", "<i>x</i>"]})
    assert "<b>Bo</b>" not in text(page(mine, preview)) and "<i>x</i>" not in text(page(mine, preview))


# --- Leaving out -----------------------------------------------------------------------------------------------------


def test_one_contact_is_left_out_with_both_its_rows_and_taken_in_again(mine, preview):
    carla = row(preview, "Carla Díaz")
    response = leave(mine, preview, "not_now", change=carla.pk)
    assert "1 contact is left out." in text(response)
    assert set(carla.contact.sync_changes.values_list("leave", flat=True)) == {"not_now"}
    assert (response.context["plan"].count, response.context["plan"].left) == (3, 1)
    assert names(page(mine, preview, left="1")) == ["Carla Díaz"]
    leave(mine, preview, "", change=carla.pk)
    assert page(mine, preview).context["plan"].count == 4


def test_a_whole_group_is_left_out_and_taken_in_again(mine, preview):
    response = leave(mine, preview, "not_now", group="create-outlook-new_in_crm")
    assert "2 contacts are left out." in text(response) and response.context["plan"].count == 2
    assert "2 contacts are in again." in text(leave(mine, preview, "", group="create-outlook-new_in_crm"))


def test_never_is_offered_but_for_what_leaves_outlook_anyway(mine, preview):
    lines = {line.lead.name: line for line in page(mine, preview).context["plan"].lines}
    assert lines["Anne Nørgård"].may_be_never and not lines["Dora Holm"].may_be_never
    leave(mine, preview, "never", change=row(preview, "Dora Holm").pk)
    assert row(preview, "Dora Holm").leave == ""


def test_with_htmx_the_answer_is_the_page_and_the_keyboard_goes_on_there(mine, preview):
    anne = row(preview, "Anne Nørgård")
    response = mine.post(
        f"/sync/previews/{preview.pk}/leave/?q=anne", {"leave": "never", "change": anne.pk}, headers=HTMX
    )
    assert names(response) == ["Anne Nørgård"] and "autofocus" in text(response)
    assert "1 contact is left out." in response.headers["HX-Trigger"]


@pytest.mark.parametrize(
    "values", [{}, {"change": "0"}, {"change": "x"}, {"group": "nonsense"}, {"change": "9" * 30}, {"leave": "later"}]
)
def test_nonsense_leaves_nobody_out(mine, preview, values):
    stranger = planned(RunFactory(kind="preview"), "Stranger", action="create")
    for whom in (values, values | {"change": stranger.pk}):
        assert mine.post(f"/sync/previews/{preview.pk}/leave/", {"leave": "not_now"} | whom).status_code == 400
    assert not SyncChange.objects.exclude(leave="").exists()


# --- Apply -----------------------------------------------------------------------------------------------------------


def test_apply_opens_a_run_for_what_is_left_and_leads_to_it(mine, preview, setup):
    response = apply(mine, preview)
    run = SyncRun.objects.first()
    setup.refresh_from_db()
    assert response.redirect_chain[-1][0] == f"/sync/runs/{run.pk}/"
    assert (run.plan_of, run.kind, run.outcome, run.requested_by) == (preview, "sync", "queued", setup.user)
    assert run.contact_filter == setup.contact_filter == {"city": "Aarhus"}
    again = apply(mine, preview, count=4)
    assert "carried out already" in text(again) and SyncRun.objects.count() == 2
    closed = text(page(mine, preview))
    assert "This preview was carried out" in closed and "Not this time" not in closed and ">Apply<" not in closed


def test_if_somebody_left_another_one_out_meanwhile_nothing_is_applied(mine, preview):
    leave(mine, preview, "not_now", change=row(preview, "Bo Lind").pk)
    assert "has changed since you looked at it" in text(apply(mine, preview, count=4))
    for nonsense in ("", "x", "-1", "9" * 20):
        apply(mine, preview, count=nonsense)
    assert SyncRun.objects.count() == 1


def test_above_a_limit_it_shows_the_counts_and_asks_for_a_tick(mine, preview, settings):
    settings.SYNC_DELETE_LIMIT = 0
    shown = page(mine, preview)
    assert "1 contact would be removed from your Outlook." in text(shown)
    assert "tick the box" in text(apply(mine, preview)) and SyncRun.objects.count() == 1
    apply(mine, preview, agreed=shown.context["agreed"])
    assert SyncRun.objects.first().brakes[0]["count"] == 1


def test_before_the_sync_is_switched_on_it_says_what_is_missing(mine, preview):
    ExchangeSync.objects.update(enabled=False, enabled_at=None)
    assert "not switched on yet" in text(page(mine, preview))
    assert "not switched on yet" in text(apply(mine, preview)) and SyncRun.objects.count() == 1


def test_while_another_run_is_open_nothing_is_applied(mine, preview, setup):
    RunFactory(setup=setup, outcome="running")
    assert "Another sync of your mailbox is open" in text(apply(mine, preview))


def test_while_a_sync_is_held_it_leads_to_that_decision_instead_of_applying(mine, preview, setup, settings):
    settings.SYNC_DELETE_LIMIT = 0
    held = RunFactory(setup=setup, kind="sync", outcome="held")
    shown = text(page(mine, preview))
    assert "This can be applied once you have decided" in shown and "Another sync has run since" not in shown
    assert f'<a class="btn is-in-banner" href="{held.get_absolute_url()}">Look and decide' in shown
    assert ">Apply<" not in shown
    assert "would be removed" not in shown and 'name="agreed"' not in shown
    apply(mine, preview)
    assert SyncRun.objects.count() == 2


def test_after_another_sync_it_says_that_it_may_be_out_of_date(mine, preview, setup, settings):
    settings.SYNC_DELETE_LIMIT = 0
    assert "As both sides stand now" not in text(page(mine, preview))
    for outcome in ("done", "failed"):
        ChangeFactory(run__setup=setup, run__outcome=outcome, outcome="stale")
        assert "Another sync has run since" not in text(page(mine, preview))
    ChangeFactory(run__setup=setup, run__outcome="failed")
    shown = text(page(mine, preview))
    assert "Another sync has run since" in shown and "As both sides stand now" in shown


def test_a_part_of_many_pages_says_which_rows_it_shows(mine, preview):
    SyncChange.objects.bulk_create(
        SyncChange(run=preview, name=f"N {n}", side="crm", action="create", cause="new_in_outlook") for n in range(60)
    )
    assert "1–20 of 64" in text(page(mine, preview))
    assert "1–20 of 60" in text(page(mine, preview, group="create-crm-new_in_outlook"))
    assert "1–20" not in text(page(mine, preview, q="N"))


@pytest.mark.parametrize("values", [{}, {"enabled": False}, {"enabled": False, "enabled_at": None}])
@pytest.mark.parametrize("whole", [False, True])
def test_a_new_preview_can_be_made_whatever_the_state_and_is_all_that_its_dialog_does(
    mine, preview, setup, values, whole
):
    ExchangeSync.objects.update(**values)
    SyncRun.objects.update(whole=whole)
    ChangeFactory(run__setup=setup)
    address = re.search(r'href="([^"]+)">New preview', text(page(mine, preview))).group(1).replace("&amp;", "&")
    dialog = text(mine.get(address))
    assert 'value="preview"' in dialog and 'name="go" value="run"' not in dialog
    more = text(mine.post("/sync/start/", {"kind": "sync", "only": "preview", "filter-more": "1"}))
    assert 'name="go" value="run"' not in more
    mine.post("/sync/start/", {"kind": "full" if whole else "sync", "only": "preview", "go": "preview"})
    made = SyncRun.objects.first()
    assert (made.kind, made.whole, made.outcome) == ("preview", whole, "queued")


# --- As a file -------------------------------------------------------------------------------------------------------


def test_the_json_of_a_run_is_what_the_command_prints(mine, preview):
    response = mine.get(f"/sync/runs/{preview.pk}/export/?format=json")
    assert json.loads(b"".join(response)) == as_json(preview)
    assert f'filename="preview-{preview.pk}.json"' in response.headers["Content-Disposition"]
    assert json.loads(b"".join(mine.get(f"/sync/runs/{RunFactory(setup=preview.setup).pk}/export/?format=json")))


def test_the_csv_has_a_line_for_each_field_and_no_formula(mine, preview):
    planned(preview, "=1+1", action="create", fields={})
    body = b"".join(mine.get(f"/sync/runs/{preview.pk}/export/")).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(body)))
    assert len(lines) == 7
    assert (lines[2]["name"], lines[2]["field"], lines[2]["before"], lines[2]["after"]) == (
        "Carla Díaz", "city", "Aarhus", "Odense",
    )  # fmt: skip
    assert lines[-1]["name"] == "'=1+1" and lines[-1]["row"] == "7"


def test_no_other_form_is_known(mine, preview):
    assert mine.get(f"/sync/runs/{preview.pk}/export/?format=exe").status_code == 400


def test_without_anything_to_do_one_goes_on_with_the_contacts(mine, setup):
    page = text(mine.get(f"/sync/previews/{RunFactory(setup=setup, kind='preview').pk}/"))
    shown = page.partition('id="preview"')[2].partition("</main>")[0]
    assert "Go on with your contacts" in shown and "Apply" not in shown and shown.count("btn-primary") == 1


def test_no_browser_keeps_a_page_that_asks_for_a_decision(mine, setup, preview):
    held = RunFactory(setup=setup, outcome="held")
    for path in (f"/sync/previews/{preview.pk}/", f"/sync/runs/{held.pk}/"):
        answer = mine.get(path)
        assert "no-store" in answer["Cache-Control"] and "data-fresh" in text(answer)
    assert "data-fresh" not in text(mine.get(f"/sync/runs/{RunFactory(setup=setup).pk}/"))
