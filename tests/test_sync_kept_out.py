"""What the CRM cannot take of an Outlook contact: that field is left alone on both sides until its owner mends it."""

import pytest

from crmsync.sync.models import ContactLink
from tests.compare import quiet, settle
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db
EMAIL = "anne@fabrikam.example"
LONG = f"Head of {'everything ' * 20}".strip()
NARNIA = {"countryOrRegion": "Narnia"}


@pytest.fixture
def anne(jens):
    anne = PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, job_title="Buyer", country="DK")
    jens.sync()
    settle(jens)
    return anne


def in_outlook(jens, **values):
    """The owner edits the item."""
    jens.outlook.edit(jens.card("Anne Holm")["id"], **values)


def sides(jens, anne):
    anne.refresh_from_db()
    item = jens.card("Anne Holm")
    return (anne.job_title, item["jobTitle"]), (anne.country, item["businessAddress"]["countryOrRegion"])


@pytest.mark.parametrize("at_once", [False, True], ids=["afterwards", "at the same time"])
def test_what_the_crm_cannot_take_is_not_overwritten_by_an_edit_of_the_crm(jens, anne, at_once):
    in_outlook(jens, jobTitle=LONG, businessAddress=NARNIA)
    if not at_once:
        assert {row["reason"] for row in jens.sync()["changes"]} == {"not_understood"}
    edit(anne, job_title="Head", country="SE", city="Aarhus")
    settle(jens)
    assert sides(jens, anne) == (("Head", LONG), ("SE", "Narnia"))
    assert jens.card("Anne Holm")["businessAddress"]["city"] == "Aarhus"
    assert jens.sync(full=True)["changes"] == []
    (difference,) = jens.verify()["differences"]
    assert (difference["cause"], difference["fields"]["country"]) == ("left_out", ["SE", "Narnia"])


def test_an_edit_of_the_crm_that_waited_goes_to_outlook_when_the_old_value_is_there_again(jens, anne):
    in_outlook(jens, jobTitle=LONG)
    jens.sync()
    edit(anne, job_title="Head", city="Aarhus")
    settle(jens)
    in_outlook(jens, jobTitle="Buyer")
    settle(jens)
    assert sides(jens, anne)[0] == ("Head", "Head")
    assert not ContactLink.objects.left_out().exists()


def test_an_edit_of_the_crm_that_waited_and_a_mended_value_are_a_conflict_like_any_other(jens, anne):
    in_outlook(jens, jobTitle=LONG)
    jens.sync()
    edit(anne, job_title="Head")
    settle(jens)
    in_outlook(jens, jobTitle="Head of everything")
    (change,) = jens.sync()["changes"]
    assert change["conflicts"]["job_title"] | {"kept": ""} == {
        "base": "Buyer", "crm": "Head", "outlook": "Head of everything", "kept": "",
    }  # fmt: skip
    settle(jens)
    assert sides(jens, anne)[0] == ("Head", "Head")


def test_a_mended_value_comes_into_the_crm(jens, anne):
    in_outlook(jens, jobTitle=LONG, businessAddress=NARNIA)
    settle(jens)
    in_outlook(jens, jobTitle="Head", businessAddress={"countryOrRegion": "Norge"})
    settle(jens)
    assert sides(jens, anne) == (("Head", "Head"), ("NO", "Norge"))


def test_whoever_is_put_back_comes_with_what_the_crm_holds_by_then(jens, anne):
    in_outlook(jens, jobTitle=LONG)
    jens.sync()
    edit(anne, job_title="Head")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    jens.sync()
    jens.sync(full=True)
    assert sides(jens, anne)[0] == ("Head", "Head")
    assert quiet(jens)


def test_a_note_of_the_owners_that_is_too_long_for_the_crm_is_never_overwritten(jens, anne):
    jens.change(sync_notes=True)
    own = ("My own. " * 5000).strip()
    in_outlook(jens, personalNotes=own)
    settle(jens)
    edit(anne, notes="From the CRM", city="Aarhus")
    settle(jens)
    assert jens.card("Anne Holm")["personalNotes"] == own


def emails(jens, anne):
    anne.refresh_from_db()
    held = [entry["address"] for entry in jens.card("Anne Holm")["emailAddresses"]]
    return [text for text in (anne.email, anne.email_2, anne.email_3) if text], held


def test_an_address_that_cannot_be_one_leaves_the_whole_list_alone(jens, anne):
    """Otherwise the good address, which it has moved on, would be in the CRM twice."""
    in_outlook(jens, emailAddresses=[{"address": "no address"}, {"address": EMAIL}])
    settle(jens)
    assert emails(jens, anne) == ([EMAIL], ["no address", EMAIL])
    edit(anne, email_2="private@fabrikam.example")
    settle(jens)
    assert emails(jens, anne) == ([EMAIL, "private@fabrikam.example"], ["no address", EMAIL])
    in_outlook(jens, emailAddresses=[{"address": EMAIL}])
    settle(jens)
    assert emails(jens, anne) == ([EMAIL, "private@fabrikam.example"],) * 2


def test_a_name_of_which_a_part_is_too_long_for_the_crm_keeps_its_display_name(jens, anne):
    first = "Anne" * 30
    item_id = jens.card("Anne Holm")["id"]
    in_outlook(jens, givenName=first, displayName=f"{first} Holm")
    jens.sync()
    edit(anne, surname="Berg", city="Aarhus")
    settle(jens)
    (item,) = jens.outlook.contacts()
    assert (item["displayName"], item["surname"]) == (f"{first} Holm", "Holm")
    assert item["businessAddress"]["city"] == "Aarhus"
    jens.outlook.edit(item_id, givenName="Anna")
    settle(jens)
    anne.refresh_from_db()
    assert anne.name == "Anna Berg" and jens.card("Anna Berg")["surname"] == "Berg"


@pytest.mark.parametrize("known", [True, False], ids=["paired", "new"])
def test_what_is_kept_out_at_first_sight_is_told_by_that_sync_and_once(jens, known):
    if known:
        PersonFactory(first_name="Anne", surname="Holm", email=EMAIL, job_title="Buyer")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(FOLDER, **outlook_person("Anne", "Holm", EMAIL, jobTitle=LONG))
    told = [[row["reason"] for row in jens.sync()["changes"] if row["action"] == "skip"] for _ in range(2)]
    assert told == [["too_long"], []]
    assert ContactLink.objects.get().problem == "too_long"
    assert jens.sync(full=True)["changes"] == []
