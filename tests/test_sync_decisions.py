"""What a person decides on the page "Left out", and what the sync then does: the real engine, the sandbox over HTTP."""

from threading import Event, Thread

import pytest
from django.db import connection

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.decisions import RunAtWork, between_runs
from crmsync.sync.engine import perform
from crmsync.sync.lease import claim
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import approve, request_run
from exchange_setup.models import ExchangeSync
from tests.compare import quiet
from tests.factories import PersonFactory, UserFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db
CARLA = "carla@diaz.example"


@pytest.fixture
def mine(client, jens):
    client.force_login(jens.setup.user)
    return client


@pytest.fixture
def held(jens):
    """The link of Carla, who is new in Outlook and waits for Jens's review."""
    jens.change(new_contact_rule="hold")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Carla", "Díaz", CARLA, mobilePhone="20"))
    jens.sync()
    return ContactLink.objects.get(email=CARLA)


def decide(client, link, choice, **more):
    """Press a button of the row, and see the page again."""
    return client.post(f"/sync/left-out/{link.pk}/decide/", {"choice": choice} | more, follow=True).content.decode()


# --- Contacts that are only in Outlook -------------------------------------------------------------------------------


def test_what_was_held_comes_in_once_it_is_added(jens, held, mine):
    assert "Carla Díaz comes into the CRM with the next sync." in decide(mine, held, "let_in")
    assert not Contact.objects.exists()
    assert jens.sync(preview=True)["crm"]["created"] == 1
    report = jens.sync()
    carla = Contact.objects.get()
    assert (report["crm"]["created"], carla.name, carla.mobile_phone) == (1, "Carla Díaz", "20")
    assert carla.salesperson == jens.setup.user
    held.refresh_from_db()
    assert (held.contact, held.state, held.problem) == (carla, LinkState.LINKED, "")
    assert quiet(jens)
    edit(carla, job_title="Boss")
    jens.sync()
    assert jens.card("Carla Díaz")["jobTitle"] == "Boss"


def test_what_the_rule_keeps_out_can_be_added_as_an_exception(jens, mine):
    jens.change(new_contact_rule="never")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Carla", "Díaz", CARLA))
    jens.outlook.add(**outlook_person("Plumber", "Bo", "bo@pipes.example"))
    jens.sync()
    decide(mine, ContactLink.objects.get(email=CARLA), "let_in")
    jens.sync()
    assert [contact.name for contact in Contact.objects.all()] == ["Carla Díaz"]
    assert quiet(jens)


def test_what_is_added_is_paired_when_the_crm_got_the_same_person_meanwhile(jens, held, mine):
    decide(mine, held, "let_in")
    carla = PersonFactory(first_name="Carla", surname="Díaz", email=CARLA)
    report = jens.sync()
    assert (report["paired"], report["crm"]["created"]) == (1, 0)
    assert ContactLink.objects.get().contact == carla


def test_an_edit_in_outlook_after_the_decision_comes_along(jens, held, mine):
    decide(mine, held, "let_in")
    jens.outlook.edit(held.outlook_id, jobTitle="Boss")
    jens.sync()
    assert Contact.objects.get().job_title == "Boss"


@pytest.mark.parametrize("for_good", [False, True], ids=["held", "left out for good"])
def test_an_edit_of_what_is_left_out_is_not_told_as_if_it_began_then(jens, held, mine, for_good):
    if for_good:
        decide(mine, held, "keep_out")
    since = ContactLink.objects.get().problem_since
    jens.outlook.edit(jens.card("Carla Díaz")["id"], jobTitle="Buyer")
    assert jens.sync()["changes"] == []
    link = ContactLink.objects.get()
    assert (link.problem_since, link.outlook["job_title"]) == (since, "Buyer")


def test_what_is_added_can_be_taken_back_until_the_sync(jens, held, mine):
    decide(mine, held, "let_in")
    decide(mine, held, "ask_again")
    assert jens.sync()["crm"]["created"] == 0
    held.refresh_from_db()
    assert (held.problem, held.decision, held.decided_at) == ("held_for_review", "", None)
    assert quiet(jens)


