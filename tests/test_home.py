"""Home: one sentence, what needs me, the days in a chart, and what changed last. Nobody sees anybody else's."""

import re
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from crmsync.sync.daily import DAYS, Chart, ceiling
from crmsync.sync.home import needs_of_contacts, needs_of_sync
from exchange_setup.models import ExchangeSync
from tests.factories import (
    AdministratorFactory,
    ChangeFactory,
    LinkFactory,
    PersonFactory,
    RunFactory,
    SetupFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 3, 4, 12, 2, tzinfo=timezone.get_fixed_timezone(60))


@pytest.fixture
def setup(settings: Any) -> ExchangeSync:
    settings.M365_ACCESS = "application"
    now = timezone.now()
    return SetupFactory(
        user__name="Jette", enabled_at=now, auto_sync=True, last_sync_at=now, next_sync_at=now + timedelta(minutes=10)
    )


@pytest.fixture
def mine(client: Client, setup: ExchangeSync) -> Client:
    client.force_login(setup.user)
    return client


def change(setup: ExchangeSync, **values: Any) -> None:
    ExchangeSync.objects.filter(pk=setup.pk).update(**values)


def run_with(setup: ExchangeSync, outlook: int = 0, crm: int = 0, ago: int = 0, **values: Any) -> Any:
    """A run that ended `ago` days ago, with one change on record for each it counts (at most three)."""
    ended = timezone.now() - timedelta(days=ago)
    counts = {"outlook": {"created": outlook, "updated": 0, "deleted": 0}, "crm": {"created": 0, "updated": crm}}
    run = RunFactory(setup=setup, **({"started_at": ended, "finished_at": ended, "counts": counts} | values))
    for side, number in (("outlook", outlook), ("crm", crm)):
        for _ in range(min(number, 3)):
            ChangeFactory(run=run, side=side)
    return run


def sentence(client: Client) -> str:
    found = re.search(r'id="home-sentence">([^<]+)<', client.get("/").text)
    assert found
    return found[1]


# --- The sentence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"auto_sync": False}, "Everything up to 4 March is in both places."),
        ({}, "The sync is late: nothing that changed after 4 March is in the other place yet."),
        ({"enabled": False}, "Contact sync is paused: nothing that changed after 4 March is in the other place"),
        ({"enabled": False, "last_sync_at": None}, "Contact sync is paused."),
        ({"enabled": False, "enabled_at": None, "last_sync_at": None}, "Your contacts are not in your Outlook yet."),
        ({"trouble": "folder_gone"}, "The sync stopped: what changed after 4 March may not be in the other place"),
        ({"trouble": "folder_gone", "last_sync_at": None}, "The folder in Outlook is gone."),
        ({"last_sync_at": None}, "Your sync is enabled and has not run yet."),
    ],
)
def test_one_sentence_says_where_my_sync_stands(mine: Client, setup: ExchangeSync, values: Any, expected: str) -> None:
    change(setup, **({"last_sync_at": NOON} | values))
    assert sentence(mine).startswith(expected)


def test_today_the_sentence_says_the_time(mine: Client, setup: ExchangeSync) -> None:
    at = timezone.localtime(setup.last_sync_at).strftime("%H:%M")
    assert sentence(mine) == f"Everything up to {at} is in both places."


def test_a_preview_does_not_count_as_my_last_sync(mine: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=setup, kind="preview", outcome="failed", error="unreachable")
    assert sentence(mine).startswith("Everything up to")


def test_while_a_sync_runs_the_sentence_follows_it_and_then_all_is_fresh(mine: Client, setup: ExchangeSync) -> None:
    run = RunFactory(setup=setup, outcome="running", step="reading", done=340, total=1200, started_at=timezone.now())
    assert sentence(mine) == "Reading Outlook: 340 of 1,200."
    answer = mine.get("/sync/home/").text
    assert "every 3s" in answer and "home-body" not in answer

    run.outcome, run.finished_at = "done", timezone.now()
    run.save()
    answer = mine.get("/sync/home/").text

    assert "every 3s" not in answer and 'id="home-body" hx-swap-oob="true"' in answer and "Everything up to" in answer
    seen = mine.get("/").context["home"].state
    assert mine.get("/sync/home/", {"seen": seen}).status_code == 204


