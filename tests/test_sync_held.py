"""A held run, decided cause by cause: approved, rejected and parked; its page, its banner and its mail."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.engine import perform
from crmsync.sync.leave import Verdict
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.report import as_json
from crmsync.sync.runs import AlreadyDecided, approve, reject
from crmsync.sync.sweep import sweep
from crmsync.sync.verdicts import causes_of, decide
from tests.compare import settle
from tests.factories import ChangeFactory, PersonFactory, RunFactory, SetupFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db
DELETE, UPDATE, CREATE = "delete-outlook-trashed", "update-outlook-edited_in_crm", "create-outlook-new_in_crm"


@pytest.fixture
def held(jens, settings):
    """Three to remove where two are too many, one to update, one to create."""
    for number in range(5):
        PersonFactory(first_name="P", surname=str(number), email=f"p{number}@crm.example")
    jens.sync()
    for contact in Contact.objects.all()[:3]:
        contact.trash(by=None)
    edit(Contact.objects.get(surname="3"), city="Vejle")
    PersonFactory(first_name="New", surname="One", email="new@crm.example")
    settings.SYNC_DELETE_LIMIT = 2
    assert jens.sync()["outcome"] == "held"
    return SyncRun.objects.select_related("setup__user").get(outcome=Outcome.HELD)


def say(run, **words):
    """A person decides, and a worker takes the run up; its report."""
    by_slug = {group.slug: group for group in causes_of(run)}
    slugs = {"delete": DELETE, "update": UPDATE, "create": CREATE}
    decide(run, {by_slug[slugs[name]]: Verdict(word) for name, word in words.items()}, run.setup.user)
    perform(run.pk)
    run.refresh_from_db()
    return as_json(run)


def test_a_plan_is_kept_for_as_long_as_it_waits(held):
    planned = held.changes.filter(outcome="planned").count()
    held.changes.update(created_at=timezone.now() - timedelta(days=91))
    sweep()
    assert held.changes.filter(outcome="planned").count() == planned == 5


def test_the_time_that_a_person_took_to_decide_is_no_part_of_how_long_it_took(held):
    SyncRun.objects.update(
        started_at=timezone.now() - timedelta(hours=9), heartbeat_at=timezone.now() - timedelta(hours=8)
    )
    say(held, delete="park", update="approve", create="approve")
    assert held.outcome == Outcome.HELD and held.duration is None
    SyncRun.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    say(held, delete="approve")
    assert held.outcome == Outcome.DONE
    assert timedelta(0) <= held.duration < timedelta(minutes=30)


@pytest.fixture
def emptied(jens):
    """Both contacts of the folder were thrown away in Outlook; the next sync is held."""
    jens.setup.enable()
    PersonFactory.create_batch(2)
    jens.sync()
    for item in list(jens.outlook.contacts(FOLDER)):
        jens.outlook.remove(item["id"])
    assert jens.sync()["outcome"] == "held"
    return SyncRun.objects.get(outcome=Outcome.HELD)


@pytest.mark.parametrize("edited", ["in Outlook", "in the CRM"])
@pytest.mark.parametrize("rule", ["put_back", "stay_out", "trash"])
def test_whose_item_is_removed_while_an_edit_waits_goes_by_the_rule_afterwards(jens, held, edited, rule):
    reject(held, None)
    jens.change(removed_rule=rule)
    item = jens.card("P 4")
    if edited == "in Outlook":
        jens.outlook.edit(item["id"], jobTitle="Boss")
    else:
        edit(Contact.objects.get(surname="4"), job_title="Boss")
    assert jens.sync()["outcome"] == "held"
    jens.outlook.remove(item["id"])
    again = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(again, None)
    perform(again.pk)
    jens.sync()
    jens.sync()
    assert len(jens.names()) == (3 if rule == "put_back" or edited == "in the CRM" else 2)
    assert Contact.objects.get(surname="4").job_title == "Boss"
    gone = ContactLink.objects.filter(state="linked", gone=True)
    assert not gone.exists() and not ContactLink.objects.filter(dirty=True).exists()
    settle(jens, runs=2)


def test_an_emptied_folder_is_told_with_the_two_ways_back(client, jens, emptied):
    client.force_login(jens.setup.user)
    text = client.get(emptied.get_absolute_url()).text
    assert "restore them from Deleted Items in Outlook, then reject this; or approve it and run a full sync" in text
    assert "Stop syncing" in text and text.index("Rejecting changes nothing") < text.index('id="verdicts"')


def test_an_emptied_folder_is_said_to_come_back_by_a_full_sync_only_where_it_does(client, jens, emptied):
    reject(emptied, jens.setup.user)
    jens.change(removed_rule="trash")
    assert jens.sync()["outcome"] == "held"
    client.force_login(jens.setup.user)
    text = client.get(SyncRun.objects.latest("pk").get_absolute_url()).text
    assert "Deleted Items in Outlook, then reject this." in text and "full sync, which" not in text


def test_what_was_thrown_away_by_mistake_comes_back_by_restoring_and_rejecting(jens, emptied):
    for item in list(jens.outlook.contacts("Deleted Items")):
        jens.outlook.restore(item["id"])
    reject(emptied, jens.setup.user)
    assert jens.sync()["outcome"] == "done" and len(jens.names()) == 2
    assert ContactLink.objects.filter(state="linked", gone=False).count() == 2
    settle(jens, runs=2)


def test_what_was_thrown_away_by_mistake_comes_back_by_approving_and_a_full_sync(jens, emptied):
    approve(emptied, jens.setup.user)
    perform(emptied.pk)
    assert jens.names() == []
    jens.sync(full=True)
    assert len(jens.names()) == 2
    settle(jens, runs=2)


def test_the_plan_is_counted_by_kind_and_cause(held):
    assert {group.slug: group.count for group in causes_of(held)} == {DELETE: 3, UPDATE: 1, CREATE: 1}


def test_what_is_rejected_is_dropped_and_asked_again_while_the_rest_goes_through(jens, held):
    report = say(held, delete="reject", update="approve", create="approve")
    assert (report["outcome"], report["outlook"]) == ("done", {"created": 1, "updated": 1, "deleted": 0})
    assert {row["reason"] for row in report["changes"] if row["action"] == "delete"} == {"not_this_time"}
    assert len(jens.names()) == 6
    again = jens.sync()
    assert (again["outcome"], again["brakes"][0]["count"], len(again["changes"])) == ("held", 3, 3)
    approve(SyncRun.objects.first(), None)
    perform(SyncRun.objects.first().pk)
    settle(jens, runs=2)


@pytest.mark.parametrize("rejected", ["update", "create"])
def test_of_every_kind_the_next_sync_does_what_was_rejected(jens, held, rejected):
    words = {"delete": "approve", "update": "approve", "create": "approve", rejected: "reject"}
    assert say(held, **words)["outlook"]["deleted"] == 3
    assert jens.sync()["outlook"][{"update": "updated", "create": "created"}[rejected]] == 1
    settle(jens, runs=2)


def test_what_is_parked_waits_and_the_run_with_it(jens, held):
    report = say(held, delete="park", update="approve", create="approve")
    assert (report["outcome"], report["notes"], report["brakes"][0]["count"]) == ("held", ["parked"], 3)
    assert len(jens.names()) == 6 and [group.slug for group in causes_of(held)] == [DELETE]
    jens.setup.refresh_from_db()
    assert jens.setup.last_sync_at < held.started_at
    report = say(held, delete="approve")
    assert (report["outcome"], len(jens.names())) == ("done", 3)
    settle(jens, runs=2)


def test_where_every_deletion_needs_a_word_what_is_parked_counts_alone(jens, settings):
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    jens.change(left_filter_rule="remove", contact_filter={"city": "<>Odense"})
    anne, bo = PersonFactory(), PersonFactory()
    settle(jens)
    anne.trash(by=None)
    edit(bo, city="Odense")
    jens.sync()
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    decide(run, {group: Verdict.REJECT for group in causes_of(run) if group.cause == "trashed"}, None)
    run.refresh_from_db()
    assert [(brake["cause"], brake["count"]) for brake in run.brakes] == [("left_filter", 1)]


@pytest.mark.parametrize("verdict", [approve, reject])
def test_what_is_parked_can_be_decided_with_the_two_buttons_too(jens, held, verdict):
    say(held, delete="park", update="approve", create="approve")
    verdict(held, held.setup.user)
    perform(held.pk)
    held.refresh_from_db()
    assert (held.outcome, len(jens.names())) == (Outcome.DONE, 6 if verdict is reject else 3)
    if verdict is reject:
        assert jens.sync()["outcome"] == "held"


def test_parking_everything_changes_nothing_and_rejecting_everything_ends_it(jens, held):
    assert say(held, delete="park", update="park", create="park")["outcome"] == "held"
    assert say(held, delete="reject", update="reject", create="reject")["outcome"] == "rejected"
    assert len(jens.names()) == 5
    again = jens.sync()
    assert again["outcome"] == "held" and len(again["changes"]) == 5


def test_a_plan_is_decided_once(held):
    say(held, delete="approve", update="approve", create="approve")
    with pytest.raises(AlreadyDecided):
        decide(held, {}, None)


def test_what_was_edited_while_it_was_parked_is_left_for_the_next_sync(jens, held):
    say(held, delete="approve", update="park", create="park")
    edit(Contact.objects.get(surname="3"), city="Odense")
    report = say(held, update="approve", create="approve")
    assert [row["outcome"] for row in report["changes"] if row["name"] == "P 3"] == ["stale"]
    assert jens.sync()["outlook"]["updated"] == 1
    settle(jens, runs=2)


def test_several_new_in_outlook_that_go_again_meanwhile_are_all_left_for_the_next_sync(jens, settings):
    anne, _bo = PersonFactory.create_batch(2)
    jens.sync()
    anne.trash(by=None)
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    items = [jens.outlook.add(FOLDER, **outlook_person("New", name, f"{name}@new.example")) for name in "ABC"]
    assert jens.sync()["outcome"] == "held"
    for item in items:
        jens.outlook.remove(item["id"])
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(run, None)
    perform(run.pk)
    new = dict(run.changes.filter(action="create").values_list("name", "outcome"))
    assert new == {"New A": "stale", "New B": "stale", "New C": "stale"}


# --- The page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(client):
    """A client whose sync is held, and its run."""
    run = RunFactory(
        setup=SetupFactory(user__name="Jette", user__language="da"),
        outcome="held",
        brakes=[{"brake": "deletions", "side": "outlook", "cause": "trashed", "count": 2, "limit": 1}],
    )
    for name in ("Anne Nørgård", "Bo Lind"):
        ChangeFactory(run=run, name=name, action="delete", cause="trashed", outcome="planned")
    ChangeFactory(run=run, name="Carla Díaz", cause="new_in_crm", outcome="planned")
    client.force_login(run.setup.user)
    client.cookies["django_language"] = "en"
    return client, run


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_asks_for_a_word_on_each_cause(mine):
    client, run = mine
    page = text(client.get(f"/sync/runs/{run.pk}/"))
    assert f'name="{DELETE}"' in page and f'name="{CREATE}"' in page and page.count('value="park"') == 2
    assert "cause=trashed&amp;side=outlook#changes" in page
    client.post(f"/sync/runs/{run.pk}/decide/", {DELETE: "reject", CREATE: "approve"})
    run.refresh_from_db()
    assert run.outcome == Outcome.QUEUED and {word.by for word in run.rulings.all()} == {run.setup.user}
    assert set(run.changes.values_list("action", "outcome")) == {("delete", "stale"), ("create", "planned")}
    again = client.post(f"/sync/runs/{run.pk}/decide/", {}, follow=True)
    assert "This was decided already." in text(again)


def test_the_names_of_a_cause_are_its_owners_alone_some_at_a_time_and_none_once_it_is_decided(mine):
    client, run = mine
    path = f"/sync/runs/{run.pk}/causes/{DELETE}/"
    for number in range(20):
        ChangeFactory(run=run, name=f"P{number}", action="delete", cause="trashed", outcome="planned")
    first = client.get(path)
    assert "Anne Nørgård" in text(first) and "Carla" not in text(first) and text(first).count("<li>") == 20
    assert text(client.get(path, {"after": first.context["page"].after})).count("<li>") == 2
    colleague = Client()
    colleague.force_login(SetupFactory().user)
    assert colleague.get(path).status_code == 404
    client.post(f"/sync/runs/{run.pk}/reject/")
    assert "Nobody is in this part of the list any more." in text(client.get(path))


@pytest.mark.parametrize("words", [{}, {DELETE: "approve"}, {DELETE: "approve", CREATE: "perhaps"}])
def test_a_cause_without_a_word_decides_nothing(mine, words):
    client, run = mine
    assert "Nothing was decided yet." in text(client.post(f"/sync/runs/{run.pk}/decide/", words, follow=True))
    assert set(run.changes.values_list("outcome", flat=True)) == {"planned"}


def test_nobody_else_decides(client, mine):
    _, run = mine
    client.force_login(SetupFactory().user)
    assert client.post(f"/sync/runs/{run.pk}/decide/", {DELETE: "approve", CREATE: "approve"}).status_code == 404
    assert client.get(f"/sync/runs/{run.pk}/decide/").status_code == 405


def test_every_page_says_that_it_is_held_but_those_that_do_by_themselves(mine):
    client, run = mine
    elsewhere = {"hx-request": "true", "hx-current-url": "http://testserver/contacts/?q=x"}
    assert "Your sync is held" in text(client.get("/sync/chip/", headers=elsewhere))
    here = elsewhere | {"hx-current-url": f"http://testserver/sync/runs/{run.pk}/?cause=trashed"}
    home = elsewhere | {"hx-current-url": "http://testserver/"}
    for place in (here, home):
        assert "Your sync is held" not in text(client.get("/sync/chip/", headers=place))
    SyncRun.objects.update(outcome="done")
    assert "Your sync is held" not in text(client.get("/sync/chip/", headers=elsewhere))
    assert 'id="sync-banner"' in text(client.get("/contacts/"))


# --- The mail --------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail_server(settings):
    settings.EMAIL_IS_SENT, settings.BASE_URL = True, "https://crm.example"


def test_one_mail_says_what_waits_in_the_users_language(mine, mail_server):
    _, run = mine
    SyncRun.objects.filter(pk=run.pk).update(told_at=None)
    for _ in range(2):
        assert "told" in sweep()
    (sent,) = mail.outbox
    assert sent.to == [run.setup.user.email] and f"https://crm.example/sync/runs/{run.pk}/" in sent.body
    assert "Anne Nørgård" in sent.body and "2 × " in sent.body
    assert "CRM-papirkurv" in sent.body or "papirkurv" in sent.body


def test_without_a_mail_server_nothing_of_anybody_is_written_anywhere(mine):
    sweep()
    assert mail.outbox == []


def test_a_mail_that_cannot_be_sent_is_tried_again(mine, mail_server, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert "told 0" in sweep() and SyncRun.objects.get().told_at is None
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert "told 1" in sweep() and len(mail.outbox) == 1


def test_who_has_decided_already_and_what_is_long_over_gets_no_mail(mine, mail_server):
    _, run = mine
    SyncRun.objects.update(heartbeat_at=timezone.now() - timezone.timedelta(days=2))
    sweep()
    SyncRun.objects.update(heartbeat_at=timezone.now())
    reject(run, run.setup.user)
    sweep()
    assert mail.outbox == []