def test_what_is_left_out_for_good_stays_out_through_every_sync(jens, held, mine):
    assert "Carla Díaz stays out of the CRM for good." in decide(mine, held, "keep_out")
    jens.sync()
    jens.sync(full=True)
    jens.outlook.edit(held.outlook_id, jobTitle="Boss")
    jens.sync()
    jens.change(new_contact_rule="add")
    jens.sync()
    jens.sync(full=True)
    assert not Contact.objects.exists()
    held.refresh_from_db()
    assert held.problem == "not_wanted"
    assert quiet(jens)


def test_what_is_left_out_for_good_is_not_written_over_when_the_crm_gets_the_same_person(jens, held, mine):
    decide(mine, held, "keep_out")
    PersonFactory(first_name="Customer", surname="Díaz", email=CARLA)
    jens.sync()
    assert jens.names() == ["Carla Díaz"]
    assert Contact.objects.get().mobile_phone == ""
    assert set(ContactLink.objects.values_list("problem", flat=True)) == {"not_wanted"}
    decide(mine, held, "let_in")
    assert jens.sync()["paired"] == 1
    assert jens.names() == ["Customer Díaz"]
    assert ContactLink.objects.get().problem == ""


def test_another_item_with_its_email_can_still_come_in(jens, held, mine):
    decide(mine, held, "keep_out")
    jens.outlook.add(**outlook_person("Carla", "Business", CARLA))
    jens.sync()
    other = ContactLink.objects.exclude(pk=held.pk).get()
    assert other.problem == "held_for_review"
    decide(mine, other, "let_in")
    jens.sync()
    assert Contact.objects.get().name == "Carla Business"
    assert quiet(jens)


def test_a_rule_that_lets_everybody_in_leaves_no_note_behind(jens, held):
    jens.change(new_contact_rule="add")
    jens.sync()
    held.refresh_from_db()
    assert (held.state, held.problem) == (LinkState.LINKED, "")


def test_all_that_wait_can_be_added_at_once_if_they_are_still_as_many(jens, held, mine):
    jens.outlook.add_many(FOLDER, [outlook_person("New", str(n), f"new{n}@o.example") for n in range(3)])
    jens.sync()
    answer = {"reason": "held_for_review", "choice": "let_in", "count": 3}
    page = mine.post("/sync/left-out/decide/", answer, follow=True).content.decode()
    assert "This has changed meanwhile" in page
    assert not ContactLink.objects.exclude(decision="").exists()
    page = mine.post("/sync/left-out/decide/", answer | {"count": 4}, follow=True).content.decode()
    assert "4 contacts are decided." in page
    assert jens.sync()["crm"]["created"] == 4
    assert quiet(jens)


# --- Fields that both sides changed ----------------------------------------------------------------------------------


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", city="Aarhus")


@pytest.fixture
def asked(jens, anne):
    """The link of Anne, of whom both sides changed two fields."""
    jens.change(conflict_rule="ask")
    jens.sync()
    edit(anne, job_title="CRM's", city="Odense")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Outlook's", businessAddress={"city": "Vejle"})
    assert jens.sync()["conflicts"] == 1
    return ContactLink.objects.get()


def both(jens, anne):
    """Job title and city, in the CRM and in Outlook."""
    anne.refresh_from_db()
    card = jens.card("Anne Holm")
    return (anne.job_title, anne.city), (card["jobTitle"], card["businessAddress"]["city"])


def test_the_page_shows_what_either_side_holds_and_what_they_held_before(asked, mine):
    page = mine.get("/sync/left-out/?reason=conflict").content.decode()
    for value in ("CRM&#x27;s", "Outlook&#x27;s", "Odense", "Vejle", "Aarhus"):
        assert value in page
    assert page.count('name="choice" value="crm"') == 3  # two fields, and both at once
    assert page.count('name="choice" value="outlook"') == 3


