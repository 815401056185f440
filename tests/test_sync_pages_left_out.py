"""The page "Left out": its groups, what each row offers, and how it answers a decision."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.models import ContactLink
from exchange_setup.models import ExchangeSync
from tests.factories import ChangeFactory, CompanyFactory, LinkFactory, PersonFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def setup():
    now = timezone.now()
    return SetupFactory(enabled_at=now, last_sync_at=now, new_contact_rule="hold", conflict_rule="ask")


@pytest.fixture
def mine(client, setup):
    """A client signed in as the owner of `setup`."""
    client.force_login(setup.user)
    return client


def item(setup, problem, detail="", **values) -> ContactLink:
    """A contact that is only in Outlook."""
    values = {"outlook_name": "Carla", "email": "carla@diaz.example"} | values
    return LinkFactory(setup=setup, contact=None, state="seen", problem=problem, problem_detail=detail, **values)


def pair(setup, **values) -> ContactLink:
    """A pair of which both sides changed the city."""
    contact = PersonFactory(city="Odense")
    base = {"first_name": contact.first_name, "surname": contact.surname, "email": contact.email, "city": "Aarhus"}
    halves = {"base_crm": base, "base_outlook": base, "outlook": base | {"city": "Vejle"}}
    return LinkFactory(setup=setup, contact=contact, problem="conflict", problem_detail="city", **halves, **values)


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def page(client, query: str = "") -> str:
    return text(client.get(f"/sync/left-out/{query}"))


# --- One thing to do for each row ------------------------------------------------------------------------------------


def test_a_held_contact_shows_name_and_email_and_both_answers(mine, setup):
    item(setup, "held_for_review")
    shown = page(mine)
    assert "Carla" in shown and "carla@diaz.example" in shown
    assert "Add to the CRM" in shown and "Leave it out for good" in shown


@pytest.mark.parametrize("reason", ["ambiguous", "duplicate", "shared_email", "company_email", "privacy_blocked"])
def test_the_contacts_that_a_reason_names_are_one_click_away(mine, setup, reason):
    ida, eva = PersonFactory(first_name="Ida", surname="Holm"), CompanyFactory(name="Holm A/S")
    item(setup, reason, f"{ida.number}, {eva.number}, CT999999")
    shown = page(mine)
    assert f'<a href="/contacts/{ida.number}/">{ida.number}</a> Ida Holm' in shown
    assert f'<a href="/contacts/{eva.number}/">{eva.number}</a> Holm A/S' in shown
    assert "CT999999" in shown and "/contacts/CT999999/" not in shown


def test_who_shares_an_email_is_shown_together(mine, setup):
    item(setup, "ambiguous", "CT000001, CT000002", email="o'hara+x@fabrikam.example")
    twin = PersonFactory(email="twin@fabrikam.example")
    LinkFactory(setup=setup, contact=twin, state="left_out", problem="shared_email", problem_detail="CT000001")
    shown = page(mine)
    assert "/contacts/?q=o%27hara%2Bx%40fabrikam.example" in shown
    assert "/contacts/?q=twin%40fabrikam.example" in shown


@pytest.mark.parametrize(
    ("reason", "button"), [("duplicate", "Open the contact"), ("company_email", "Open the company")]
)
def test_the_button_opens_the_contact_that_is_meant(mine, setup, reason, button):
    meant = PersonFactory()
    item(setup, reason, meant.number)
    assert f'href="/contacts/{meant.number}/">{button}</a>' in page(mine)


def test_a_duplicate_of_an_item_that_is_no_contact_yet_has_nothing_to_open(mine, setup):
    item(setup, "duplicate")
    shown = page(mine)
    assert "Delete the one that you do not need" in shown and "Open the contact" not in shown


def test_who_is_in_the_trash_can_be_restored(mine, setup):
    ole, other = PersonFactory(deleted_at=timezone.now()), PersonFactory(deleted_at=timezone.now())
    item(setup, "in_trash", ole.number)
    assert f'action="/contacts/{ole.number}/restore/"' in page(mine)
    ContactLink.objects.update(problem_detail=f"{ole.number}, {other.number}")
    shown = page(mine)
    assert "/restore/" not in shown and f"/contacts/{other.number}/" in shown


def test_the_log_and_the_fact_box_lead_to_the_decision_and_to_the_contacts(mine, setup):
    link = pair(setup)
    ida = PersonFactory(email=link.contact.email)
    change = ChangeFactory(
        run__setup=setup, contact=link.contact, action="skip", outcome="skipped", reason="conflict", detail="city"
    )
    ChangeFactory(run=change.run, contact=None, action="skip", outcome="skipped", reason="duplicate", detail=ida.number)
    log = text(mine.get(f"/sync/runs/{change.run.pk}/"))
    box = text(mine.get(f"/sync/contacts/{link.contact.number}/"))
    assert 'href="/sync/left-out/?reason=conflict"' in log and 'href="/sync/left-out/?reason=conflict"' in box
    assert f'<a href="/contacts/{ida.number}/">{ida.number}</a>' in log
    LinkFactory(setup=setup, contact=ida, state="left_out", problem="shared_email", problem_detail=link.contact.number)
    box = text(mine.get(f"/sync/contacts/{ida.number}/"))
    assert f'<a href="/contacts/{link.contact.number}/">{link.contact.number}</a>' in box


# --- The list --------------------------------------------------------------------------------------------------------


def test_rows_cost_the_same_few_queries_whatever_they_hold(mine, setup):
    pair(setup)
    item(setup, "duplicate", PersonFactory().number)
    with CaptureQueriesContext(connection) as few:
        page(mine)
    for _ in range(20):
        pair(setup)
        item(setup, "duplicate", PersonFactory().number)
    with CaptureQueriesContext(connection) as many:
        page(mine)
    assert len(few) == len(many) <= 9


def test_a_conflict_that_solved_itself_asks_nothing_any_more(mine, setup):
    link = pair(setup)
    link.contact.write({"city": "Vejle"}, by=None)
    shown = page(mine)
    assert "The next sync looks at it again." in shown and "Use Outlook" not in shown


def test_many_are_decided_together_only_within_one_reason(mine, setup):
    pair(setup)
    assert "for all" not in page(mine, "?reason=conflict")
    pair(setup)
    assert "Use the CRM's for all 2" in page(mine, "?reason=conflict").replace("&#x27;", "'")
    assert "for all" not in page(mine)


def test_a_part_of_the_list_that_became_empty_says_so(mine, setup):
    item(setup, "private")
    assert "Nobody is left out for this reason." in page(mine, "?reason=held_for_review")
    assert "Nothing that you decided waits for the next sync." in page(mine, "?reason=decided")


def test_after_the_last_row_of_the_last_page_the_first_page_is_shown(mine, setup):
    link = item(setup, "private")
    assert mine.get(f"/sync/left-out/?after={link.pk}").context["left_out"].rows[0].link == link


def test_before_the_first_sync_nobody_is_told_that_all_is_in_both_places(client, mine, setup):
    assert "Nothing is left out" in page(mine)
    ExchangeSync.objects.update(last_sync_at=None)
    assert "Nothing has been synced yet" in page(mine)
    client.force_login(UserFactory())
    assert "Nothing has been synced yet" in page(client)


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_a_decision_answers_with_the_list_as_it_is_now_and_says_what_was_decided(mine, setup):
    link, other = item(setup, "held_for_review"), item(setup, "held_for_review", outlook_name="Grandma")
    response = mine.post(
        f"/sync/left-out/{link.pk}/decide/?reason=held_for_review",
        {"choice": "keep_out"},
        headers={"hx-request": "true"},
    )
    assert [row.link for row in response.context["left_out"].rows] == [other]
    toast = json.loads(response.headers["HX-Trigger"])["toast"]
    assert toast == {"text": "Carla stays out of the CRM for good.", "tone": "ok"}
    assert "?reason=held_for_review" in text(response)


def test_without_javascript_the_answer_leads_back_to_the_same_part_of_the_list(mine, setup):
    link = item(setup, "held_for_review")
    response = mine.post(f"/sync/left-out/{link.pk}/decide/?reason=held_for_review", {"choice": "let_in"})
    assert response.url == "/sync/left-out/?reason=held_for_review"
    assert "comes into the CRM with the next sync." in page(mine)


def test_a_decision_waits_until_a_sync_that_began_after_it_has_ended(mine, setup):
    link = item(setup, "held_for_review")
    mine.post(f"/sync/left-out/{link.pk}/decide/", {"choice": "let_in"})
    assert "The next sync carries out 1 decision of yours." in page(mine)
    assert "Undo" in page(mine, "?reason=decided")
    setup.last_sync_at = timezone.now()
    setup.save()
    assert "carries out" not in page(mine)
