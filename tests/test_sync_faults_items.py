"""Trouble with single items, and everything about Exchange that nobody knows for sure, both ways."""

import time

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink
from exchange_setup.graph.properties import FAX, SENSITIVITY
from tests.compare import settle
from tests.crash import time_passes
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, fax_of, outlook_person
from tests.test_sync_faults import is_well, scene  # noqa: F401

pytestmark = pytest.mark.django_db

ONE_BY_ONE = r"GET /contacts/(?!delta)[^/?]+\?"


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@crm.example", fax="123")


def having(**values):
    names = {"fax": FAX, "sensitivity": SENSITIVITY}
    return {"singleValueExtendedProperties": [{"id": names[name], "value": value} for name, value in values.items()]}


@pytest.mark.parametrize(
    "switches",
    [
        {"if_match": False}, {"second_write": True}, {"bare_removed": True}, {"trailing_empty_page": True},
        {"deleted_visible": False}, {"folder_enforced": True}, {"address_merge": True}, {"moved_back_hole": False},
        {"rebuild_display_name": "always"}, {"rebuild_display_name": "never"}, {"extended_ids": "upper_guid"},
        {"batch_strict": True}, {"empty_birthday": "0001-01-01T08:00:00Z"}, {"visibility_polls": 2},
        {"page_size": 1, "list_cap": 1}, {"unknown_properties": "ignore"}, {"list_default_folder": True},
        {"throttle": True, "concurrency": 2}, {"delta_expand": True}, {"generations": 1}, {"patch_parent": "refuse"},
    ],
    ids=lambda switches: "+".join(f"{name}={value}" for name, value in switches.items()),
)  # fmt: skip
def test_the_engine_is_right_whichever_way_exchange_works(scene, switches):  # noqa: F811
    scene.tenant.settings(**switches)
    for _ in range(4):
        assert scene.sync()["outcome"] == "done"
        time_passes()
    scene.tenant.settings(visibility_polls=0, trailing_empty_page=False)
    is_well(scene)


@pytest.mark.parametrize("polls", [1, 3, 6])
def test_a_create_whose_answer_is_lost_and_that_shows_late_is_not_made_twice(jens, anne, polls):
    jens.sync()
    PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example", fax="5")
    jens.tenant.settings(visibility_polls=polls)
    jens.tenant.faults.add("lost")
    for _ in range(6):
        jens.sync()
    jens.tenant.settings(visibility_polls=0)
    settle(jens)
    assert jens.names() == ["Anne Holm", "Bo Chen"]
    assert Contact.objects.count() == 2
    assert ContactLink.objects.filter(state=LinkState.LINKED).count() == 2


def test_an_item_of_ours_that_shows_before_its_marker_does_is_no_new_person(jens, anne):
    jens.sync()
    bo = PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example")
    jens.tenant.faults.add("lost")
    jens.tenant.faults.add("status", status=200, match=r"GET \$filter=", times=2)
    jens.sync()
    edit(bo, email="bo.chen@crm.example")  # so that the item cannot be told by its e-mail either
    jens.sync()
    assert Contact.objects.count() == 2
    jens.tenant.faults.clear()
    time_passes()
    settle(jens)
    assert (Contact.objects.count(), jens.names()) == (2, ["Anne Holm", "Bo Chen"])


# Items that cannot be read ------------------------------------------------------------------------------------------


def test_what_may_be_private_stays_out_until_it_is_known_that_it_is_not(jens, anne):
    jens.sync()
    jens.outlook.add(**outlook_person("Secret", "Friend", "secret@o.example"), **having(sensitivity="2"))
    jens.outlook.add(**outlook_person("Eva", "Outlook", "eva@o.example"), **having(fax="9"))
    jens.tenant.faults.add("status", status=500, code="ErrorCorruptData", match=ONE_BY_ONE, times=0)
    assert jens.sync()["outcome"] == "done"
    assert Contact.objects.count() == 1
    assert jens.sync()["changes"] == []
    jens.tenant.faults.clear()
    report = jens.sync()
    assert (report["crm"]["created"], Contact.objects.get(name="Eva Outlook").fax) == (1, "9")
    settle(jens)
    assert not Contact.objects.filter(name="Secret Friend").exists()


def test_what_is_no_longer_private_comes_in(jens, anne):
    jens.sync()
    item = jens.outlook.add(**outlook_person("Secret", "Friend", "secret@o.example"), **having(sensitivity="2"))
    jens.sync()
    jens.outlook.edit(item["id"], **having(sensitivity="0"))
    assert jens.sync()["crm"]["created"] == 1
    settle(jens)


