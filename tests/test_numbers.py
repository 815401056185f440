"""Every number on a page equals the journal's: each is read off the page, and counted anew from the rows."""

import html
import io
import json
import math
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome
from crmsync.sync.differences import Difference
from crmsync.sync.digest import contents
from crmsync.sync.engine import perform
from crmsync.sync.erasing import erase
from crmsync.sync.leave import Verdict
from crmsync.sync.metrics import tally
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.previewing import to_do
from crmsync.sync.runs import approve, reject
from crmsync.sync.verdicts import causes_of, decide
from exchange_setup.models import ExchangeSync
from tests import week
from tests.factories import AdministratorFactory, PersonFactory, SetupFactory
from tests.reading import (
    TABS,
    VERBS,
    cards,
    counted,
    fact,
    headline,
    journal,
    labelled,
    metrics,
    number,
    page,
    plain,
    rows_of,
    said,
)
from tests.scene import Salesperson

pytestmark = pytest.mark.django_db


# --- The scenario ----------------------------------------------------------------------------------------------------


@pytest.fixture
def jens(jens: Salesperson, settings: Any) -> Salesperson:
    week.live(jens, settings)
    return jens


@pytest.fixture
def mine(client: Client, jens: Salesperson) -> Client:
    client.force_login(jens.setup.user)
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def administrator(db: None) -> Client:
    client = Client()
    client.force_login(AdministratorFactory(authentication_email=""))
    client.cookies["django_language"] = "en"
    return client


CHANGES_IN = {"Outlook": "Changes in Outlook", "CRM": "Changes in the CRM"}  # as an administrator reads them


def runs(**values: Any) -> list[SyncRun]:
    return list(SyncRun.objects.filter(**values).exclude(kind=Kind.VERIFY).order_by("pk"))


# --- The pages -------------------------------------------------------------------------------------------------------


def the_numbers_of_every_run_are_those_of_its_rows(mine: Client, administrator: Client, jens: Salesperson) -> None:
    """On its page in the sentence, the tabs and what they hold; in the list, the export and for an administrator."""
    kinds = {(run.kind, run.outcome) for run in runs()}
    assert kinds >= {("preview", "done"), ("sync", "done"), ("undo", "done"), ("sync", "held")}
    found = {words for run in runs() for words in journal(run)}
    assert found >= {*list(VERBS)[:4], "paired with", "conflict", "left out"}
    listed = {row.run.pk: row for row in mine.get("/sync/").context["rows"]}
    for run in runs():
        export = json.loads(b"".join(mine.get(f"/sync/runs/{run.pk}/export/?format=json")))
        assert counted(export) == journal(run) and len(export["changes"]) == len(rows_of(run)), run
        if run.outcome == Outcome.DONE:
            assert said(listed[run.pk].sentence) == journal(run), run
            assert said(headline(page(mine, f"/sync/runs/{run.pk}/"))) == journal(run), run
        if run.kind == Kind.PREVIEW:
            continue
        tabs = {label: sum(map(test, rows_of(run))) for label, test in TABS.items()}
        shown = page(mine, f"/sync/runs/{run.pk}/")
        left = "Left alone" if run.kind == Kind.UNDO else "Left out"
        named = {left if label == "Left out" else label: count for label, count in tabs.items()}
        if rows_of(run):
            assert labelled(shown.partition('id="changes"')[2]) == named, run
        for slug, label in zip(("all", "outlook", "crm", "conflicts", "left-out", "failed"), TABS, strict=True):
            assert len(mine.get(f"/sync/runs/{run.pk}/?tab={slug}").context["rows"]) == tabs[label]
        theirs = page(administrator, f"/sync/runs/{run.pk}/")
        if run.outcome != Outcome.HELD:  # it has changed nothing yet
            assert {label: fact(theirs, CHANGES_IN.get(label, label)) for label in named} == named


