"""Who comes into a filter, or leaves it, though nobody has saved the contact in the CRM."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from contacts.filters import moves_on, names_people
from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.polling import at_rest
from crmsync.sync.runs import approve
from exchange_setup.models import ExchangeSync
from tests.compare import quiet, settle
from tests.crash import Reaper
from tests.factories import PersonFactory, UserFactory
from tests.scene import Salesperson, edit

pytestmark = pytest.mark.django_db


@pytest.fixture
def anne(db: None) -> Contact:
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", city="Aarhus")


def days_pass() -> None:
    """All that was done so far was done two days ago."""
    ago = timezone.now() - timedelta(days=2)
    Contact.objects.update(modified_at=ago, created_at=ago)
    ExchangeSync.objects.exclude(last_sync_at=None).update(last_sync_at=ago)


# An edit in Outlook --------------------------------------------------------------------------------------------------


def moves_to_odense(jens: Salesperson) -> None:
    item = jens.card("Anne Holm")
    jens.outlook.edit(item["id"], businessAddress={**item["businessAddress"], "city": "Odense"})


def test_an_edit_in_outlook_that_takes_somebody_out_of_the_filter_takes_the_copy_away(
    jens: Salesperson, anne: Contact
) -> None:
    jens.change(contact_filter={"city": "Aarhus"}, left_filter_rule="remove")
    settle(jens)
    moves_to_odense(jens)
    assert jens.sync()["crm"]["updated"] == 1
    (change,) = jens.sync()["changes"]
    assert (change["action"], change["cause"], jens.names()) == ("delete", "left_filter", [])
    assert Contact.objects.get().city == "Odense" and quiet(jens)


@pytest.mark.parametrize(("rule", "city"), [("keep", "Aarhus"), ("remove", "Aarhus|Odense")])
def test_an_edit_in_outlook_after_which_nobody_has_to_go_leaves_nothing_open(
    jens: Salesperson, anne: Contact, rule: str, city: str
) -> None:
    jens.change(contact_filter={"city": city}, left_filter_rule=rule)
    settle(jens)
    moves_to_odense(jens)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and not ContactLink.objects.get().dirty


# Days go by ----------------------------------------------------------------------------------------------------------


def test_who_comes_into_a_filter_as_days_go_by_comes_into_outlook(jens: Salesperson, anne: Contact) -> None:
    jens.change(contact_filter={"created_at": "..today-1d"})
    settle(jens)
    assert jens.names() == []
    days_pass()
    settle(jens)
    assert jens.names() == ["Anne Holm"]


def test_who_drops_out_of_a_filter_as_days_go_by_leaves_outlook(jens: Salesperson, anne: Contact) -> None:
    jens.change(contact_filter={"created_at": "today.."}, left_filter_rule="remove")
    settle(jens)
    assert jens.names() == ["Anne Holm"]
    days_pass()
    settle(jens)
    assert jens.names() == []


def test_a_mailbox_whose_filter_has_moved_on_is_not_passed_over(jens: Salesperson, anne: Contact) -> None:
    for contact_filter, calm in (({"created_at": "today-30d.."}, False), ({"created_at": "2020.."}, True)):
        jens.change(contact_filter=contact_filter)
        settle(jens)
        assert list(at_rest([ExchangeSync.objects.get()]))
        days_pass()
        assert bool(list(at_rest([ExchangeSync.objects.get()]))) is calm


def test_a_plan_that_is_approved_on_another_day_is_carried_out(jens: Salesperson, anne: Contact, settings: Any) -> None:
    jens.change(contact_filter={"created_at": "today.."}, left_filter_rule="remove")
    settle(jens)
    days_pass()
    settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
    assert jens.sync()["outcome"] == Outcome.HELD
    days_pass()
    run = SyncRun.objects.get(outcome=Outcome.HELD)
    approve(run, None, enqueue=False)
    assert perform(run.pk) == Outcome.DONE and jens.names() == []


@pytest.mark.parametrize("expression", ["today", "..T-1m", "2020|(>i dag&<2030)", "today-30d.."])
def test_a_date_that_counts_from_today_moves_on(expression: str) -> None:
    assert moves_on({"city": "Aarhus", "created_at": expression})


@pytest.mark.parametrize("contact_filter", [{}, {"name": "today"}, {"birthday": "2026-05..2026-06"}, {"birthday": " "}])
def test_any_other_filter_stays_as_it_is(contact_filter: dict[str, str]) -> None:
    assert not moves_on(contact_filter)


# Somebody's code -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", ["OLD", "o*", "old@crm.example"])
def test_a_salesperson_who_gets_another_code_or_e_mail_is_another_to_the_filter(
    jens: Salesperson, anne: Contact, expression: str
) -> None:
    other = UserFactory(code="OLD", email="old@crm.example")
    edit(anne, salesperson=other)
    jens.change(contact_filter={"salesperson": expression}, left_filter_rule="remove")
    settle(jens)
    assert jens.names() == ["Anne Holm"]
    other.code, other.email = "NEW", "new@crm.example"
    other.save()
    assert jens.sync()["notes"] == ["salesperson_changed"]
    assert jens.names() == [] and quiet(jens)


def test_the_contacts_of_a_user_who_is_deleted_leave_a_filter_on_them(jens: Salesperson, anne: Contact) -> None:
    other = UserFactory(code="OLD")
    edit(anne, salesperson=other)
    jens.change(contact_filter={"salesperson": "OLD"}, left_filter_rule="remove")
    settle(jens)
    other.delete()
    settle(jens)
    assert jens.names() == []


def test_a_user_who_keeps_code_and_e_mail_has_nothing_planned_anew(jens: Salesperson, anne: Contact) -> None:
    other = UserFactory(code="OLD")
    for expression, names in (("OLD", {"name"}), ("%me", {"name", "code"})):
        jens.change(contact_filter={"salesperson": expression})
        settle(jens)
        for name in names:
            setattr(other, name, "Another")
        other.save()
        assert jens.sync()["notes"] == []


@pytest.mark.parametrize(("expression", "named"), [("%me", False), ("%ME|''", True), ("JR", True), ("<>%me", False)])
def test_a_filter_names_people_by_all_but_me(expression: str, named: bool) -> None:
    assert names_people({"salesperson": expression}) is named


def get_code(user: Any, code: str) -> None:
    user.code = code
    user.save()


@pytest.mark.parametrize("held", [False, True], ids=["while it reads", "while it is held"])
def test_a_salesperson_who_gets_another_code_while_a_run_is_under_way_is_another_to_the_next(
    jens: Salesperson, anne: Contact, settings: Any, held: bool
) -> None:
    user, bo = UserFactory(code="AA"), PersonFactory(salesperson=UserFactory(code="BB"))
    edit(anne, salesperson=user)
    jens.change(contact_filter={"salesperson": "BB|CC"})
    settle(jens)
    days_pass()
    settle(jens)
    bo.refresh_from_db()
    bo.trash(by=None)
    if held:
        settings.SYNC_DELETE_LIMIT = settings.SYNC_DELETE_PERCENT = 0
        assert jens.sync()["outcome"] == Outcome.HELD
        get_code(user, "CC")
        run = SyncRun.objects.get(outcome=Outcome.HELD)
        approve(run, None, enqueue=False)
        assert perform(run.pk) == Outcome.DONE
    else:
        with Reaper(jens.tenant, 2, meanwhile=lambda: get_code(user, "CC")).at_work():
            jens.sync()
    report = jens.sync()
    assert (report["notes"], jens.names()) == (["salesperson_changed"], ["Anne Holm"])
    assert quiet(jens)
