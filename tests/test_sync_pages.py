"""The activity log, the run page and the decisions about a run."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.choices import Outcome
from crmsync.sync.fields import NAMES
from crmsync.sync.models import SyncChange, SyncRun
from tests.factories import AdministratorFactory, ChangeFactory, PersonFactory, RunFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db

COUNTS = {
    "outlook": {"created": 12, "updated": 0, "deleted": 0},
    "crm": {"created": 0, "updated": 3, "deleted": 0},
    "skipped": 2, "conflicts": 0, "failed": 0,
}  # fmt: skip


@pytest.fixture
def setup():
    return SetupFactory(user__name="Jette")


@pytest.fixture
def mine(client, setup):
    """A client signed in as the owner of `setup`."""
    client.force_login(setup.user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def queries(client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


# --- The activity log ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["/sync/", "/sync/runs/1/", "/sync/left-out/", "/sync/chip/", "/sync/start/"])
def test_every_page_asks_for_a_sign_in(client, url):
    response = client.get(url)
    assert response.status_code == 302 and response.url.startswith("/accounts/login/")


def test_the_log_of_somebody_without_a_setup_leads_there_and_not_to_a_sync(client, mine, setup):
    setup.enable()
    assert "Sync with Microsoft 365</a>" in text(mine.get("/sync/"))
    client.force_login(UserFactory())
    page = text(client.get("/sync/"))
    assert "Sync with Microsoft 365</a>" not in page
    assert "btn-primary empty-action" in page


def test_the_log_lists_my_runs_with_what_they_did_and_nobody_elses(mine, setup):
    RunFactory(setup=setup, counts=COUNTS)
    RunFactory(setup=SetupFactory(), counts=COUNTS | {"skipped": 77})
    page = text(mine.get("/sync/"))
    assert "12 created in Outlook, 3 updated in the CRM, 2 left out." in page
    assert "77 left out" not in page


def test_an_empty_log_says_what_will_be_here(mine):
    assert "No sync yet" in text(mine.get("/sync/"))


@pytest.mark.parametrize(
    ("show", "expected"), [("failed", {"failed"}), ("held", {"held"}), ("nonsense", {"failed", "held", "done"})]
)
def test_the_log_can_be_narrowed_to_an_outcome(mine, setup, show, expected):
    RunFactory(setup=setup, outcome="failed", error="unreachable")
    RunFactory(setup=setup)
    RunFactory(setup=setup, outcome="held")
    assert {row.run.outcome for row in mine.get(f"/sync/?show={show}").context["rows"]} == expected


def test_the_log_can_leave_out_what_changed_nothing(mine, setup):
    RunFactory(setup=setup)
    changed = ChangeFactory(run__setup=setup).run
    assert [row.run for row in mine.get("/sync/?show=changed").context["rows"]] == [changed]


def test_only_an_administrator_sees_everybodys_runs(client, setup):
    RunFactory(setup=setup)
    client.force_login(UserFactory())
    assert client.get("/sync/?of=everybody").context["rows"] == []
    client.force_login(AdministratorFactory())
    page = text(client.get("/sync/?of=everybody"))
    assert "Jette" in page and "Everybody's" in page


def test_the_log_pages_through_every_run_once_and_back(mine, setup):
    runs = [RunFactory(setup=setup).pk for _ in range(120)][::-1]
    seen, url = [], "/sync/"
    while url:
        context = mine.get(url).context
        seen += [row.run.pk for row in context["rows"]]
        url = f"/sync/?after={context['page'].after}" if context["page"].after else ""
    assert seen == runs
    assert "1–20 of 120" in text(mine.get("/sync/"))
    assert "21–40 of 120" in text(mine.get(f"/sync/?after={seen[19]}&at=21"))
    back = mine.get(f"/sync/?before={seen[100]}").context
    assert [row.run.pk for row in back["rows"]] == seen[80:100] and back["page"].before == seen[80]


def test_after_a_sync_that_did_nothing_the_next_thing_is_to_close_the_dialog(mine, setup):
    quiet, busy = RunFactory(setup=setup), RunFactory(setup=setup, counts=COUNTS)
    foot = text(mine.get(f"/sync/runs/{quiet.pk}/progress/")).partition('id="run-foot"')[2]
    assert 'btn-primary" id="run-close"' in foot and "See every change" not in foot
    foot = text(mine.get(f"/sync/runs/{busy.pk}/progress/")).partition('id="run-foot"')[2]
    assert 'btn" id="run-close"' in foot and "See every change" in foot


def test_a_meaningless_page_key_shows_the_first_page(mine, setup):
    RunFactory(setup=setup)
    for value in ("x", "-1", "9" * 40, "²"):
        assert len(mine.get("/sync/", {"after": value}).context["rows"]) == 1


def test_the_log_costs_the_same_queries_for_two_runs_as_for_fifty(mine, setup):
    for _ in range(2):
        RunFactory(setup=setup, counts=COUNTS)
    few = queries(mine, "/sync/")
    for _ in range(48):
        RunFactory(setup=setup, counts=COUNTS)
    assert queries(mine, "/sync/") == few + 1 <= 5  # one counts them, where they fill more than a page


# --- One run ---------------------------------------------------------------------------------------------------------


def test_the_run_page_opens_with_one_sentence_and_names_the_reason(mine, setup):
    run = RunFactory(setup=setup, counts=COUNTS)
    for name in ("Grandma", "Plumber"):
        ChangeFactory(run=run, contact=None, name=name, action="skip", outcome="skipped", reason="no_email")
    assert "12 created in Outlook, 3 updated in the CRM, 2 left out: no e-mail." in text(
        mine.get(f"/sync/runs/{run.pk}/")
    )


def test_a_change_shows_before_and_after_with_the_changed_part_marked(mine, setup):
    change = ChangeFactory(
        run__setup=setup, action="update", fields={"email": ["a@x.dk", "a@x.com"], "marker": ["", "1"]}
    )
    page = text(mine.get(f"/sync/runs/{change.run.pk}/"))
    assert "a@x.<mark>dk</mark>" in page and "a@x.<mark>com</mark>" in page and "E-mail" in page
    assert change.contact.get_absolute_url() in page
    assert "marker" not in page


def test_what_comes_from_outlook_is_shown_as_text(mine, setup):
    run = RunFactory(setup=setup)
    ChangeFactory(
        run=run, contact=None, name="<b>Bo</b>", fields={"notes": ["", "<script>alert(1)</script>"]}, detail="<i>x</i>"
    )
    page = text(mine.get(f"/sync/runs/{run.pk}/"))
    assert "<b>Bo</b>" not in page and "<script>alert" not in page and "<i>x</i>" not in page


def test_a_conflict_shows_both_values_and_which_was_kept(mine, setup):
    values = {"crm": "a@crm.dk", "outlook": "a@outlook.dk", "base": "a@base.dk", "kept": "crm"}
    change = ChangeFactory(run__setup=setup, action="update", conflicts={"email": values})
    ChangeFactory(run=change.run, name="Without conflict")
    response = mine.get(f"/sync/runs/{change.run.pk}/?tab=conflicts")
    page = text(response)
    assert [row.change for row in response.context["rows"]] == [change]
    assert all(value in page for value in ("a@crm.dk", "a@outlook.dk", "a@base.dk"))
    assert response.context["rows"][0].conflicts[0].kept == "crm"


def test_the_tabs_count_and_pick_their_rows(mine, setup):
    run = RunFactory(setup=setup)
    ChangeFactory(run=run, side="outlook")
    ChangeFactory(run=run, side="crm", conflicts={"email": {}})
    ChangeFactory(run=run, side="crm", action="skip", outcome="skipped", reason="no_email", contact=None)
    ChangeFactory(run=run, side="outlook", outcome="failed", reason="refused")
    context = mine.get(f"/sync/runs/{run.pk}/").context
    expected = {"all": 4, "outlook": 2, "crm": 1, "conflicts": 1, "left-out": 1, "failed": 1}
    assert {tab.slug: tab.count for tab in context["tabs"]} == expected
    for slug, count in expected.items():
        assert len(mine.get(f"/sync/runs/{run.pk}/?tab={slug}").context["rows"]) == count


def test_rows_can_be_found_by_part_of_a_name(mine, setup):
    run = RunFactory(setup=setup)
    wanted = ChangeFactory(run=run, name="Anne Nørgård")
    ChangeFactory(run=run, name="Bo Lind")
    response = mine.get(f"/sync/runs/{run.pk}/", {"q": "nørg"})
    assert [row.change for row in response.context["rows"]] == [wanted]
    assert "Nobody is found for “zzz”" in text(mine.get(f"/sync/runs/{run.pk}/", {"q": "zzz"}))


@pytest.mark.parametrize(
    ("tab", "told"),
    [("crm", "Nothing in the CRM"), ("left-out", "Nobody new was left out"), ("failed", "Nothing failed")],
)
def test_an_empty_part_of_a_run_says_so_in_a_sentence_and_has_nothing_to_search(mine, setup, tab, told):
    run = ChangeFactory(run__setup=setup).run
    page = text(mine.get(f"/sync/runs/{run.pk}/?tab={tab}"))
    assert told in page and "Search by name" not in page
    assert ("See all who are left out" in page) == (tab == "left-out")


def test_the_pages_of_a_run_say_which_rows_of_how_many_they_show(mine, setup):
    run = RunFactory(setup=setup)
    SyncChange.objects.bulk_create(SyncChange(run=run, name=f"N {n}", side="crm", action="create") for n in range(120))
    seen, url = [], f"/sync/runs/{run.pk}/"
    for rel in ("next", "next", "prev", "prev", "next"):
        page = text(mine.get(url))
        seen.append(re.search(r"<span>(\S+) of 120</span>", page).group(1))
        url = f"/sync/runs/{run.pk}/" + re.search(f'rel="{rel}" href="([^"]+)"', page).group(1).replace("&amp;", "&")
    assert seen == ["1–20", "21–40", "41–60", "21–40", "1–20"]
    for place in ("", "0", "110", "x"):
        assert " of 120<" not in text(mine.get(f"/sync/runs/{run.pk}/?after={run.changes.all()[60].pk}&at={place}"))


def test_a_left_out_row_says_what_can_be_done(mine, setup):
    change = ChangeFactory(run__setup=setup, action="skip", outcome="skipped", reason="no_email")
    page = text(mine.get(f"/sync/runs/{change.run.pk}/?tab=left-out"))
    assert "Give it an e-mail, and the next sync takes it along." in page
    assert f"/contacts/{change.contact.number}/edit/" in page


def test_a_long_run_costs_the_same_queries_as_a_short_one(mine, setup):
    run = RunFactory(setup=setup)
    contacts = PersonFactory.create_batch(20)
    rows = [
        SyncChange(run=run, contact=contacts[i % 20], name=f"Name {i}", side="outlook", action="create", outcome="done")
        for i in range(3_000)
    ]
    SyncChange.objects.bulk_create(rows[:3])
    few = queries(mine, f"/sync/runs/{run.pk}/")
    SyncChange.objects.bulk_create(rows[3:])
    assert queries(mine, f"/sync/runs/{run.pk}/") == few <= 5
    context = mine.get(f"/sync/runs/{run.pk}/").context
    assert len(context["rows"]) == 20 and context["tabs"][0].count == 3_000


def test_a_full_page_of_changes_is_light(mine, setup):
    run, contacts = RunFactory(setup=setup, finished_at=timezone.now()), PersonFactory.create_batch(20)
    fields = {name: [f"The {name} it was", f"The {name} it is now"] for name in NAMES[5:8]}
    for contact in contacts:
        ChangeFactory(run=run, contact=contact, side="outlook", action="update", cause="edited_in_crm", fields=fields)
    response = mine.get(f"/sync/runs/{run.pk}/")
    assert len(response.context["rows"]) == 20 and len(response.content) <= 60_000


def test_another_persons_run_is_not_found(client, setup):
    change = ChangeFactory(run__setup=setup)
    client.force_login(UserFactory())
    run = f"/sync/runs/{change.run.pk}"
    assert client.get(f"{run}/").status_code == client.get(f"{run}/progress/").status_code == 404
    for verb in ("approve", "reject", "cancel"):
        assert client.post(f"{run}/{verb}/").status_code == 404


def test_an_administrator_sees_counts_of_anothers_run_and_no_contact(client, setup):
    run = RunFactory(setup=setup, outcome="held", counts=COUNTS, brakes=[
        {"brake": "deletions", "side": "outlook", "cause": "trashed", "count": 26, "limit": 20}])  # fmt: skip
    ChangeFactory(run=run, name="Secret Person", fields={"notes": ["", "secret notes"]})
    client.force_login(AdministratorFactory())
    page = text(client.get(f"/sync/runs/{run.pk}/?q=anything&tab=failed"))
    assert "26 contacts would be removed" in page and "Secret" not in page and "secret notes" not in page
    assert page.index("mean Jette here.") < page.index("26 contacts would be removed")
    assert "Approve" not in page
    assert client.get(f"/sync/runs/{run.pk}/progress/").status_code == 404
    assert client.post(f"/sync/runs/{run.pk}/approve/").status_code == 404


# --- Held, failed, preview -------------------------------------------------------------------------------------------


@pytest.fixture
def held(setup):
    run = RunFactory(setup=setup, outcome="held", counts=COUNTS, brakes=[
        {"brake": "deletions", "side": "outlook", "cause": "left_filter", "count": 18, "limit": 20},
        {"brake": "deletions", "side": "outlook", "cause": "trashed", "count": 8, "limit": 20}])  # fmt: skip
    ChangeFactory(run=run, action="delete", cause="left_filter", outcome="planned", name="Leaver")
    ChangeFactory(run=run, action="delete", cause="trashed", outcome="planned", name="Trashed")
    return run


def test_a_held_run_counts_its_causes_and_shows_the_names_one_click_away(mine, held):
    page = text(mine.get(f"/sync/runs/{held.pk}/"))
    assert "26 contacts would be removed from your Outlook." in page
    assert "no longer in the filter" in page and "cause=left_filter&amp;side=outlook#changes" in page
    rows = mine.get(f"/sync/runs/{held.pk}/?cause=left_filter&side=outlook").context["rows"]
    assert [row.change.name for row in rows] == ["Leaver"]
    assert page.count("Waits for you") == 2 and "Planned" not in page


def test_before_everything_is_approved_that_removes_somebody_the_page_asks(mine, held):
    page = text(mine.get(f"/sync/runs/{held.pk}/"))
    assert 'data-confirm="Remove 2 contacts from Outlook?"' in page
    assert "All that is carried out: 1 to remove from Outlook (no longer in the filter), 1 to remove" in page
    ChangeFactory(run=held, action="unlink", cause="removed_in_outlook", outcome="planned")
    page = text(mine.get(f"/sync/runs/{held.pk}/"))
    assert 'data-confirm="Remove 2 contacts from Outlook? Stop syncing 1 contact?"' in page
    held.changes.update(action="update", cause="edited_in_crm")
    assert "data-confirm=" not in text(mine.get(f"/sync/runs/{held.pk}/"))


def test_what_comes_back_to_outlook_for_an_edit_in_the_crm_says_both(mine, held):
    ChangeFactory(run=held, action="create", cause="edited_in_crm", outcome="planned")
    page = text(mine.get(f"/sync/runs/{held.pk}/"))
    # At the cause, in its row and in the question.
    assert page.count("removed in Outlook, but edited in the CRM since") == 3


def test_approving_lets_the_run_go_on_once(mine, held, django_capture_on_commit_callbacks):
    response = mine.post(f"/sync/runs/{held.pk}/approve/")
    assert response.url == f"/sync/runs/{held.pk}/"
    held.refresh_from_db()
    assert held.outcome == Outcome.QUEUED and {word.by for word in held.rulings.all()} == {held.setup.user}
    again = mine.post(f"/sync/runs/{held.pk}/reject/", follow=True)
    assert "This was decided already." in text(again)
    held.refresh_from_db()
    assert held.outcome == Outcome.QUEUED


def test_rejecting_ends_the_run_and_says_that_nothing_was_changed(mine, held):
    page = text(mine.post(f"/sync/runs/{held.pk}/reject/", follow=True))
    assert "Rejected: nothing was changed." in page
    assert SyncRun.objects.get(pk=held.pk).outcome == Outcome.REJECTED


@pytest.mark.parametrize("verb", ["approve", "reject", "cancel"])
def test_a_link_cannot_decide(mine, held, verb):
    assert mine.get(f"/sync/runs/{held.pk}/{verb}/").status_code == 405


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (["done"], "A later sync got through."),
        (["held"], "A later sync reached Microsoft 365; it waits for your decision."),
        (["done", "held"], "A later sync got through."),
    ],
)
def test_a_failed_run_asks_for_nothing_once_a_later_one_got_through(mine, setup, later, told):
    run = RunFactory(setup=setup, outcome="failed", error="needs_sign_in")
    passed = [RunFactory(setup=setup, outcome=outcome) for outcome in later]
    page = text(mine.get(run.get_absolute_url()))
    assert told in page and "Connect your mailbox again" not in page and "Nothing was changed." in page
    assert f'href="{passed[0].get_absolute_url()}">Show the later sync' in page


def test_a_comparison_that_got_through_is_no_later_sync(mine, setup):
    run = RunFactory(setup=setup, outcome="failed", error="needs_sign_in")
    RunFactory(setup=setup, kind="verify")
    assert "Connect your mailbox again" in text(mine.get(run.get_absolute_url()))


def test_a_failed_run_says_what_to_do_with_a_button_that_leads_there(mine, setup):
    run = RunFactory(setup=setup, outcome="failed", error="needs_sign_in", error_detail="AADSTS700082")
    page = text(mine.get(f"/sync/runs/{run.pk}/"))
    assert "no longer accepts your sign-in" in page and "Connect again" in page and "AADSTS700082" in page
    assert 'href="/exchange-setup/"' in page


def test_a_preview_says_that_nothing_was_changed(mine, setup):
    run = RunFactory(setup=setup, kind="preview", counts=COUNTS)
    assert "A preview, nothing was changed: 12 to create in Outlook" in text(mine.get(f"/sync/previews/{run.pk}/"))


def test_a_run_that_carries_out_a_preview_leads_to_it(mine, setup):
    run = RunFactory(setup=setup, plan_of=RunFactory(setup=setup, kind="preview"))
    assert f'href="/sync/runs/{run.plan_of_id}/"' in text(mine.get(f"/sync/runs/{run.pk}/"))


@pytest.mark.parametrize("outcome", Outcome.values)
@pytest.mark.parametrize("kind", ["sync", "full", "preview", "undo"])
def test_every_kind_of_run_has_a_page_in_both_languages(mine, setup, outcome, kind):
    run = RunFactory(
        setup=setup, kind=kind, outcome=outcome, error="lost" if outcome == "failed" else "", notes=["first_sync"]
    )
    for language in ("en", "da"):
        page = mine.get(f"/sync/runs/{run.pk}/", headers={"accept-language": language}, follow=True)
        assert page.status_code == 200
        assert mine.get("/sync/", headers={"accept-language": language}).status_code == 200