def the_dialog_and_the_list_of_an_administrator_say_the_same(
    mine: Client, administrator: Client, jens: Salesperson
) -> None:
    for run in runs(outcome=Outcome.DONE):
        if run.kind != Kind.PREVIEW:
            dialog = page(mine, f"/sync/runs/{run.pk}/progress/").partition("sync-result")[2].partition("</p>")[0]
            assert said(plain(dialog)) == journal(run)
    setup = ExchangeSync.objects.get(runs__isnull=False, runs__kind=Kind.VERIFY)
    mailbox = administrator.get(f"/sync/mailboxes/{setup.user_id}/").context["mailbox"]
    for run, sentence in mailbox.runs:
        if run.kind != Kind.VERIFY and run.outcome == Outcome.DONE:
            assert said(sentence) == journal(run)
    last = SyncRun.objects.filter(kind__in=(Kind.SYNC, Kind.FULL), outcome=Outcome.DONE).latest("pk")
    done = [row for row in rows_of(last) if row.outcome == "done" and row.action in ("create", "update", "delete")]
    sides = Counter(row.side for row in done)
    for side, words in (("outlook", "to Outlook"), ("crm", "to the CRM")):
        found = re.search(rf"(\d+) {words}", mailbox.row.result)
        assert (int(found[1]) if found else 0) == sides[side]


def a_preview_counts_contacts_and_leaves_out_what_was_left_out(
    mine: Client, administrator: Client, jens: Salesperson
) -> None:
    preview = runs(kind=Kind.PREVIEW)[-1]
    rows = rows_of(preview)
    leading = [row for row in rows if row.leads and row.action != "skip"]
    shown = page(mine, f"/sync/previews/{preview.pk}/")
    apply = plain(re.search(r'class="panel plan-apply".*?</form>', shown, re.DOTALL)[0])
    changed = re.search(r"(\d+) contacts? (?:is|are|would be) changed", apply)[1]
    assert number(changed) == sum(not row.leave for row in leading)
    assert re.search(r"(\d+) (?:is|are) left out", apply)[1] == "1"
    found = cards(shown)
    assert found.pop("To be changed in all") == len(leading) and found.pop("Left out by you") == 1
    skipped = sum(row.action == "skip" for row in rows)
    assert skipped and found.pop("Left out each with its reason") == skipped
    assert sum(found.values()) == len(leading)
    assert sum(found.values()) == len({row.contact_id for row in rows if row.action != "skip"})
    lines = mine.get(f"/sync/previews/{preview.pk}/?group=left-out").context["plan"].lines
    assert {line.lead.contact_id for line in lines} == {row.contact_id for row in rows if row.action == "skip"}


def test_a_held_run_counts_what_waits_cause_by_cause(mine: Client) -> None:
    (run,) = runs(outcome=Outcome.HELD)
    waiting = [row for row in rows_of(run) if row.outcome == "planned"]
    shown = page(mine, f"/sync/runs/{run.pk}/")
    assert sum(cards(shown.partition('id="verdicts"')[2]).values()) == sum(row.leads for row in waiting)
    removed = sum(row.action == "delete" and row.side == "outlook" for row in waiting)
    assert removed > 1 and f"{removed} contacts would be removed from your Outlook." in shown
    for cause in causes_of(run):
        names = mine.get(f"/sync/runs/{run.pk}/?cause={cause.cause}&side={cause.side}").context["rows"]
        assert len(names) == cause.count
    words = {group: Verdict.APPROVE if group.action == "create" else Verdict.PARK for group in causes_of(run)}
    decide(run, words, run.setup.user)
    perform(run.pk, budget=float("inf"))
    again = page(mine, f"/sync/runs/{run.pk}/")
    parked = [row for row in rows_of(run) if row.outcome == "parked"]
    assert sum(cards(again.partition('id="verdicts"')[2]).values()) == sum(row.leads for row in parked)


def test_a_held_run_counts_no_more_what_was_rejected_or_erased(mine: Client) -> None:
    (run,) = runs(outcome=Outcome.HELD)
    first = next(row for row in rows_of(run) if row.action == "delete")
    erase(first.contact, by=AdministratorFactory(authentication_email=""))
    run.refresh_from_db()
    removed = sum(row.action == "delete" and row.outcome == "planned" for row in rows_of(run))
    assert f"{removed} contacts would be removed from your Outlook." in page(mine, f"/sync/runs/{run.pk}/")
    words = {group: Verdict.REJECT if group.action == "delete" else Verdict.PARK for group in causes_of(run)}
    decide(run, words, run.setup.user)
    shown = page(mine, f"/sync/runs/{run.pk}/")
    assert "would be removed" not in shown and f"{removed} to remove from Outlook" in shown
    export = json.loads(b"".join(mine.get(f"/sync/runs/{run.pk}/export/?format=json")))
    assert counted(export) == journal(run)


