"""The undo as its owner sees it: asked for on a run's page, looked at, applied."""

import pytest

from crmsync.sync.choices import Outcome
from crmsync.sync.models import SyncRun
from tests.factories import AdministratorFactory, ChangeFactory, PersonFactory, RunFactory, SetupFactory, UserFactory
from tests.test_sync_pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(jens, client):
    """Jens, signed in, with two people in his Outlook since the last run."""
    for name in ("Anne", "Bo"):
        PersonFactory(first_name=name, surname="Holm", email=f"{name}@crm.example")
    jens.sync()
    client.force_login(jens.setup.user)
    return jens


def last() -> SyncRun:
    return SyncRun.objects.latest("pk")


def test_a_run_is_undone_from_its_page_once_its_owner_has_seen_what_that_does(ready, client):
    run = last()
    assert "Undo this sync" in text(client.get(run.get_absolute_url()))
    client.post(f"/sync/runs/{run.pk}/undo/")
    assert (last().kind, last().undoes) == ("undo", run)
    ready.finish(last())
    assert "An undo waits for your decision" in text(client.get("/"))
    page = text(client.get(last().get_absolute_url()))
    assert "This is what the undo does: 2 to remove from Outlook." in page and "Apply the undo" in page
    assert len(ready.names()) == 2
    client.post(f"/sync/runs/{last().pk}/approve/")
    ready.finish(last())
    assert ready.names() == []
    page = text(client.get(last().get_absolute_url()))
    assert "2 removed from Outlook." in page and ">the sync of " in page and "Take back: Removed from Outlook" in page
    assert "was undone" in text(client.get(run.get_absolute_url()))


def test_the_plan_of_an_undo_says_what_stays_as_it_is_on_the_other_side(ready, client):
    client.post(f"/sync/runs/{last().pk}/undo/")
    ready.finish(last())
    page = text(client.get(last().get_absolute_url()))
    assert "Whoever is removed from Outlook stays in the CRM" in page and "Outlook keeps" not in page
    client.post(f"/sync/runs/{last().pk}/reject/")
    ready.outlook.edit(ready.card("Bo Holm")["id"], jobTitle="Plumber")
    ready.sync()
    client.post(f"/sync/runs/{last().pk}/undo/")
    ready.finish(last())
    page = text(client.get(last().get_absolute_url()))
    assert "Where a value is taken back in the CRM alone, Outlook keeps the one that it has" in page
    ready.finish(approved(client))
    assert ready.card("Bo Holm")["jobTitle"] == "Plumber"
    assert ready.sync()["changes"] == []


def approved(client) -> SyncRun:
    client.post(f"/sync/runs/{last().pk}/approve/")
    return last()


def test_one_change_is_undone_and_what_is_left_alone_has_its_reason(ready, client):
    run = last()
    change = run.changes.get(name="Bo Holm")
    ready.outlook.edit(ready.card("Bo Holm")["id"], jobTitle="Plumber")
    client.post(f"/sync/runs/{run.pk}/undo/", {"change": change.pk})
    ready.finish(last())
    page = text(client.get(last().get_absolute_url()))
    assert last().outcome == Outcome.DONE and "Nothing was undone. 1 left alone: changed since." in page
    assert "It is no longer as that sync left it" in page and "Job title" in page


def test_a_second_undo_of_an_undone_run_says_so(ready, client):
    run = last()
    ready.undo()
    page = text(client.post(f"/sync/runs/{run.pk}/undo/", follow=True))
    ready.finish(last())
    page = text(client.get(last().get_absolute_url()))
    assert "2 left alone: undone already" in page


def test_an_undo_waits_for_the_run_that_is_open(ready, client):
    run = last()
    client.post(f"/sync/runs/{run.pk}/undo/")
    page = text(client.post(f"/sync/runs/{run.pk}/undo/", follow=True))
    assert "nothing was planned" in page and SyncRun.objects.filter(kind="undo").count() == 1


def test_nobody_undoes_somebody_elses_run_nor_a_change_of_another_run(client):
    change = ChangeFactory(run__setup=SetupFactory())
    other = ChangeFactory(run__setup=change.run.setup)
    for user in (UserFactory(), AdministratorFactory()):
        client.force_login(user)
        assert client.post(f"/sync/runs/{change.run.pk}/undo/").status_code == 404
    client.force_login(change.run.setup.user)
    assert client.get(f"/sync/runs/{change.run.pk}/undo/").status_code == 405
    for wrong in (other.pk, "x", ""):
        assert client.post(f"/sync/runs/{change.run.pk}/undo/", {"change": wrong}).status_code == 404
    assert not SyncRun.objects.filter(kind="undo").exists()


def test_while_a_sync_is_held_nothing_else_is_undone_and_the_page_says_so(ready, client):
    run = last()
    held = RunFactory(setup=ready.setup, outcome="held")
    page = text(client.get(run.get_absolute_url()))
    assert "Undo this sync" not in page and "undo-one" not in page
    assert "once you have decided about what waits for you" in page
    answer = client.post(f"/sync/runs/{run.pk}/undo/", follow=True)
    assert answer.redirect_chain[-1][0] == held.get_absolute_url()
    assert "Decide about it, then undo." in text(answer)


@pytest.mark.parametrize("kind", ["preview", "sync"])
def test_a_run_that_wrote_nothing_has_no_undo(client, kind):
    run = RunFactory(kind=kind)
    outcome = "planned" if kind == "preview" else "skipped"
    ChangeFactory(run=run, outcome=outcome, action="create" if kind == "preview" else "skip")
    client.force_login(run.setup.user)
    assert "Undo this sync" not in text(client.get(run.get_absolute_url(), follow=True))
    assert "changed nothing that could be undone" in text(client.post(f"/sync/runs/{run.pk}/undo/", follow=True))
