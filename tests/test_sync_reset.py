"""After a reset the next sync pairs everything again, whatever had been going on."""

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.erasing import erase
from crmsync.sync.erasures import CopyOutcome, ErasedCopy
from crmsync.sync.models import SyncRun
from crmsync.sync.reset import reset_links
from crmsync.sync.runs import cancel
from tests.crash import Death, time_passes
from tests.factories import AdministratorFactory, PersonFactory
from tests.scene import FOLDER, NOTHING, Salesperson, edit, outlook_person
from tests.test_sync_unheard import Meanwhile, die


def test_after_a_reset_the_next_sync_pairs_everything_again_and_makes_nothing_twice(jens: Salesperson) -> None:
    people = PersonFactory.create_batch(3)
    jens.sync()
    jens.outlook.add("Business Central", **outlook_person("Bo", "Chen", "bo@customer.example"))
    jens.sync()
    before, contacts = jens.names(), Contact.objects.count()

    reset_links(jens.setup)
    report = jens.sync()

    assert report["outcome"] == "done" and report["crm"] == NOTHING
    assert report["outlook"]["created"] == report["outlook"]["deleted"] == 0
    assert jens.names() == before and Contact.objects.count() == contacts
    assert jens.setup.links.filter(state=LinkState.LINKED).count() == 4
    edit(people[0], job_title="CEO")
    assert jens.sync()["outlook"] == {"created": 0, "updated": 1, "deleted": 0}


def test_what_the_user_removed_in_outlook_stays_out_after_a_reset(jens: Salesperson) -> None:
    kept, removed = PersonFactory(name="Kept"), PersonFactory(first_name="Removed", surname="One", name="Removed One")
    jens.sync()
    jens.outlook.remove(jens.card("Removed One")["id"])
    jens.sync()

    reset_links(jens.setup)
    jens.sync()

    assert "Removed One" not in jens.names() and len(jens.names()) == 1
    assert Contact.objects.alive().filter(pk__in=[kept.pk, removed.pk]).count() == 2


def test_where_the_two_differ_after_a_reset_the_crm_wins_and_the_log_keeps_the_other(jens: Salesperson) -> None:
    anne = PersonFactory(first_name="Anne", surname="Lund", name="Anne Lund", mobile_phone="1111")
    jens.sync()
    jens.outlook.edit(jens.card("Anne Lund")["id"], mobilePhone="2222")

    reset_links(jens.setup)
    report = jens.sync()

    anne.refresh_from_db()
    assert anne.mobile_phone == "1111" and jens.card("Anne Lund")["mobilePhone"] == "1111"
    assert "2222" in str([change["fields"] | change["conflicts"] for change in report["changes"]])


@pytest.mark.django_db(transaction=True)
def test_a_copy_of_an_erased_person_that_may_have_been_made_is_found_after_a_reset(jens: Salesperson) -> None:
    """The run died while it created the item; nothing but the marker finds it."""
    jens.outlook.create_folder(FOLDER)
    contact = PersonFactory()
    with pytest.raises(Death), Meanwhile(jens, "after POST", die).at_work():
        jens.sync()
    time_passes()
    assert len(jens.names()) == 1
    erase(contact, by=AdministratorFactory())
    for waiting in SyncRun.objects.open():
        cancel(waiting)

    reset_links(jens.setup)
    jens.sync()

    assert jens.names() == [] and ErasedCopy.objects.get().outcome == CopyOutcome.REMOVED