# --- What needs me ---------------------------------------------------------------------------------------------------


def needs(client: Client) -> list[Any]:
    return client.get("/").context["home"].needs


def test_nothing_needs_me_while_all_is_well(mine: Client, setup: ExchangeSync) -> None:
    LinkFactory(setup=setup, problem="no_email")
    page = mine.get("/")
    assert page.context["home"].needs == [] and "What needs you" not in page.text


def test_a_held_sync_leads_to_its_decision(mine: Client, setup: ExchangeSync) -> None:
    brakes = [{"brake": "deletions", "side": "outlook", "cause": "trashed", "count": 26, "limit": 20}]
    run = RunFactory(setup=setup, outcome="held", brakes=brakes)
    (need,) = needs(mine)
    assert need.url == f"/sync/runs/{run.pk}/" and need.button == "Look and decide"
    assert "26 contacts would be removed from your Outlook." in need.more
    assert "One since then waits for your decision" in sentence(mine)


def test_only_a_run_that_waits_for_a_word_is_a_decision(setup: ExchangeSync) -> None:
    (held,) = needs_of_sync(setup, RunFactory(setup=setup, outcome="held"))
    (failed,) = needs_of_sync(setup, RunFactory(setup=setup, outcome="failed", error="network"))
    assert held.is_decision and not failed.is_decision
    assert not any(need.is_decision for need in needs_of_contacts(Counter({"conflict": 1})))


def test_a_lost_sign_in_leads_to_the_setup(mine: Client, setup: ExchangeSync) -> None:
    change(setup, trouble="needs_sign_in")
    RunFactory(setup=setup, outcome="failed", error="needs_sign_in")
    (need,) = needs(mine)
    assert (str(need.button), need.url) == ("Connect again", "/exchange-setup/")


def test_a_failed_sync_is_started_again_in_the_dialog(mine: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=setup, outcome="failed", error="unreachable")
    (need,) = needs(mine)
    assert need.opens_dialog and "Microsoft 365 could not be reached." in str(need.text)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("conflict", "2 contacts were changed differently on both sides."),
        ("held_for_review", "2 new contacts in Outlook wait for your review."),
        ("ambiguous", "2 Outlook contacts could each be one of several CRM contacts."),
        ("duplicate", "2 contacts are in Outlook more than once."),
    ],
)
def test_contacts_that_wait_for_me_are_counted_by_reason(
    mine: Client, setup: ExchangeSync, reason: str, words: str
) -> None:
    LinkFactory.create_batch(2, setup=setup, problem=reason)
    LinkFactory(problem=reason)
    (need,) = needs(mine)
    assert need.text == words and need.url == f"/sync/left-out/?reason={reason}"
    assert mine.get(need.url).status_code == 200


def test_at_most_five_rows_need_me_and_the_held_sync_comes_first(mine: Client, setup: ExchangeSync) -> None:
    RunFactory(setup=setup, outcome="held")
    change(setup, trouble="quota_full")
    for reason in ("conflict", "held_for_review", "ambiguous", "duplicate"):
        LinkFactory(setup=setup, problem=reason)
    found = needs(mine)
    assert len(found) == 5 and found[0].icon == "hand"


def test_one_button_at_most_stands_out(mine: Client, setup: ExchangeSync) -> None:
    LinkFactory(setup=setup, problem="conflict")
    LinkFactory(setup=setup, problem="ambiguous")
    body = mine.get("/").text.partition('id="main"')[2].partition("</main>")[0]
    assert body.count("btn-primary") == 1


# --- The chart -------------------------------------------------------------------------------------------------------


