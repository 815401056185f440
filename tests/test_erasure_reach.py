"""Whom an erasure reaches: every copy and every word of the person, and nobody else's."""

import pytest

from contacts import merging
from contacts.blocking import blocked
from contacts.models import Contact
from contacts.transfer.checking import check, prepare
from contacts.uploads import Upload
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.erasing import StillRunning, erase
from crmsync.sync.erasures import Erasure
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import request_run
from tests.compare import settle
from tests.factories import AdministratorFactory, PersonFactory, UserFactory
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


# --- The CRM ----------------------------------------------------------------------------------------------------------


def test_the_history_of_a_merge_that_was_undone_forgets_the_person(anne: Contact) -> None:
    edit(anne, notes="Owes us lunch.", city="Ribe")
    bo = PersonFactory(first_name="Bo", surname="Lund", email="bo@lund.example", notes="Likes tea.")
    values = {"email_2": "bo@lund.example", "notes": "Owes us lunch.\n\nLikes tea.", "surname": "Lund", "city": "Vejle"}
    merging.merge(Contact.objects.get(pk=anne.pk), [Contact.objects.get(pk=bo.pk)], values, by=None)
    merging.unmerge(anne.changes.filter(source="merge").get().reference, by=None)
    do_erase(bo)
    assert traces("bo@lund.example", "Likes tea.", "Lund") == []
    kept = dict(anne.changes.exclude(fields={}).values_list("source", "fields"))
    assert kept["merge"] == {"city": ["Ribe", "Vejle"]} and kept["unmerge"] == {"city": ["Vejle", "Ribe"]}


