"""`undo_run`: an undo from the command line."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crmsync.sync.choices import Kind, Outcome
from crmsync.sync.models import SyncRun
from tests.factories import PersonFactory
from tests.scene import Salesperson, Stage, edit

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(jens: Salesperson) -> int:
    """The number of a sync that has updated one of two contacts, which the sync before it has created."""
    ada = PersonFactory(first_name="Ada", surname="Lovelace", email="ada@lovelace.example", city="London")
    PersonFactory(first_name="Bo", surname="Lind", email="bo@lind.example")
    jens.sync()
    edit(ada, city="Paris")
    return int(jens.sync()["run"])


def undo(run: int, *flags: str, user: str = "jens@contoso.example") -> dict[str, Any]:
    out = io.StringIO()
    call_command("undo_run", str(run), *flags, user=user, format="json", stdout=out)
    return dict(json.loads(out.getvalue()))


def city(jens: Salesperson) -> str:
    return str(jens.card("Ada Lovelace")["businessAddress"]["city"])


def test_it_takes_a_run_back_and_says_so_in_the_plan_format(jens: Salesperson, run: int) -> None:
    report = undo(run)
    assert (report["kind"], report["outcome"], report["outlook"]["updated"]) == ("undo", "done", 1)
    (row,) = report["changes"]
    assert row["fields"] == {"city": ["Paris", "London"]} and row["outcome"] == "done"
    assert city(jens) == "London"
    assert jens.sync()["changes"] == []
    assert SyncRun.objects.get(kind=Kind.UNDO).trigger == "command"


def test_a_preview_changes_nothing_and_keeps_no_sync_waiting(jens: Salesperson, run: int) -> None:
    report = undo(run, "--preview")
    assert (report["outcome"], report["changes"][0]["outcome"]) == ("held", "planned")
    assert city(jens) == "Paris" and not SyncRun.objects.open().exists()
    assert undo(run)["outcome"] == "done"


def test_more_than_a_limit_lets_through_waits_for_its_page(jens: Salesperson, run: int, settings: Any) -> None:
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    first = SyncRun.objects.earliest("pk").pk
    with pytest.raises(SystemExit) as ended:
        undo(first)
    assert ended.value.code == 3
    assert SyncRun.objects.open().get().outcome == Outcome.HELD and len(jens.names()) == 2


def test_it_says_why_there_is_nothing_to_take_back(jens: Salesperson, stage: Stage, run: int) -> None:
    stage.salesperson("mia@contoso.example")
    with pytest.raises(CommandError, match=f"has no run {run}"):
        undo(run, user="mia@contoso.example")
    quiet = jens.sync()["run"]
    with pytest.raises(CommandError, match="changed nothing"):
        undo(quiet)
    SyncRun.objects.filter(pk=quiet).update(outcome="held")
    with pytest.raises(CommandError, match="open already"):
        undo(run)