def test_the_days_count_both_directions_and_the_table_says_the_same(mine: Client, setup: ExchangeSync) -> None:
    run_with(setup, outlook=12, crm=3, ago=2)
    run_with(setup, outlook=1, ago=2)
    run_with(setup, crm=7, ago=DAYS + 1)
    run_with(SetupFactory(), outlook=99, ago=1)
    page = mine.get("/")
    day = page.context["home"].chart.days[-3]
    assert (day.outlook, day.crm) == (13, 3) and day.date == timezone.localdate() - timedelta(days=2)
    assert (page.context["home"].chart.to_outlook, page.context["home"].chart.to_crm) == (13, 3)
    assert f'<th scope="row">{day.name}</th><td>13</td><td>3</td>' in page.text
    assert f"<title>{day.name}: 13 to Outlook, 3 to the CRM</title>" in page.text


@pytest.mark.parametrize("values", [{"kind": "preview"}, {"outcome": "rejected"}, {"outcome": "held"}])
def test_what_was_never_carried_out_is_in_no_chart(mine: Client, setup: ExchangeSync, values: Any) -> None:
    run_with(setup, outlook=12, **values)
    page = mine.get("/")
    assert page.context["home"].chart.is_empty and "both sides were the same" in page.text


def test_the_chart_has_no_inline_style_and_points_in_its_numbers_in_every_language(
    mine: Client, setup: ExchangeSync
) -> None:
    run_with(setup, outlook=3, ago=1)
    mine.cookies["django_language"] = "da"
    svg = re.search(r"<svg class=\"day-bars\".*?</svg>", mine.get("/").text, re.DOTALL)
    assert svg and "style" not in svg[0] and not re.search(r'="\d+,\d+', svg[0])


TODAY = date(2026, 11, 23)


def chart(*values: tuple[int, int]) -> Chart:
    """The chart whose last days have these changes."""
    return Chart.of({TODAY - timedelta(days=ago): value for ago, value in enumerate(reversed(values))}, TODAY)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 1), ([0, 0], 1), ([5], 5), ([5, 9, 2], 9), ([1000, 4, 3], 7), ([1000, 900, 10, 4], 16), ([3, 1, 1, 1], 3)],
)
def test_a_bar_that_would_press_all_others_flat_is_cut(values: list[int], expected: int) -> None:
    assert ceiling(values) == expected


def test_bars_stay_inside_the_drawing_whatever_the_numbers() -> None:
    for values in ([(1200, 31), (3, 1), (0, 1)], [(0, 4)], [(4, 0)], [(1, 1)], [(10**6, 10**6)]):
        drawing = chart(*values)
        for column in drawing.columns:
            for bar in column.bars:
                assert bar.height >= 3 and bar.y >= 0 and bar.y + bar.height <= drawing.height
                assert 0 < bar.count_y <= drawing.height


def test_a_cut_bar_says_its_number() -> None:
    with translation.override("en"):
        *_, first, _last = chart((1200, 0), (8, 2)).columns
    (bar,) = first.bars
    assert bar.is_cut and bar.count == "1,200"


def test_beside_a_cut_bar_the_longest_whole_one_says_its_number_and_the_legend_what_the_gap_means(
    mine: Client, setup: ExchangeSync
) -> None:
    drawing = chart((1200, 0), (8, 2), (3, 0), (8, 1))
    counts = [[bar.count for bar in column.bars] for column in drawing.columns[-4:]]
    assert drawing.is_cut and counts == [["1,200"], ["", "2"], [""], ["8", ""]]
    assert not chart((8, 2), (3, 0)).is_cut
    run_with(setup, outlook=8, ago=1)
    assert "A bar with a gap" not in mine.get("/").text
    run_with(setup, outlook=900, ago=2)
    assert "A bar with a gap is higher than it is drawn" in mine.get("/").text


# --- Recent changes --------------------------------------------------------------------------------------------------