def test_a_rejected_run_says_no_more_that_it_would_do_anything(mine: Client) -> None:
    (run,) = runs(outcome=Outcome.HELD)
    waited = sum(row.outcome == "planned" for row in rows_of(run))
    reject(run, run.setup.user)
    run.refresh_from_db()
    export = json.loads(b"".join(mine.get(f"/sync/runs/{run.pk}/export/?format=json")))
    assert export["outcome"] == "rejected" and export["stale"] == waited and counted(export) == journal(run)


def test_an_undo_says_beforehand_what_it_does_and_leaves_alone(mine: Client, jens: Salesperson) -> None:
    reject(runs(outcome=Outcome.HELD)[0], None)
    plan = jens.undo(runs(kind=Kind.SYNC, outcome=Outcome.DONE)[0].pk, applies=False)
    undo = SyncRun.objects.get(pk=plan["run"])
    assert undo.outcome == Outcome.HELD
    assert said(headline(page(mine, f"/sync/runs/{undo.pk}/"))) == journal(undo) == counted(plan)


def home_counts_pairs_left_outs_and_changes_of_each_day(mine: Client, administrator: Client, jens: Salesperson) -> None:
    shown = page(mine, "/")
    links = list(ContactLink.objects.filter(setup=jens.setup))
    assert fact(shown, "In both places") == sum(link.state == "linked" and not link.gone for link in links)
    items = {item["id"] for item in jens.outlook.contacts()}
    assert fact(shown, "In both places") == sum(link.outlook_id in items for link in links if link.contact_id)
    assert fact(shown, "Left out") == sum(bool(link.problem) for link in links)
    ended = [run for run in runs() if run.kind != Kind.PREVIEW and run.finished_at]
    done = [row for run in ended for row in rows_of(run) if row.outcome == "done"]
    sides = Counter(row.side for row in done if row.action in ("create", "update", "delete", "restore"))
    chart = plain(re.search(r'class="day-legend">(.*?)</div>', shown, re.DOTALL)[1])
    assert chart == f"{sides['outlook']} to Outlook {sides['crm']} to the CRM"
    table = plain(re.search(r"<caption>Changes per day.*?</table>", shown, re.DOTALL)[0])
    assert table.endswith(f"{sides['outlook']} {sides['crm']}")
    count = sum(link.problem == "held_for_review" for link in links)
    assert count and re.search(rf"{count} new contacts? in Outlook waits? for your review", plain(shown))


def the_page_left_out_counts_by_reason(mine: Client, administrator: Client, jens: Salesperson) -> None:
    problems = Counter(link.get_problem_display() for link in ContactLink.objects.exclude(problem=""))
    chips = labelled(re.search(r'<nav class="sync-reasons".*?</nav>', page(mine, "/sync/left-out/"), re.DOTALL)[0])
    assert chips.pop("All") == problems.total()
    assert chips == {label[0].upper() + label[1:]: count for label, count in problems.items()}
    for reason in set(ContactLink.objects.exclude(problem="").values_list("problem", flat=True)):
        rows = mine.get(f"/sync/left-out/?reason={reason}").context["left_out"].rows
        assert len(rows) == ContactLink.objects.filter(problem=reason).count()
    theirs = administrator.get(f"/sync/mailboxes/{jens.setup.user_id}/")
    assert sum(count for _label, count in theirs.context["mailbox"].reasons) == problems.total()
    shown = theirs.content.decode()
    assert fact(shown, "Left out") == problems.total()
    linked = ContactLink.objects.filter(setup=jens.setup, state="linked", gone=False)
    assert fact(shown, "In both places") == linked.count()


def the_contact_list_marks_as_many_as_are_in_outlook(mine: Client, administrator: Client, jens: Salesperson) -> None:
    links = ContactLink.objects.filter(setup=jens.setup, state="linked", contact__deleted_at=None)
    shown = page(mine, "/contacts/?size=100")
    table = shown.partition("<tbody")[2]
    marks = Counter(re.findall(r">(In Outlook|Incomplete|Removed|No e-mail|Company|Next sync|Held)<", table))
    waits = {row.contact_id for row in SyncChange.objects.filter(run__outcome="held", outcome="planned")}
    links = links.exclude(contact__in=waits)
    behind = [link for link in links if not link.problem and link.contact.version != link.contact_version]
    incomplete = links.exclude(problem="").count()
    assert marks["Incomplete"] == incomplete
    assert marks["In Outlook"] == links.count() - incomplete - len(behind)
    assert marks["No e-mail"] == 1 and marks["Company"] == 1


