"""What a filter would do before it is saved: the numbers are those of the sync after it, and cost next to nothing."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.impact import Impact, impact_of
from crmsync.sync.models import ContactLink, ContactPreference
from exchange_setup.models import ExchangeSync
from tests.factories import CompanyFactory, LinkFactory, PersonFactory, SetupFactory, UserFactory
from tests.scene import Salesperson

pytestmark = pytest.mark.django_db


@pytest.fixture
def setup():
    now = timezone.now()
    return SetupFactory(enabled_at=now, last_sync_at=now, contact_filter={"city": "Aarhus"})


@pytest.fixture
def mine(client, setup):
    client.force_login(setup.user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def numbers(impact: Impact) -> dict[str, int]:
    return {group.slug: group.count for group in impact.groups}


def of(setup, **contact_filter) -> Impact:
    return impact_of(ExchangeSync.objects.select_related("user").get(pk=setup.pk), contact_filter)


# --- The numbers are the sync's ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["keep", "remove"])
def test_the_next_sync_does_what_the_numbers_say(jens: Salesperson, rule: str) -> None:
    jens.change(contact_filter={"city": "Aarhus"}, left_filter_rule=rule)
    everybody = [PersonFactory(city=city) for city in ("Aarhus", "Aarhus", "Berlin", "Bonn", "Chur")]
    PersonFactory(city="Berlin", email="same@same.example")
    PersonFactory(city="Bonn", email="Same@same.example")
    PersonFactory(city="Bonn", email=everybody[0].email.upper())
    PersonFactory(city="Bonn", email="")
    PersonFactory(city="Bonn", privacy_blocked=True)
    CompanyFactory(city="Bonn")
    jens.sync()
    ContactPreference.objects.create(setup=jens.setup, contact=everybody[1], choice="always")
    ContactPreference.objects.create(setup=jens.setup, contact=everybody[3], choice="never")
    for expression in ("B*", "Aarhus|Berlin", "Nowhere", "<>Aarhus", "*", "Aarhus"):
        told = numbers(of(jens.setup, city=expression))
        jens.change(contact_filter={"city": expression})
        changes = jens.sync(preview=True)["changes"]
        jens.change(contact_filter={"city": "Aarhus"})
        created = sum(row["action"] == "create" for row in changes)
        removed = sum(row["cause"] == "left_filter" for row in changes)
        shared = sum(row["reason"] == "shared_email" for row in changes)
        unfit = sum(row["reason"] in ("no_email", "privacy_blocked") for row in changes)
        assert (told.get("in", 0), told.get("shared", 0), told.get("unfit", 0)) == (created, shared, unfit), expression
        assert told.get("out", 0) == (
            removed if rule == "remove" else int(expression not in ("Aarhus|Berlin", "*", "Aarhus"))
        )


def test_what_the_user_removed_in_outlook_comes_in_only_where_the_rule_puts_it_back(setup):
    LinkFactory(setup=setup, contact__city="Aarhus", state="removed", problem="removed_in_outlook")
    assert numbers(of(setup, city="Aarhus")) == {}
    ExchangeSync.objects.update(removed_rule="put_back")
    assert numbers(of(setup, city="Aarhus")) == {"in": 1}


# --- The words -------------------------------------------------------------------------------------------------------


def impact(client, **filters) -> str:
    values = {f"filter-{name}": expression for name, expression in filters.items()}
    return text(client.post("/sync/filter-impact/", {"prefix": "filter", **values}))


def test_the_words_follow_the_rules_of_the_setup(mine, setup):
    LinkFactory(setup=setup, contact__city="Aarhus", was_in_filter=True)
    PersonFactory.create_batch(2, city="Berlin")
    said = impact(mine, city="Berlin")
    assert "2 contacts come in" in said and "1 contact leaves the filter and is kept in Outlook" in said
    ExchangeSync.objects.update(left_filter_rule="remove")
    said = impact(mine, city="Berlin")
    assert "1 contact leaves and is removed from Outlook" in said and "asks you first" not in said
    assert "Nobody comes in, and nobody leaves." in impact(mine, city="Aarhus")


def test_of_those_who_share_an_email_it_says_who_stays_out_and_asks_nobody_to_decide(mine, setup):
    LinkFactory(setup=setup, contact__city="Aarhus", contact__email="info@fabrikam.example", was_in_filter=True)
    PersonFactory(city="Berlin", email="info@fabrikam.example")
    said = impact(mine, city="Aarhus|Berlin")
    assert "1 stays out: somebody else with the same e-mail is in your Outlook, or goes there instead" in said
    assert "Nobody comes in, and nobody leaves." in said and "decision" not in said
    assert "info" not in impact(mine, city="Aarhus") and "stays out" not in impact(mine, city="Aarhus")


def test_more_than_the_brake_lets_through_is_said_before_saving(mine, setup, settings):
    settings.SYNC_DELETE_LIMIT = 2
    ExchangeSync.objects.update(left_filter_rule="remove")
    LinkFactory.create_batch(3, setup=setup, contact__city="Aarhus", was_in_filter=True)
    assert "More than 2 at a time are never removed unasked" in impact(mine, city="Berlin")
    assert mine.get("/sync/filter-impact/warning/").status_code == 204
    mine.post("/exchange-setup/filter/", {"filter-city": "Berlin"})
    assert "/sync/filter-impact/warning/" in text(mine.get("/exchange-setup/"))
    said = text(mine.get("/sync/filter-impact/warning/"))
    assert "3 contacts leave and are removed from Outlook" in said and "asks you first" in said
    ExchangeSync.objects.update(left_filter_rule="keep")
    assert "unasked" not in impact(mine, city="Berlin")


def test_a_mistake_in_the_filter_says_nothing_and_breaks_nothing(mine, setup):
    assert impact(mine, city="'A") == ""
    ExchangeSync.objects.update(contact_filter={"city": "'A"})
    LinkFactory(setup=setup, contact__city="Aarhus", was_in_filter=True)
    assert impact(mine, city="Berlin") == ""


def test_nothing_is_stored_by_looking(mine, setup):
    PersonFactory(city="Berlin")
    impact(mine, city="Berlin")
    setup.refresh_from_db()
    assert setup.contact_filter == {"city": "Aarhus"} and not ContactLink.objects.exists()


# --- The names -------------------------------------------------------------------------------------------------------


def names(client, **params):
    return client.post("/sync/filter-impact/names/", {"prefix": "filter", "filter-city": "Berlin", **params})


def test_the_names_are_a_click_away_some_at_a_time(mine, setup):
    people = PersonFactory.create_batch(25, city="Berlin")
    first = names(mine, group="in")
    assert text(first).count("<li>") == 20 and people[0].name in text(first)
    rest = names(mine, group="in", after=first.context["page"].after)
    assert text(rest).count("<li>") == 5 and people[24].name in text(rest)
    assert "Nobody is in this part" in text(names(mine, group="nonsense"))
    assert names(mine, group="in", **{"filter-city": "'"}).status_code == 404


def test_only_somebody_with_a_setup_is_answered(client):
    assert client.post("/sync/filter-impact/").status_code == 302
    client.force_login(UserFactory())
    assert client.post("/sync/filter-impact/").status_code == 404
    assert client.post("/sync/filter-impact/names/").status_code == 404


# --- The cost --------------------------------------------------------------------------------------------------------


def test_the_impact_costs_the_same_few_queries_whatever_there_is(mine, setup):
    PersonFactory(city="Berlin")
    with CaptureQueriesContext(connection) as few:
        impact(mine, city="Berlin")
    PersonFactory.create_batch(30, city="Berlin")
    LinkFactory.create_batch(30, setup=setup, contact__city="Aarhus", was_in_filter=True)
    with CaptureQueriesContext(connection) as many:
        impact(mine, city="Berlin", county="<>x", phone="<>y")
    assert len(few) == len(many) <= 8
