"""Whose item was cut and made anew with the e-mail that it had, while the CRM gave the contact another one."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink
from tests.compare import quiet
from tests.factories import CompanyFactory, PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db

OLD, NEW = "anne@fabrikam.example", "holm@fabrikam.example"


@pytest.fixture(autouse=True)
def folder(jens: Salesperson) -> None:
    jens.outlook.create_folder(FOLDER)


@pytest.fixture
def anne(jens: Salesperson) -> Contact:
    """In both places with her old e-mail."""
    anne = PersonFactory(first_name="Anne", surname="Holm", email=OLD)
    jens.sync()
    return anne


def cut(jens: Salesperson) -> None:
    jens.outlook.remove(jens.card("Anne Holm")["id"])


def owner_of(item: dict) -> Contact | None:
    return ContactLink.objects.get(outlook_id=item["id"]).contact


@pytest.mark.parametrize("is_further", [False, True])
@pytest.mark.parametrize("bo_is_older", [False, True])
def test_they_are_recognised_also_beside_somebody_with_that_email(jens, anne, is_further, bo_is_older):
    edit(anne, email=NEW)
    cut(jens)
    former = {"address": OLD.title()}
    bo = {"givenName": "Bo", "surname": "Holm", "emailAddresses": [former]}
    emails = [{"address": "third@fabrikam.example"}, former] if is_further else [former]
    again = {"givenName": "Anne", "surname": "Holm", "emailAddresses": emails}
    for card in (bo, again) if bo_is_older else (again, bo):
        jens.outlook.add(**card)
    assert [row for row in jens.sync()["changes"] if row["action"] == "skip"] == []
    emails = list(Contact.objects.order_by("pk").values_list("first_name", "email"))
    assert emails == [("Anne", NEW), ("Bo", OLD.title())]
    assert jens.names() == ["Anne Holm", "Bo Holm"]
    assert quiet(jens)


def test_a_second_card_beside_one_that_is_there_is_somebody_of_their_own(jens, anne):
    edit(anne, email=NEW)
    jens.outlook.add(**outlook_person("Anne", "Holm", OLD))
    assert [row for row in jens.sync()["changes"] if row["action"] == "skip"] == []
    assert Contact.objects.count() == 2 and quiet(jens)


@pytest.mark.parametrize("when", ["long ago", "just now"])
def test_who_has_neither_the_name_nor_the_email_any_more_is_not_written_over_the_card(jens, anne, when):
    cut(jens)
    if when == "long ago":
        jens.sync()
    edit(anne, first_name="Carla", surname="Diaz", email=NEW)
    again = jens.outlook.add(**outlook_person("Anne", "Holm", OLD, mobilePhone="1"))
    jens.sync()
    jens.sync()
    assert owner_of(again).name == "Anne Holm" and "Anne Holm" in jens.names()


def test_a_contact_who_has_one_of_the_emails_goes_before_one_who_had_it(jens, anne):
    cut(jens)
    jens.sync()
    edit(anne, email=NEW)
    other = PersonFactory(first_name="Anne", surname="Holm", email="work@fabrikam.example")
    emails = [{"address": OLD}, {"address": other.email}]
    again = jens.outlook.add(givenName="Anne", surname="Holm", emailAddresses=emails)
    jens.sync()
    assert owner_of(again) == other and jens.names() == ["Anne Holm"] and quiet(jens)


@pytest.mark.parametrize("who", ["successor", "company", "trashed"])
def test_who_had_the_email_and_has_the_name_goes_before_whoever_has_the_email_now(jens, anne, who):
    jens.change(contact_filter={"city": "''"})
    jens.sync()
    edit(anne, email=NEW)
    if who == "company":
        CompanyFactory(name="Fabrikam", email=OLD)
    else:
        bo = PersonFactory(first_name="Bo", surname="Lund", email=OLD, city="Odense")
        if who == "trashed":
            bo.trash(by=None)
    cut(jens)
    again = jens.outlook.add(**outlook_person("Anne", "Holm", OLD, mobilePhone="1"))
    for _ in range(3):
        jens.sync()
    assert owner_of(again) == anne and jens.names() == ["Anne Holm"]


def test_they_are_recognised_when_the_pairing_was_refused_at_first(jens, anne):
    edit(anne, email=NEW)
    cut(jens)
    for first, last in (("Bo", "Holm"), ("Anne", "Holm")):
        jens.outlook.add(**outlook_person(first, last, OLD))
    jens.tenant.faults.add("status", status=400, code="ErrorInvalidProperty", match="PATCH ")
    for _ in range(4):
        jens.sync()
    assert jens.names() == ["Anne Holm", "Bo Holm"] and Contact.objects.count() == 2


def test_they_are_recognised_when_somebody_else_came_with_the_email_before(jens, anne):
    cut(jens)
    jens.sync()
    edit(anne, email=NEW)
    jens.outlook.add(**outlook_person("Bo", "Holm", OLD))
    jens.sync()
    again = jens.outlook.add(**outlook_person("Anne", "Holm", OLD))
    jens.sync()
    assert owner_of(again) == anne
    assert ContactLink.objects.get(contact=anne).state == LinkState.LINKED and quiet(jens)


# --- Several items with one e-mail -----------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["blocked", "trashed"])
def test_an_item_of_somebody_who_may_not_be_paired_does_not_stand_in_the_way_of_a_younger_one(jens, why):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=OLD)
    bo = PersonFactory(first_name="Bo", surname="Holm", email=OLD)
    edit(bo, privacy_blocked=True) if why == "blocked" else bo.trash(by=None)
    jens.outlook.add(**outlook_person("Bo", "Holm", OLD))
    young = jens.outlook.add(**outlook_person("A.", "Holm", OLD))
    jens.sync()
    assert owner_of(young) == anne


def test_the_item_with_the_name_that_the_contact_had_there_goes_before_an_older_one(jens, anne):
    jens.outlook.add(**outlook_person("Annie", "H", OLD))
    jens.sync()
    edit(anne, surname="Lund")
    cut(jens)
    again = jens.outlook.add(**outlook_person("Anne", "Holm", OLD))
    jens.sync()
    assert owner_of(again) == anne and jens.names() == ["Anne Lund", "Annie H"]