def a_comparison_counts_its_differences(mine: Client, administrator: Client, jens: Salesperson) -> None:
    run = SyncRun.objects.get(kind=Kind.VERIFY)
    differ = Counter(Difference.objects.filter(run=run).values_list("explanation", flat=True))
    shown = page(mine, f"/sync/verify/{run.pk}/")
    same = run.counts["compared"] - differ.total()
    assert run.counts["same"] == same and run.counts["differ"] == dict(differ)
    if differ:
        percent = math.floor(same * 1000 / run.counts["compared"]) / 10
        assert f"{percent}% identical, {differ.total()} differ" in headline(shown)
        assert labelled(shown)["All"] == differ.total()
    left_out = re.search(r"([\d,]+) more (?:was|were) left out", plain(shown))
    assert (number(left_out[1]) if left_out else 0) == run.counts["left_out"]
    assert headline(shown).split(". ")[0] in plain(page(mine, "/sync/verify/last/"))


def test_status_and_metrics_count_mailboxes_and_runs(administrator: Client, jens: Salesperson) -> None:
    SetupFactory(enabled=False, enabled_at=timezone.now())
    shown = page(administrator, "/sync/status/")
    shares = re.search(r'id="status-mailboxes".*?</ul>', shown, re.DOTALL)[0]
    by_health = {slug: number(count) for slug, count in re.findall(r'health=(\w+)"><strong>([\d,]+)<', shares)}
    assert {slug: count for slug, count in by_health.items() if count} == {"held": 1, "paused": 1}
    for slug, count in by_health.items():
        assert len(administrator.get(f"/sync/mailboxes/?health={slug}").context["listing"].rows) == count
    ended = Counter(SyncRun.objects.values_list("outcome", flat=True))
    of_day = re.search(r'id="status-runs".*?</ul>', shown, re.DOTALL)[0]
    links = re.findall(r'href="([^"]+)"><strong>([\d,]+)<', of_day)
    assert sorted(number(count) for _link, count in links) == sorted(ended.values())
    for link, count in links:
        assert len(administrator.get(html.unescape(link)).context["rows"]) == number(count), link
    requests = sum(SyncRun.objects.values_list("requests", flat=True))
    assert f"{requests} requests to Microsoft 365" in plain(of_day)
    samples = metrics(administrator)
    assert samples['crmsync_mailboxes{health="held"}'] == 1 == samples['crmsync_runs_open{state="held"}']
    tally(timezone.now() - timedelta(hours=1))
    tally(timezone.now() + timedelta(minutes=5))
    samples = metrics(administrator)
    closed = Counter((run.kind, run.outcome) for run in SyncRun.objects.exclude(outcome=Outcome.HELD))
    for (kind, outcome), count in closed.items():
        assert samples[f'crmsync_runs_total{{kind="{kind}",outcome="{outcome}"}}'] == count
    assert samples["crmsync_graph_requests_total"] == sum(
        SyncRun.objects.exclude(outcome=Outcome.HELD).values_list("requests", flat=True)
    )
    edits = SyncChange.objects.filter(outcome="done", edited_at__isnull=False).count()
    assert samples["crmsync_edit_latency_seconds_count"] == edits > 0


def test_freshness_is_what_the_rows_say(mine: Client, administrator: Client, jens: Salesperson) -> None:
    rows = SyncChange.objects.filter(outcome="done", edited_at__isnull=False)
    for place, row in enumerate(rows.order_by("pk"), start=1):
        SyncChange.objects.filter(pk=row.pk).update(edited_at=row.applied_at - timedelta(seconds=5 * place))
    count = rows.count()
    half, most = (5 * math.ceil(share * count) for share in (0.5, 0.95))
    assert most < 60
    assert f"of the last 7 days arrived within {half} s, 95% within {most} s." in plain(page(mine, "/"))
    shown = plain(page(administrator, "/sync/status/"))
    assert f"{count} edits: half arrived within {half} s, 95% within {most} s." in shown


def the_daily_mail_adds_up_the_day(mine: Client, administrator: Client, jens: Salesperson) -> None:
    setup = ExchangeSync.objects.select_related("user").get(pk=jens.setup.pk)
    ended = [run for run in runs() if run.kind != Kind.PREVIEW and run.outcome == Outcome.DONE]
    mail = contents(setup, timezone.now())
    total: Counter[str] = Counter()
    for run in ended:
        total.update(journal(run, split=True))
    assert said(", ".join(mail["changes"])) == {words: count for words, count in total.items() if count}
    assert mail["runs"] == len(ended)


