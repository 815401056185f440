"""Undo of what somebody has been at since, on whichever side: what is theirs by now stays theirs."""

import pytest

from contacts.models import Contact
from crmsync.sync.models import ContactLink, SyncRun
from tests.compare import settle
from tests.factories import PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

BOB = outlook_person("Bob", "Berg", "bob@berg.example", displayName="Bob Berg")


@pytest.fixture
def left_alone(jens: Salesperson) -> tuple[str, int]:
    """Anne's item, which the undo of her coming into the CRM has left by itself, and that undo's run."""
    jens.outlook.create_folder(FOLDER)
    jens.change(new_contact_rule="add")
    item = jens.outlook.add(**outlook_person("Anne", "Dam", "anne@dam.example", jobTitle="Buyer"))["id"]
    jens.sync()
    undo = jens.undo()
    assert Contact.objects.get().is_trashed
    return item, undo["run"]


@pytest.mark.parametrize("syncs", [0, 1])
def test_what_its_owner_wrote_while_the_contact_was_in_the_trash_is_not_passed_over(
    jens: Salesperson, left_alone: tuple[str, int], syncs: int
) -> None:
    item, undo = left_alone
    jens.outlook.edit(item, department="Sales")
    for _ in range(syncs):
        jens.sync()
    jens.undo(undo)
    settle(jens)
    assert Contact.objects.get().department == jens.card("Anne Dam")["department"] == "Sales"
    assert ContactLink.objects.get().state == "linked"


def test_an_item_that_became_somebody_elses_is_not_the_contacts_again(
    jens: Salesperson, left_alone: tuple[str, int]
) -> None:
    item, undo = left_alone
    jens.outlook.edit(item, **BOB)
    jens.undo(undo)
    settle(jens)
    assert ContactLink.objects.get(outlook_id=item).contact.name == "Bob Berg"
    assert Contact.objects.get(name="Anne Dam").email == "anne@dam.example"


def test_nobody_is_made_again_beside_another_contact_with_the_e_mail(jens: Salesperson) -> None:
    jens.change(contact_filter={"city": "Ribe"}, left_filter_rule="remove")
    anne, bo = (PersonFactory(first_name=name, surname="Dam", email="info@dam.example") for name in ("Anne", "Bo"))
    for contact in (anne, bo):
        edit(contact, city="Ribe")
    settle(jens)
    edit(anne, city="Odense")
    removal = jens.sync()["run"]
    settle(jens)
    assert jens.names() == ["Bo Dam"]
    (row,) = jens.undo(removal)["changes"]
    assert (row["outcome"], row["reason"], row["detail"]) == ("skipped", "shared_email", bo.number)
    settle(jens)
    assert jens.names() == ["Bo Dam"] and SyncRun.objects.open().count() == 0


def test_nobody_is_made_again_whose_own_item_its_owner_took_out_of_deleted_items(jens: Salesperson) -> None:
    """Also where the e-mail is another one by now."""
    jens.change(contact_filter={"city": "Ribe"}, left_filter_rule="remove")
    anne = PersonFactory(first_name="Anne", surname="Dam", city="Ribe")
    settle(jens)
    edit(anne, city="Odense")
    removal = jens.sync()["run"]
    settle(jens)
    edit(anne, email="anne@new.example")
    jens.outlook.restore(jens.card("Anne Dam", "Deleted Items")["id"])
    (row,) = jens.undo(removal)["changes"]
    assert (row["outcome"], row["reason"]) == ("skipped", "changed_since")
    assert jens.names() == ["Anne Dam"]