@pytest.mark.parametrize(
    ("choice", "side", "expected", "lost"),
    [("outlook", "crm", ("Outlook's", "Vejle"), "CRM's"), ("crm", "outlook", ("CRM's", "Odense"), "Outlook's")],
)
def test_the_side_that_is_chosen_wins_and_the_journal_keeps_the_other(
    jens, anne, asked, mine, choice, side, expected, lost
):
    decide(mine, asked, choice)
    (change,) = jens.sync()["changes"]
    assert both(jens, anne) == (expected, expected)
    assert (change["side"], change["action"], change["outcome"]) == (side, "update", "done")
    assert change["fields"]["job_title"] == [lost, expected[0]]
    asked.refresh_from_db()
    assert (asked.problem, asked.dirty) == ("", False)
    assert quiet(jens)


def test_each_field_can_be_decided_by_itself(jens, anne, asked, mine):
    decide(mine, asked, "outlook", field="city")
    asked.refresh_from_db()
    assert (asked.problem, asked.problem_detail) == ("conflict", "job_title")
    assert [row["action"] for row in jens.sync()["changes"]] == ["update"]
    assert both(jens, anne) == (("CRM's", "Vejle"), ("Outlook's", "Vejle"))
    decide(mine, asked, "crm", field="job_title")
    jens.sync()
    assert both(jens, anne) == (("CRM's", "Vejle"), ("CRM's", "Vejle"))
    asked.refresh_from_db()
    assert asked.problem == ""
    assert quiet(jens)


def test_two_fields_can_be_decided_differently_before_one_sync(jens, anne, asked, mine):
    decide(mine, asked, "outlook", field="city")
    decide(mine, asked, "crm", field="job_title")
    jens.sync()
    assert both(jens, anne) == (("CRM's", "Vejle"), ("CRM's", "Vejle"))
    assert quiet(jens)


def test_all_conflicts_can_be_decided_at_once(jens, anne, asked, mine):
    bo = PersonFactory(first_name="Bo", surname="Chen")
    jens.sync()
    edit(bo, phone="1")
    jens.outlook.edit(jens.card("Bo Chen")["id"], businessPhones=["2"])
    jens.sync()
    mine.post("/sync/left-out/decide/", {"reason": "conflict", "choice": "outlook", "count": 2})
    report = jens.sync()
    assert (report["crm"]["updated"], report["conflicts"]) == (2, 0)
    bo.refresh_from_db()
    assert (bo.phone, both(jens, anne)[0]) == ("2", ("Outlook's", "Vejle"))
    assert quiet(jens)


def test_an_edit_of_the_losing_side_after_the_decision_is_asked_about_again(jens, anne, asked, mine):
    decide(mine, asked, "outlook")
    edit(anne, city="Ribe")
    report = jens.sync()
    assert report["conflicts"] == 1
    assert both(jens, anne) == (("Outlook's", "Ribe"), ("Outlook's", "Vejle"))
    asked.refresh_from_db()
    assert (asked.problem, asked.problem_detail) == ("conflict", "city")


def test_nothing_is_decided_about_values_that_the_person_has_not_seen(jens, anne, asked, mine):
    (row,) = mine.get("/sync/left-out/").context["left_out"].rows
    edit(anne, city="Ribe")
    assert "This has changed meanwhile" in decide(mine, asked, "outlook", seen=row.seen)
    asked.refresh_from_db()
    assert (asked.problem, asked.decided_at) == ("conflict", None)


def test_a_decision_made_while_a_run_is_held_is_carried_out_by_the_next_one(jens, anne, asked, mine, settings):
    gone = PersonFactory(first_name="Bo", surname="Chen")
    jens.sync()
    gone.trash(by=None)
    edit(anne, phone="1")
    settings.SYNC_DELETE_LIMIT, usual = 0, settings.SYNC_DELETE_LIMIT
    assert jens.sync()["outcome"] == "held"
    settings.SYNC_DELETE_LIMIT = usual
    decide(mine, asked, "crm")
    run = SyncRun.objects.open().get()
    approve(run, by=None)
    perform(run.pk)
    assert jens.names() == ["Anne Holm"]
    jens.sync()
    assert both(jens, anne) == (("CRM's", "Odense"), ("CRM's", "Odense"))
    assert jens.card("Anne Holm")["businessPhones"] == ["1"]
    assert quiet(jens)