def test_the_history_of_others_forgets_an_e_mail_that_they_had_by_mistake(anne: Contact) -> None:
    bo = PersonFactory(first_name="Bo", surname="Lund")
    edit(bo, email_2=anne.email, city="Ribe")
    edit(bo, email_2="")
    do_erase(anne)
    assert traces(anne.email) == []
    assert list(bo.changes.values_list("fields", flat=True)) == [{}, {"city": ["", "Ribe"]}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_files_that_wait_for_import_go_with_the_person_in_them(anne: Contact, encoding: str) -> None:
    files = ["Søren;ANNE@fabrikam.example", "Søren;'Anne' <anne@fabrikam.example>", "Søren;joanne@fabrikam.example"]
    uploads = [Upload.keep([f"name;email\n{row}\n".encode(encoding)], user=UserFactory()) for row in files]
    uploads.append(Upload.keep(["first_name,surname\nAnne,Holm\n".encode(encoding)], user=UserFactory()))
    for upload in uploads:
        prepare(upload)
    check(uploads[-1], by=uploads[-1].user)
    do_erase(anne)
    assert list(Upload.objects.all()) == [uploads[2]]


# --- The activity log and comparisons ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Hanne Holm", ""])
def test_a_row_about_an_item_that_has_gone_forgets_the_person(apart: Salesperson, name: str) -> None:
    apart.change(new_contact_rule="hold")
    item = apart.outlook.add(FOLDER, displayName=name, emailAddresses=[{"address": "hanne@home.example"}])
    apart.sync()
    apart.outlook.remove(item["id"])
    apart.sync()
    assert traces("Hanne Holm", "hanne@home.example") != []
    do_erase(edit(PersonFactory(first_name="Hanne", surname="Holm", email="hanne@home.example"), surname="Lund"))
    assert traces("Hanne Holm", "hanne@home.example") == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_planned_row_forgets_the_person_in_whatever_letters(apart: Salesperson, place: int) -> None:
    apart.change(new_contact_rule="add")
    emails = ["first@home.example"][:place] + ["SØREN@home.example"]
    add(apart, "Søren", "Holm", *emails)
    apart.sync(preview=True)
    apart.outlook.remove(apart.card("Søren Holm")["id"])
    apart.change(new_contact_rule="never")
    apart.sync()
    assert traces("søren@home.example") != []
    do_erase(PersonFactory(first_name="S", surname="H", email="søren@home.example"))
    assert traces("søren@home.example", "Søren Holm") == []
    assert not SyncChange.objects.filter(outcome="planned").exists()


def test_rows_about_others_forget_an_e_mail_that_a_merge_had_given_them(jens: Salesperson, anne: Contact) -> None:
    bo = PersonFactory(first_name="Bo", surname="Lund", email="bo@lund.example")
    jens.sync()
    values = {"email_2": "bo@lund.example", "city": "Vejle"}
    merging.merge(Contact.objects.get(pk=anne.pk), [Contact.objects.get(pk=bo.pk)], values, by=None)
    jens.sync(preview=True)
    jens.sync()
    merging.unmerge(anne.changes.get(source="merge").reference, by=None)
    jens.sync()
    do_erase(bo)
    assert traces("bo@lund.example") == [] and jens.names() == ["Anne Holm"]
    said = SyncChange.objects.filter(contact=anne, action="update").values_list("fields", flat=True)
    assert list(said) == [{"city": ["", "Vejle"]}, {"city": ["", "Vejle"]}, {"city": ["Vejle", ""]}]


def test_rows_about_somebody_else_stay(apart: Salesperson, anne: Contact) -> None:
    edit(anne, email="anna@home.example")
    for first, email in (("Joanna", "joanna@home.example"), ("Anne", "anne@other.example")):
        add(apart, first, "Holm", email)
    apart.change(new_contact_rule="add")
    apart.sync(preview=True)
    do_erase(anne)
    rows = SyncChange.objects.filter(run__kind=Kind.PREVIEW)
    assert set(rows.values_list("name", "outcome")) == {("Joanna Holm", "planned"), ("Anne Holm", "planned")}


def test_a_comparison_forgets_an_item_that_no_sync_has_read(apart: Salesperson) -> None:
    apart.change(new_contact_rule="add")
    apart.sync()
    add(apart, "Søren", "Holm", "søren@home.example")
    apart.verify()
    apart.outlook.remove(apart.card("Søren Holm")["id"])
    assert traces("Søren Holm") == ["sync.Difference: Søren Holm"]
    do_erase(PersonFactory(first_name="SØREN", surname="Holm", email="søren@home.example"))
    assert traces("Søren Holm") == []


def test_the_item_that_a_merge_undone_just_now_had_given_to_somebody_else_goes_too(
    jens: Salesperson, anne: Contact
) -> None:
    """It holds the other one's values by then, and still whatever its owner wrote on it about the person."""
    Contact.objects.filter(pk=anne.pk).update(email="")
    bo = PersonFactory(first_name="Bo", surname="Lund", email="bo@lund.example")
    jens.sync()
    item = jens.outlook.edit(jens.card("Bo Lund")["id"], spouseName="Kim Lund")["id"]
    jens.sync()
    merging.merge(Contact.objects.get(pk=anne.pk), [bo], {"email": "anne@holm.example"}, by=None)
    jens.sync()
    assert [card["id"] for card in jens.outlook.contacts()] == [item]
    merging.unmerge(anne.changes.get(source="merge").reference, by=None)
    edit(anne, email="anne@holm.example")
    erasure = do_erase(bo)
    jens.sync()
    (card,) = jens.outlook.contacts()
    assert card["id"] != item and card["displayName"] == "Anne Holm"
    assert erasure.copies.get().outcome == "removed" and traces("Lund", "bo@lund.example") == []


@pytest.mark.parametrize("came_through", [True, False])
def test_an_e_mail_that_a_merge_had_brought_to_an_item_unheard_does_not_come_back(
    jens: Salesperson, anne: Contact, came_through: bool
) -> None:
    """The answer was lost, the merge undone, the person erased: the item's owner never wrote it."""
    jens.sync()
    bo = PersonFactory(first_name="Bo", surname="Lund", email="bo@lund.example")
    Contact.objects.get(pk=bo.pk).write({"email_2": "bo@home.example"}, by=None)
    merging.merge(
        Contact.objects.get(pk=anne.pk), [Contact.objects.get(pk=bo.pk)], {"email_2": "bo@lund.example"}, by=None
    )
    jens.tenant.faults.add("status", status=504, commit=came_through, match="PATCH ", times=1 if came_through else 0)
    jens.sync()
    Contact.objects.get(pk=anne.pk).write({"email_3": "bo@home.example"}, by=None)
    jens.tenant.faults.add("status", status=504, commit=came_through, match="PATCH ", times=1 if came_through else 0)
    jens.sync()
    jens.tenant.faults.clear()
    assert len(jens.card("Anne Holm")["emailAddresses"]) == 1 + 2 * came_through
    merging.unmerge(anne.changes.get(source="merge").reference, by=None)
    Contact.objects.get(pk=anne.pk).write({"email_3": ""}, by=None)
    do_erase(bo)
    settle(jens)
    assert Contact.objects.get().email_2 == "" and len(jens.card("Anne Holm")["emailAddresses"]) == 1
