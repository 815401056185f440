"""Whom an erasure reaches: every copy and every word of the person, and nobody else's."""

import pytest

from contacts.blocking import blocked
from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.erasing import StillRunning, erase
from crmsync.sync.erasures import Erasure
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import request_run
from tests.factories import AdministratorFactory, PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person
from tests.traces import traces

INFO = "info@fabrikam.example"


@pytest.fixture
def anne(db: None) -> Contact:
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example")


@pytest.fixture
def apart(jens: Salesperson) -> Salesperson:
    """Somebody whose folder holds items that the sync pairs with nobody."""
    jens.change(new_contact_rule="never", contact_filter={"territory": "NORTH"})
    jens.outlook.create_folder(FOLDER)
    return jens


def add(jens: Salesperson, first: str, last: str, *emails: str) -> None:
    """Somebody makes an item in Outlook."""
    addresses = [{"address": email} for email in emails]
    jens.outlook.add(FOLDER, **{**outlook_person(first, last, ""), "emailAddresses": addresses})


def do_erase(contact: Contact) -> Erasure:
    """Erase, and have the copies removed."""
    erasure = erase(Contact.objects.get(pk=contact.pk), by=AdministratorFactory())
    for run in SyncRun.objects.open():
        assert perform(run.pk, budget=float("inf")) == Outcome.DONE
    return erasure


# --- Copies in Outlook ------------------------------------------------------------------------------------------------


def test_somebody_elses_item_stays_though_the_person_once_had_the_e_mail(apart: Salesperson, anne: Contact) -> None:
    edit(anne, email_2=INFO)
    edit(anne, email_2="")
    bo = PersonFactory(first_name="Bo", surname="Lund", email=INFO)
    apart.setup.preferences.create(contact=bo, choice="never")
    add(apart, "Bo", "Lund", INFO)
    add(apart, "Bo", "Lund", "bo@home.example", INFO)
    apart.sync()
    erasure = do_erase(anne)
    assert apart.names() == ["Bo Lund", "Bo Lund"] and not erasure.copies.exists()
    assert blocked([INFO, anne.email]) == {anne.email}


@pytest.mark.parametrize("email", ["anne@fabrikam.example", "SØREN@BLÅBÆR.example"])
def test_a_copy_with_the_e_mail_in_another_place_than_the_first_goes_too(apart: Salesperson, email: str) -> None:
    anne = PersonFactory(first_name="Anne", surname="Holm", email=email.lower())
    add(apart, "A.", "H.", "second@holm.example", email)
    add(apart, "A.", "H.", "third@holm.example", "a@holm.example", email)
    apart.sync()
    erasure = do_erase(anne)
    assert apart.names() == [] and set(erasure.copies.values_list("outcome", flat=True)) == {"removed"}
    assert traces(email, "holm.example") == []


def test_somebody_elses_item_stays_though_the_persons_e_mail_is_in_it(apart: Salesperson, anne: Contact) -> None:
    PersonFactory(first_name="Bo", surname="Lund", email="bo@lund.example", privacy_blocked=True)
    add(apart, "Bo", "Lund", "bo@lund.example", anne.email)
    apart.sync()
    do_erase(anne)
    assert apart.names() == ["Bo Lund"]


def test_it_waits_while_a_run_has_an_item_of_the_person_in_hand(apart: Salesperson, anne: Contact) -> None:
    add(apart, "A.", "H.", "second@holm.example", anne.email)
    apart.sync()
    run, _new = request_run(apart.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(outcome=Outcome.RUNNING, worker="elsewhere:1")
    with pytest.raises(StillRunning):
        do_erase(anne)
    assert not Erasure.objects.exists()


def test_the_persons_own_item_goes_though_somebody_else_has_the_e_mail_now(apart: Salesperson, anne: Contact) -> None:
    edit(anne, email_2=INFO)
    PersonFactory(first_name="Bo", surname="Lund", email=INFO)
    add(apart, "Anne", "Holm", INFO)
    add(apart, "Fabrikam", "Desk", "desk@fabrikam.example", INFO)
    add(apart, "A.", "H.", anne.email, INFO)
    apart.sync()
    do_erase(anne)
    assert apart.names() == ["Fabrikam Desk"]


def test_the_persons_second_card_in_the_trash_is_nobody_else(apart: Salesperson, anne: Contact) -> None:
    PersonFactory(first_name="Anne", surname="Holm", email=anne.email).trash(by=None)
    add(apart, "A.", "H.", anne.email)
    apart.sync()
    do_erase(anne)
    assert apart.names() == [] and blocked([anne.email]) == {anne.email}