def test_the_command_says_what_it_has_done(jens: Salesperson) -> None:
    reject(runs(outcome=Outcome.HELD)[0], None)
    jens.change(contact_filter={"city": "A*|B*"})
    for flags in ({"preview": True}, {}, {"full": True}):
        out = io.StringIO()
        call_command("sync_contacts", user="jens@contoso.example", format="json", stdout=out, **flags)
        report = json.loads(out.getvalue())
        assert counted(report) == journal(SyncRun.objects.get(pk=report["run"]))
        assert len(report["changes"]) == SyncChange.objects.filter(run=report["run"]).count()


def test_a_preview_that_holds_an_erasure_can_be_applied_for_what_it_counts(mine: Client, jens: Salesperson) -> None:
    """Nobody applies or leaves out an erasure, so it is in no number that asks for a word."""
    approve(runs(outcome=Outcome.HELD)[0], None)
    perform(runs()[-1].pk, budget=float("inf"))
    PersonFactory(first_name="T", surname="New", email="t@crm.example", city="Billund")
    erase(Contact.objects.get(first_name="S"), by=AdministratorFactory(authentication_email=""))
    SyncRun.objects.open().update(outcome=Outcome.FAILED)
    jens.sync(preview=True)
    preview = SyncRun.objects.latest("pk")
    assert preview.changes.filter(cause="erased").count() == 1
    shown = page(mine, f"/sync/previews/{preview.pk}/")
    count = re.search(r'name="count" value="(\d+)"', shown)[1]
    assert count == str(to_do(preview).count()) == "1"
    assert "1 contact was erased on request" in plain(shown)
    mine.post(f"/sync/previews/{preview.pk}/apply/", {"count": count})
    assert SyncRun.objects.latest("pk").plan_of_id == preview.pk


def the_impact_of_a_filter_counts_who_comes_in_who_leaves_and_who_cannot_go(
    mine: Client, administrator: Client, jens: Salesperson
) -> None:
    links = list(ContactLink.objects.filter(setup=jens.setup, contact__isnull=False).select_related("contact"))
    settled = {link.contact_id for link in links if link.state in ("linked", "creating", "removed")}
    pairs = [link.contact for link in links if link.state == "linked" and link.was_in_filter and not link.gone]
    found = set()
    for start in ("A", "B", "Z", ""):
        with CaptureQueriesContext(connection) as queries:
            form = {"prefix": "filter", "filter-city": f"{start}*"}
            shown = plain(mine.post("/sync/filter-impact/", form).content.decode())
        assert len(queries) <= 8, queries.captured_queries  # session, user, setup; three counts; the brake's two
        people = Contact.objects.alive().persons().filter(city__startswith=start).exclude(pk__in=settled)
        fit = [contact for contact in people if contact.email and contact.name and not contact.privacy_blocked]
        leaving = [contact for contact in pairs if not (contact.is_trashed or contact.city.startswith(start))]
        counted_as = re.findall(r"([\d,]+) (?:contacts? )?(come|leave|cannot)", shown)
        told = {"come": 0, "leave": 0, "cannot": 0} | {verb: number(count) for count, verb in counted_as}
        assert told == {"come": len(fit), "leave": len(leaving), "cannot": len(people) - len(fit)}, start
        found |= {verb for verb, count in told.items() if count}
    assert found == {"come", "leave", "cannot"}


# Of these none changes anything: one week does for all.
READINGS = [
    the_numbers_of_every_run_are_those_of_its_rows,
    the_dialog_and_the_list_of_an_administrator_say_the_same,
    a_preview_counts_contacts_and_leaves_out_what_was_left_out,
    home_counts_pairs_left_outs_and_changes_of_each_day,
    the_page_left_out_counts_by_reason,
    the_contact_list_marks_as_many_as_are_in_outlook,
    a_comparison_counts_its_differences,
    the_daily_mail_adds_up_the_day,
    the_impact_of_a_filter_counts_who_comes_in_who_leaves_and_who_cannot_go,
]


def test_every_number_is_that_of_the_rows(
    subtests: pytest.Subtests, mine: Client, administrator: Client, jens: Salesperson
) -> None:
    for reading in READINGS:
        with subtests.test(reading.__name__):
            reading(mine, administrator, jens)
