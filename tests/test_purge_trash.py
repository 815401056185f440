"""The trash empties itself after 30 days, but never under an Outlook that still has somebody."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from contacts import merging
from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.jobs import purge_trash
from crmsync.sync.models import ContactLink, SyncChange
from tests.factories import ChangeFactory, CompanyFactory, LinkFactory, PersonFactory
from tests.scene import FOLDER, outlook_person

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=30, minutes=1)


def trashed(contact, ago=LONG_AGO):
    contact.trash(by=None)
    Contact.objects.filter(pk=contact.pk).update(deleted_at=timezone.now() - ago)
    return contact


def purge():
    out = StringIO()
    call_command("purge_trash", stdout=out)
    return int(out.getvalue().split()[0])


def test_who_was_in_the_trash_for_30_days_is_gone_and_nobody_else():
    trashed(PersonFactory(first_name="Anne"))
    trashed(PersonFactory(first_name="Bo"), ago=timedelta(days=29))
    PersonFactory(first_name="Carl")
    assert (purge(), purge()) == (1, 0)
    assert set(Contact.objects.values_list("first_name", flat=True)) == {"Bo", "Carl"}


def test_what_a_run_did_stays_on_record():
    anne = PersonFactory(first_name="Anne", surname="Holm")
    change = ChangeFactory(contact=anne)
    trashed(anne)
    assert purge() == 1
    change = SyncChange.objects.get(pk=change.pk)
    assert (change.contact, change.name) == (None, "Anne Holm")


def test_a_company_goes_after_its_people_and_not_before():
    company = CompanyFactory()
    anne = trashed(PersonFactory(company=company))
    trashed(company)
    Contact.objects.filter(pk=anne.pk).update(deleted_at=timezone.now())
    assert purge() == 0
    trashed(Contact.objects.get(pk=anne.pk))
    assert purge() == 2


@pytest.mark.parametrize("state", [LinkState.LINKED, LinkState.CREATING])
def test_who_is_in_an_outlook_still_stays(state):
    link = LinkFactory(state=state)
    trashed(link.contact)
    assert purge() == 0
    ContactLink.objects.update(state=LinkState.REMOVED)
    assert purge() == 1


def test_who_would_come_back_as_somebody_new_stays(jens):
    anne = trashed(PersonFactory(email="one@x.example", email_2="Anne@x.example"))
    jens.outlook.create_folder("Business Central")
    item = jens.outlook.add("Business Central", **outlook_person("Anne", "Holm", "anne@x.example"))
    jens.sync()
    assert purge() == 0
    jens.outlook.remove(item["id"])
    jens.sync()
    assert (purge(), Contact.objects.filter(pk=anne.pk).exists()) == (1, False)


def test_a_copy_that_stays_by_the_rule_keeps_its_contact_until_it_is_gone(jens):
    anne = PersonFactory(first_name="Anne")
    jens.change(trashed_rule="keep")
    jens.sync()
    trashed(anne)
    jens.sync()
    assert purge() == 0
    jens.change(trashed_rule="remove")
    jens.sync()
    assert purge() == 1
    assert jens.sync()["changes"] == []


def test_a_merge_whose_others_are_gone_stays_a_merge():
    one, two = PersonFactory(), PersonFactory()
    merging.merge(one, [two], {}, by=None)
    Contact.objects.filter(pk=two.pk).update(deleted_at=timezone.now() - LONG_AGO)
    assert purge() == 1
    with pytest.raises(merging.NotUndoable, match="no longer in the trash"):
        merging.unmerge(one.changes.first().reference, by=None)


def test_the_queue_looks_into_the_trash_once_a_day():
    call_command("setup_schedules", stdout=StringIO())
    call_command("setup_schedules", stdout=StringIO())
    schedule = Schedule.objects.get(func="crmsync.sync.jobs.purge_trash")
    assert schedule.schedule_type == Schedule.DAILY
    trashed(PersonFactory())
    assert purge_trash() == "deleted 1"


def test_the_card_says_until_when_it_is_kept(admin_client):
    anne = PersonFactory()
    anne.trash(by=None)
    assert "It is kept until" in admin_client.get(f"/contacts/{anne.number}/").content.decode()
    assert "kept for 30 days" in admin_client.get("/contacts/?trash=1").content.decode()


@pytest.mark.parametrize(("name", "purged"), [("Dam", 0), ("Berg", 1)])
def test_nobody_goes_while_an_item_of_theirs_has_their_email_in_another_place(jens, name, purged):
    """By their name and a second e-mail it is theirs, and would come back as somebody new; a colleague's is not."""
    trashed(PersonFactory(first_name="Anne", surname="Dam", email="anne@dam.example"))
    emails = [{"address": "new@dam.example"}, {"address": "anne@dam.example"}]
    jens.change(new_contact_rule="hold")
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(FOLDER, givenName="Anne", surname=name, emailAddresses=emails)
    jens.sync()
    assert purge() == purged
    jens.change(new_contact_rule="add")
    jens.sync()
    assert Contact.objects.alive().count() == purged