def test_one_item_that_cannot_be_verified_does_not_stop_the_others(jens, anne):
    PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example")
    jens.sync()
    edit(anne, phone="1")
    jens.outlook.remove(jens.card("Bo Chen")["id"])
    jens.tenant.faults.add("status", status=500, code="ErrorCorruptData", match=ONE_BY_ONE, times=0)
    report = jens.sync()
    assert (report["outcome"], report["outlook"]) == ("done", {"created": 0, "updated": 1, "deleted": 0})
    assert ContactLink.objects.get(contact__name="Bo Chen").problem == "broken"
    jens.tenant.faults.clear()
    jens.sync()
    link = ContactLink.objects.get(contact__name="Bo Chen")
    assert (link.state, link.problem) == (LinkState.REMOVED, "")
    settle(jens)


def test_extended_properties_without_their_ids_lose_no_fax_and_let_nothing_private_in(jens, anne):
    jens.sync()
    jens.tenant.settings(extended_ids="null")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Boss")
    jens.outlook.add(**outlook_person("Secret", "Friend", "secret@o.example"), **having(sensitivity="2"))
    assert jens.sync()["outcome"] == "done"
    anne.refresh_from_db()
    assert (anne.fax, Contact.objects.count()) == ("123", 1)
    jens.tenant.settings(extended_ids="as_sent")
    jens.sync(full=True)
    settle(jens)
    anne.refresh_from_db()
    assert (anne.fax, anne.job_title, Contact.objects.count()) == ("123", "Boss", 1)


def test_a_fax_number_that_is_too_long_for_the_crm_clears_nothing(jens, anne):
    jens.sync()
    jens.outlook.edit(jens.card("Anne Holm")["id"], **having(fax="9" * 100))
    assert jens.sync()["changes"][0]["reason"] == "too_long"
    edit(anne, phone="1")
    jens.sync()
    settle(jens)
    anne.refresh_from_db()
    assert (anne.fax, fax_of(jens.card("Anne Holm"))) == ("123", "9" * 100)


def test_a_refusal_is_forgotten_when_what_it_was_about_is_taken_back(jens, anne):
    jens.sync()
    jens.tenant.settings(text_limit=50)
    edit(anne, job_title="x" * 60)
    assert jens.sync()["changes"][0]["reason"] == "refused"
    edit(anne, job_title="")
    jens.sync()
    settle(jens)
    assert not ContactLink.objects.left_out().exists()


def test_who_was_removed_after_a_refusal_is_not_said_to_be_refused(jens, anne):
    jens.sync()
    jens.tenant.settings(text_limit=50)
    edit(anne, job_title="x" * 60)
    assert jens.sync()["changes"][0]["reason"] == "refused"
    edit(anne, job_title="")
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    settle(jens)
    link = ContactLink.objects.get()
    assert (link.state, link.problem) == (LinkState.REMOVED, "")


def test_who_was_taken_out_by_an_undo_is_not_said_to_be_broken_for_ever(jens, anne):
    """Asked after the removal of our own, Outlook once gave an answer that made no sense."""
    jens.sync()
    jens.undo()
    jens.tenant.faults.add("status", status=500, code="ErrorCorruptData", match=ONE_BY_ONE, times=0)
    jens.sync()
    assert ContactLink.objects.get().problem == "broken"
    jens.tenant.faults.clear()
    settle(jens)
    link = ContactLink.objects.get()
    assert (link.state, link.problem) == (LinkState.REMOVED, "")


# Items that went somewhere ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("went", ["removed", "purged", "moved", "with its folder"])
def test_an_update_of_what_is_gone_does_not_follow_it(jens, anne, went):
    """The edit in the CRM was made before the removal was read, so that the update meets an item that is elsewhere."""
    jens.sync()
    item = jens.card("Anne Holm")["id"]
    edit(anne, job_title="edited")
    {
        "removed": lambda: jens.outlook.remove(item),
        "purged": lambda: jens.outlook.purge(item),
        "moved": lambda: jens.outlook.move(item, "Contacts"),
        "with its folder": lambda: jens.outlook.delete_folder(FOLDER),
    }[went]()
    report = jens.sync()
    if went == "with its folder":
        assert (report["outcome"], report["error"]) == ("failed", "folder_gone")
        assert Contact.objects.alive().count() == 1
        return
    settle(jens)
    assert jens.card("Anne Holm")["jobTitle"] == "edited"  # an edit beats a removal: it was created again
    if went != "purged":
        assert jens.outlook.contact(item)["jobTitle"] is None