# --- Who, and when ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["let_in", "keep_out", "ask_again"])
def test_while_a_run_is_running_nothing_is_decided(jens, held, mine, choice):
    SyncRun.objects.create(setup=jens.setup, kind="sync", trigger="manual", outcome="running")
    assert "A sync is running just now." in decide(mine, held, choice)
    answer = {"reason": "held_for_review", "choice": choice, "count": 1}
    assert "A sync is running" in mine.post("/sync/left-out/decide/", answer, follow=True).content.decode()
    held.refresh_from_db()
    assert (held.decision, held.problem) == ("", "held_for_review")


@pytest.mark.parametrize("outcome", ["queued", "held"])
def test_while_a_run_waits_decisions_are_taken(jens, held, mine, outcome):
    SyncRun.objects.create(setup=jens.setup, kind="sync", trigger="manual", outcome=outcome)
    decide(mine, held, "let_in")
    held.refresh_from_db()
    assert held.decision == "let_in"


def test_only_the_owner_decides(client, held):
    client.force_login(UserFactory(role="administrator"))
    assert client.post(f"/sync/left-out/{held.pk}/decide/", {"choice": "let_in"}).status_code == 404
    everybody = {"reason": "held_for_review", "choice": "let_in", "count": 1}
    assert client.post("/sync/left-out/decide/", everybody).status_code == 404
    held.refresh_from_db()
    assert held.decision == ""


def test_a_choice_that_does_not_fit_the_row_changes_nothing(held, mine):
    assert "This has changed meanwhile" in decide(mine, held, "crm")
    assert "This has changed meanwhile" in decide(mine, held, "ask_again")
    assert mine.post(f"/sync/left-out/{held.pk}/decide/", {"choice": "sometimes"}).status_code == 400
    assert mine.get(f"/sync/left-out/{held.pk}/decide/").status_code == 405
    assert not ContactLink.objects.exclude(decided_at=None).exists()


def test_no_row_of_a_pair_can_be_let_in(asked, mine):
    assert "This has changed meanwhile" in decide(mine, asked, "let_in")
    assert "This has changed meanwhile" in decide(mine, asked, "keep_out")
    assert ContactLink.objects.get().problem == "conflict"


def test_the_next_sync_can_be_started_at_once_with_everything_as_it_is(jens, held, mine):
    jens.change(contact_filter={"city": "Aarhus"})
    decide(mine, held, "let_in")
    assert "The next sync carries out 1 decision of yours." in mine.get("/sync/left-out/").content.decode()
    response = mine.post("/sync/start/", {"go": "at_once"})
    run = SyncRun.objects.open().get()
    assert response.url == f"/sync/runs/{run.pk}/"
    assert run.contact_filter == ExchangeSync.objects.get().contact_filter == {"city": "Aarhus"}
    perform(run.pk)
    assert Contact.objects.get().name == "Carla Díaz"
    assert "carries out" not in mine.get("/sync/left-out/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_no_run_begins_while_somebody_decides(jens):
    order, deciding = [], Event()

    def open_and_claim():
        deciding.wait(10)
        run, _ = request_run(jens.setup, kind="sync", trigger="manual", enqueue=False)
        claim(run.pk)
        order.append("claimed")
        connection.close()

    worker = Thread(target=open_and_claim)
    worker.start()
    with between_runs(jens.setup):
        deciding.set()
        worker.join(0.5)
        order.append("decided")
    worker.join(10)
    assert order == ["decided", "claimed"]
    with pytest.raises(RunAtWork), between_runs(jens.setup):
        order.append("at the same time")
