"""Why a contact is, or isn't, in an Outlook: the page, the command, and that the next sync does as they say."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.models import ContactLink, ContactPreference, SyncRun
from crmsync.sync.remedies import remedy
from crmsync.sync.runs import reject
from crmsync.sync.why import Answer
from tests.factories import AdministratorFactory, CompanyFactory, LinkFactory, PersonFactory, SetupFactory, UserFactory
from tests.scene import Salesperson, edit

pytestmark = pytest.mark.django_db


@pytest.fixture
def setup():
    now = timezone.now()
    return SetupFactory(user__name="Jette", enabled_at=now, last_sync_at=now, contact_filter={"city": "Aarhus|Odense"})


@pytest.fixture
def mine(client, setup):
    client.force_login(setup.user)
    return client


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Nørgård", city="Aarhus", email="anne@fabrikam.example")


def page(client, contact, query="") -> str:
    response = client.get(f"/sync/contacts/{contact.number}/why/{query}")
    assert response.status_code == 200
    return response.content.decode()


def answer_of(contact, user, mine=True) -> Answer:
    return Answer(Contact.objects.get(pk=contact.pk), user, mine)


def failing(answer: Answer) -> set[str]:
    return {check.code for check in answer.checks if check.passes is False}


# --- The page --------------------------------------------------------------------------------------------------------


def test_each_clause_is_shown_with_what_the_contact_holds(mine, setup, anne):
    setup.contact_filter = {"city": "Aarhus|Odense", "country": "DK", "salesperson": "%me"}
    setup.save()
    anne.salesperson = setup.user
    anne.save()
    found = [(row.name, row.value, row.passes) for row in answer_of(anne, setup.user).clauses]
    assert found == [("city", "Aarhus", True), ("country", "", False), ("salesperson", setup.user.code, True)]
    text = page(mine, anne)
    assert "Aarhus|Odense" in text and 'Why isn\'t <span class="whole">Anne Nørgård</span> in Outlook?' in text
    assert "Always sync this contact" in text


@pytest.mark.parametrize(
    ("values", "fails", "button"),
    [
        ({"city": "Berlin"}, "filter", "Always sync this contact"),
        ({"email": ""}, "email", "Edit the contact"),
        ({"email": "anne@"}, "email", "Edit the contact"),
        ({"name": ""}, "name", "Edit the contact"),
        ({"privacy_blocked": True}, "privacy", "Edit the contact"),
        ({"deleted_at": timezone.now()}, "in_trash", "Restore from the trash"),
    ],
)
def test_what_keeps_a_contact_out_is_named_with_the_one_thing_to_do(mine, setup, anne, values, fails, button):
    Contact.objects.filter(pk=anne.pk).update(**values)
    answer = answer_of(anne, setup.user)
    assert failing(answer) == {fails} and remedy(answer).caption == button
    assert button in page(mine, anne)


def test_who_goes_instead_is_named_and_can_be_merged(mine, setup, anne):
    other = PersonFactory(city="Odense", email="ANNE@fabrikam.example")
    assert failing(answer_of(anne, setup.user)) == set()
    text = page(mine, other)
    assert f"/contacts/merge/?contact={other.number}&amp;contact={anne.number}" in text
    assert failing(answer_of(other, setup.user)) == {"shared_email"}


def test_a_company_and_a_wrong_filter_are_told_and_break_nothing(mine, setup, anne):
    assert "Only people are synced." in page(mine, CompanyFactory())
    setup.contact_filter = {"city": "'A"}
    setup.save()
    text = page(mine, anne)
    assert "The filter cannot be read" in text and "Your filter has a mistake in it." in text


@pytest.mark.parametrize(
    ("values", "text", "value"),
    [
        (
            {"deleted_at": datetime(2026, 11, 3, 12, tzinfo=UTC)},
            "It has been in the CRM's trash since 3 November 2026",
            "",
        ),
        ({"privacy_blocked": True}, "It is privacy blocked", ""),
        ({"name": ""}, "It has no name", ""),
        ({"email": ""}, "It has no e-mail", ""),
        ({"city": "Ribe"}, "The filter does not select it", "not by City"),
    ],
)
def test_a_failed_check_says_what_is_the_case(setup, anne, values, text, value):
    Contact.objects.filter(pk=anne.pk).update(**values)
    (failed,) = (check for check in answer_of(anne, setup.user).checks if check.passes is False)
    assert str(failed.text) == text and failed.value == value


@pytest.mark.parametrize(
    ("link", "words"),
    [({"gone": True}, "It is no longer in Outlook"), ({"state": "removed"}, "You removed it from Outlook")],
)
def test_what_left_the_folder_fails_the_check_that_it_is_there(setup, anne, link, words):
    LinkFactory(setup=setup, contact=anne, contact_version=1, **link)
    (failed,) = (check for check in answer_of(anne, setup.user).checks if check.passes is False)
    assert (str(failed.text), failed.value) == (words, "")


def test_no_filter_decides_where_there_is_none(setup, anne):
    assert "Set to “by filter”" in [str(check.text) for check in answer_of(anne, setup.user).checks]
    type(setup).objects.filter(pk=setup.pk).update(contact_filter={})
    assert "choice" not in [check.code for check in answer_of(anne, setup.user).checks]
    ContactPreference.objects.create(setup=setup, contact=anne, choice="never")
    (failed,) = (check for check in answer_of(anne, setup.user).checks if check.passes is False)
    assert str(failed.text) == "It is set to “never”"


def test_never_is_undone_and_always_goes_above_the_filter_from_the_page_itself(mine, setup, anne):
    url = f"/sync/contacts/{anne.number}/preference/"
    mine.post(url, {"choice": "never"})
    assert "Let the filter decide" in page(mine, anne)
    assert mine.post(url, {"choice": "filter", "back": "why"}).url == f"/sync/contacts/{anne.number}/why/"
    assert "Sync now" in page(mine, anne) and not ContactPreference.objects.exists()


@pytest.mark.parametrize(
    ("values", "button"),
    [({"enabled": False}, "Resume"), ({"trouble": "needs_sign_in"}, "Connect again"), ({}, "Sync now")],
)
def test_a_contact_that_is_due_waits_for_the_sync_and_the_button_gets_it_going(mine, setup, anne, values, button):
    type(setup).objects.filter(pk=setup.pk).update(**values)
    assert button in page(mine, anne)


def test_what_left_the_filter_says_whether_it_stays(setup, anne):
    edit(anne, city="Berlin")
    LinkFactory(setup=setup, contact=anne, was_in_filter=True, contact_version=1)
    assert answer_of(anne, setup.user).is_in_outlook and "filter" not in failing(answer_of(anne, setup.user))
    type(setup).objects.filter(pk=setup.pk).update(left_filter_rule="remove")
    answer = answer_of(anne, setup.user)
    assert answer.verdict.state.value == "leaving" and failing(answer) == {"filter"}


def test_the_card_and_the_page_left_out_lead_to_the_answer(mine, setup, anne):
    LinkFactory(setup=setup, contact=anne, state="left_out", problem="no_email")
    for address in (f"/sync/contacts/{anne.number}/", "/sync/left-out/"):
        assert f'href="/sync/contacts/{anne.number}/why/"' in mine.get(address).content.decode()


def test_without_a_setup_the_page_leads_to_it(client, anne):
    client.force_login(UserFactory())
    assert "Set up the sync" in page(client, anne)


def test_the_page_costs_a_constant_number_of_queries(mine, setup, anne):
    with CaptureQueriesContext(connection) as few:
        page(mine, anne)
    setup.contact_filter = dict.fromkeys(("city", "county", "post_code", "territory", "email", "phone"), "<>zz")
    setup.save()
    PersonFactory.create_batch(5, email=anne.email)
    with CaptureQueriesContext(connection) as many:
        page(mine, anne)
    assert len(many) <= len(few) <= 14


# --- Whose answer ----------------------------------------------------------------------------------------------------


def test_only_administrators_see_anothers_answer(client, mine, setup, anne):
    query = f"?user={setup.user.pk}"
    assert "Sync now" in page(mine, anne, query)
    client.force_login(UserFactory())
    assert client.get(f"/sync/contacts/{anne.number}/why/{query}").status_code == 404
    client.force_login(AdministratorFactory())
    text = page(client, anne, query)
    assert "mean Jette" in text and "Open the mailbox" in text and "Sync now" not in text
    for wrong in ("?user=0", "?user=x", "?user=99999999999999999999"):
        assert client.get(f"/sync/contacts/{anne.number}/why/{wrong}").status_code == 404
    client.logout()
    assert client.get(f"/sync/contacts/{anne.number}/why/").status_code == 302


def test_what_only_anothers_outlook_holds_is_not_shown_to_administrators(client, setup, anne):
    link = LinkFactory(
        setup=setup, contact=anne, contact_version=1, base_crm={"city": "Aarhus"}, base_outlook={"city": "Aarhus"},
        outlook={"city": "Secret Bay"}, dirty=True, problem="not_understood", problem_detail="country: Secret Land",
        kept_out={"country": ["not_understood", "Secret Land"]},
    )  # fmt: skip
    assert "Secret" in page_of(client, setup.user, anne)
    administrator = AdministratorFactory()
    query = f"?user={setup.user.pk}"
    text = page_of(client, administrator, anne, query)
    assert "Secret" not in text and "City" in text
    ContactLink.objects.filter(pk=link.pk).update(private=True, problem="private", problem_detail="")
    text = page_of(client, administrator, anne, query)
    assert "for them alone to see" in text and "Private" not in text and "private" not in text


@pytest.mark.parametrize("item", [{"problem": "no_name"}, {"problem": "not_a_person"}, {"problem": "broken"}])
def test_what_is_the_matter_with_anothers_item_is_not_shown_to_administrators(setup, anne, item):
    LinkFactory(setup=setup, contact=None, state="seen", email=anne.email, outlook_id="x", **item)
    assert answer_of(anne, setup.user).verdict.reason == item["problem"]
    answer = answer_of(anne, setup.user, mine=False)
    assert (answer.verdict.reason, answer.is_hidden) == ("", True)


def page_of(client, user, contact, query="") -> str:
    client.force_login(user)
    return page(client, contact, query)


# --- The sync does as it says ----------------------------------------------------------------------------------------


def test_the_next_sync_does_what_the_answer_says(jens: Salesperson) -> None:
    jens.setup.enable()
    jens.change(contact_filter={"city": "Aarhus"}, conflict_rule="ask")
    jens.sync()
    people = [
        PersonFactory(city="Aarhus"),
        PersonFactory(city="Aarhus", email="two@same.example"),
        PersonFactory(city="Aarhus", email="TWO@same.example"),
        PersonFactory(city="Aarhus", email=""),
        PersonFactory(city="Aarhus", email="no mail"),
        PersonFactory(city="Aarhus", name="", first_name="", surname=""),
        PersonFactory(city="Aarhus", privacy_blocked=True),
        PersonFactory(city="Berlin"),
        CompanyFactory(city="Aarhus"),
    ]
    before = {person.pk: answer_of(person, jens.setup.user).verdict for person in people}
    jens.sync()
    for person in people:
        link = ContactLink.objects.filter(contact=person).first()
        answer, said = answer_of(person, jens.setup.user), before[person.pk]
        if said.state.value == "due":
            assert answer.is_in_outlook and remedy(answer).text == "Nothing to do."
        else:
            assert not answer.is_in_outlook and answer.verdict.reason == said.reason
            assert link is None or link.problem == said.reason
    assert sum(said.state.value == "due" for said in before.values()) == 2


def test_what_the_next_sync_carries_over_is_shown_value_by_value(jens: Salesperson) -> None:
    anne = PersonFactory(first_name="Anne", city="Aarhus")
    jens.sync()
    edit(anne, city="Odense")
    answer = answer_of(anne, jens.setup.user)
    assert [(row.side, row.name, row.before.changed, row.after.changed) for row in answer.pending] == [
        ("outlook", "city", "Aarhus", "Odense")
    ]
    assert answer.last_look.change.action == "create"


def test_what_was_undone_or_dropped_is_not_said_to_be_so(jens: Salesperson, settings: Any) -> None:
    anne = PersonFactory(first_name="Anne", city="Aarhus")
    jens.sync()
    jens.change(contact_filter={"city": "Odense"}, left_filter_rule="remove")
    jens.sync()
    assert answer_of(anne, jens.setup.user).last_look.what == "Removed from Outlook"
    jens.undo()
    assert answer_of(anne, jens.setup.user).last_look.what == "Created in Outlook"
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    jens.change(contact_filter={"city": "Aarhus"})
    jens.sync()
    jens.change(contact_filter={"city": "Odense"})
    assert jens.sync()["outcome"] == "held"
    reject(SyncRun.objects.latest("pk"), jens.setup.user)
    assert answer_of(anne, jens.setup.user).last_look.what == "Remove from Outlook · Left for the next sync"


@pytest.mark.parametrize(
    ("rule", "state", "reason"),
    [("stay_out", "left_out", "gone_stays_out"), ("trash", "left_out", "gone_to_trash"), ("put_back", "due", "")],
)
@pytest.mark.parametrize("was_edited", [False, True])
def test_what_was_found_gone_from_the_folder_is_told_as_the_held_sync_means_it(
    jens: Salesperson, settings: Any, client: Any, rule: str, state: str, reason: str, was_edited: bool
) -> None:
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    jens.setup.enable()
    jens.change(removed_rule=rule)
    anne, bo = PersonFactory(first_name="Anne", city="Aarhus"), PersonFactory(first_name="Bo")
    jens.sync()
    for person in (anne, bo):
        jens.outlook.remove(jens.card(person.name)["id"])
    if was_edited:
        edit(anne, city="Odense")
    assert jens.sync()["outcome"] == "held"
    said = answer_of(anne, jens.setup.user)
    assert (said.verdict.state.value, said.verdict.reason) == (("due", "") if was_edited else (state, reason))
    assert not said.is_in_outlook
    assert {row.before.changed for row in said.pending} <= {""}
    text = page_of(client, jens.setup.user, anne)
    assert "Why isn't" in text and "In Outlook since" not in text
    assert "Since" not in client.get(f"/sync/contacts/{anne.number}/").content.decode()
    box = client.get(f"/sync/contacts/{anne.number}/").content.decode()
    for told in (text, box):
        assert "waits for your decision." in told and "Look and decide" in told
        assert "The next sync takes note" not in told and "By your rules the next sync" not in told
    administrator = AdministratorFactory()
    text = page_of(client, administrator, anne, f"?user={jens.setup.user.pk}")
    assert f"A sync is held; only {jens.setup.user} can decide." in text and "The next sync does it." not in text


def test_the_next_sync_is_not_told_twice(mine, setup, anne):
    text = page(mine, anne)
    assert text.count("Goes to your Outlook with the next sync") == 1
    assert "<dt>Next sync</dt>" not in text


# --- The command -----------------------------------------------------------------------------------------------------


def test_the_command_gives_the_same_answer_as_text_and_as_data(setup, anne):
    edit(anne, city="Berlin")
    out = StringIO()
    call_command("explain_contact", anne.number.lower(), user=setup.user.email, stdout=out)
    assert "✗ City: Aarhus|Odense  (Berlin)" in out.getvalue() and "⇒ Change the filter" in out.getvalue()
    out = StringIO()
    call_command("explain_contact", anne.number, user=setup.user.authentication_email, format="json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["state"], told["reason"], told["in_outlook"]) == ("left_out", "not_in_filter", False)
    assert told["filter"] == [{"field": "city", "expression": "Aarhus|Odense", "value": "Berlin", "passes": False}]
    assert {check["check"] for check in told["checks"] if check["passes"] is False} == {"filter"}


@pytest.mark.parametrize(("number", "email"), [("CT999999", None), (None, "nobody@nowhere.example")])
def test_the_command_says_whom_it_does_not_know(setup, anne, number, email):
    with pytest.raises(CommandError, match="There is no"):
        call_command("explain_contact", number or anne.number, user=email or setup.user.email)