def test_the_last_eight_changes_are_mine_and_went_through(mine: Client, setup: ExchangeSync) -> None:
    for ago in range(6, 0, -1):
        run_with(setup, outlook=2, ago=ago)
    run = run_with(setup, outlook=1)
    ChangeFactory(run=run, outcome="skipped", reason="no_email", name="Left Out")
    ChangeFactory(run=run, outcome="failed", reason="refused", name="Refused Rita")
    run_with(SetupFactory(), outlook=3)
    recent = mine.get("/").context["home"].recent
    assert len(recent) == 8 and {item.row.change.run.setup_id for item in recent} == {setup.pk}
    assert recent[0].row.change.run == run and {item.row.change.outcome for item in recent} == {"done"}


def test_a_recent_change_names_the_fields_and_leads_to_contact_and_sync(mine: Client, setup: ExchangeSync) -> None:
    run = run_with(setup, crm=1)
    person = PersonFactory(name="Anne Nørgård")
    ChangeFactory(run=run, contact=person, name="Anne Nørgård", action="update", fields={"email": ["a", "b"]})
    page = mine.get("/").text
    assert "Updated in Outlook · E-mail" in page
    assert person.get_absolute_url() in page and f"/sync/runs/{run.pk}/" in page


def test_names_from_outlook_are_shown_as_text(mine: Client, setup: ExchangeSync) -> None:
    run = run_with(setup, crm=1)
    ChangeFactory(run=run, contact=None, name="<b>Bo</b>")
    assert "<b>Bo</b>" not in mine.get("/").text


# --- For whom --------------------------------------------------------------------------------------------------------


def test_a_new_user_sees_the_way_to_the_first_sync(client: Client) -> None:
    client.force_login(UserFactory())
    page = client.get("/").text
    assert "What comes next" in page and "Set it up" in page
    assert "Changes in the last 30 days" not in page and "Recent changes" not in page


def test_a_setup_that_was_begun_is_gone_on_with(client: Client) -> None:
    setup = SetupFactory(enabled=False, steps_done=2)
    client.force_login(setup.user)
    assert "Go on with the setup" in client.get("/").text


def test_an_enabled_setup_offers_the_first_sync(client: Client) -> None:
    client.force_login(SetupFactory(enabled=True).user)
    body = client.get("/").text.partition('id="main"')[2]
    assert body.count('href="/sync/start/"') == 1


def test_administrators_too_see_only_their_own_contacts(client: Client, setup: ExchangeSync) -> None:
    ChangeFactory(run=run_with(setup, outlook=1), name="Secret Person")
    LinkFactory(setup=setup, problem="conflict")
    client.force_login(AdministratorFactory())
    page = client.get("/").text
    assert "Secret Person" not in page and "changed differently" not in page


def test_an_administrator_hears_of_mailboxes_that_need_a_look(
    client: Client, setup: ExchangeSync, settings: Any
) -> None:
    settings.M365_ACCESS = "application"
    RunFactory(setup=setup, outcome="held")
    SetupFactory(trouble="folder_gone")
    admin = AdministratorFactory()
    RunFactory(setup=SetupFactory(user=admin), outcome="held")
    client.force_login(admin)
    need = needs(client)[-1]
    assert need.text == "2 of your colleagues' mailboxes need a look." and need.more == "1 error, 1 held"
    assert need.button == "See which"
    assert len(client.get(need.url).context["listing"].rows) == 3
    ExchangeSync.objects.filter(trouble="folder_gone").update(trouble="")
    assert needs(client)[-1].button == "See which one"


def test_the_state_asks_for_a_sign_in(client: Client) -> None:
    assert client.get("/sync/home/").url.startswith("/accounts/login/")


def test_home_costs_the_same_queries_however_much_there_is(mine: Client, setup: ExchangeSync) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert mine.get("/").status_code == 200
        return len(captured)

    run_with(setup, outlook=1)
    LinkFactory(setup=setup, problem="conflict")
    few = count()
    for ago in range(40):
        run_with(setup, outlook=3, crm=2, ago=ago % 29)
    LinkFactory.create_batch(20, setup=setup, problem="ambiguous")
    assert count() == few <= 10
