"""A crash at every step: whatever the moment, the next runs bring both sides to where an undisturbed run would have."""

import pytest
from django.db import connection

from contacts import merging
from contacts.models import Contact
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactPreference, SyncRun
from tests.compare import both_sides, differences, settle
from tests.crash import Death, Reaper, World, different_deaths, small_batches, time_passes  # noqa: F401
from tests.factories import CompanyFactory, PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = {
    "middle_name": "M", "initials": "AMH", "title": "Dr", "job_title": "Head", "department": "Sales", "phone": "1",
    "phone_2": "2", "mobile_phone": "3", "home_phone": "4", "fax": "5", "home_page": "https://f.example",
    "address": "A 1", "address_2": "B\nC", "city": "Aarhus", "county": "Jutland", "post_code": "8000", "country": "DK",
    "notes": "n", "email_2": "a2@f.example", "email_3": "a3@f.example",
}  # fmt: skip


def person(name, **values):
    return PersonFactory(first_name=name, surname="Crm", email=f"{name.lower()}@crm.example", **values)


def before_the_first_sync(jens: Salesperson) -> None:
    """Both sides are full of people, some of them the same."""
    jens.change(contact_filter={"territory": "<>OUT"}, left_filter_rule="remove", sync_notes=True)
    CompanyFactory(name="Fabrikam")
    person("Anne", **EVERYTHING)
    for name in ("Bo", "Carl", "Dora", "Emil", "Fie", "Gert", "Hans", "Mona", "Nina", "Otto"):
        person(name, fax=f"fax of {name}", notes=f"about {name}")
    person("Nomail").write({"email": ""}, by=None)
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add_many(
        FOLDER,
        [
            outlook_person("Annie", "Outlook", "ANNE@crm.example", categories=["Golf"], nickName="An", mobilePhone="9"),
            outlook_person("Ida", "Outlook", "ida@o.example", companyName="Fabrikam", spouseName="Jo", **fax("77")),
            outlook_person("Jan", "Outlook", "jan@o.example", homePhones=["1", "2"]),
            outlook_person("Ida", "Again", "ida@o.example"),
            {"givenName": "Without", "surname": "Mail"},
            outlook_person("Secret", "Friend", "secret@o.example", **private()),
        ],
    )


def fax(number):
    return {"singleValueExtendedProperties": [{"id": "String 0x3A24", "value": number}]}


def private():
    return {"singleValueExtendedProperties": [{"id": "Integer 0x36", "value": "2"}]}


def before_the_second(jens: Salesperson) -> None:
    """Everything that can happen to a pair has happened to one."""
    by_name = {contact.first_name: contact for contact in Contact.objects.all()}
    card = {item["givenName"]: item["id"] for item in jens.outlook.contacts()}
    edit(by_name["Anne"], phone="11", fax="55", city="")
    jens.outlook.edit(card["Anne"], department="Purchase")
    jens.outlook.edit(card["Ida"], jobTitle="Boss", **fax("78"))
    edit(by_name["Bo"], job_title="the CRM's")
    jens.outlook.edit(card["Bo"], jobTitle="Outlook's")
    by_name["Carl"].trash(by=None)
    jens.outlook.remove(card["Dora"])
    jens.outlook.remove(card["Emil"])
    edit(by_name["Emil"], job_title="edited")
    by_name["Fie"].trash(by=None)
    jens.outlook.edit(card["Fie"], jobTitle="edited")
    edit(by_name["Gert"], territory="OUT")
    jens.outlook.edit(card["Gert"], jobTitle="kept in the CRM", department="kept too")
    jens.outlook.move(card["Hans"], "Contacts")
    jens.outlook.move(card["Hans"], FOLDER)
    merging.merge(by_name["Nomail"], [by_name["Mona"]], {"email": "mona@crm.example", "phone": "1"}, by=None)
    merging.merge(by_name["Nina"], [by_name["Otto"]], {"email_2": "otto@crm.example"}, by=None)
    person("Kim", fax="6")
    jens.outlook.add(**outlook_person("Lis", "Outlook", "lis@o.example", **fax("8")))


def before_the_full_one(jens: Salesperson) -> None:
    """What the user removed is to be put back; a contact is wanted in spite of the filter, another one no more."""
    by_name = {contact.first_name: contact for contact in Contact.objects.all()}
    ContactPreference.objects.create(setup=jens.setup, contact=by_name["Gert"], choice="always")
    ContactPreference.objects.create(setup=jens.setup, contact=by_name["Kim"], choice="never")
    edit(by_name["Lis"], middle_name="M")
    merging.unmerge(by_name["Nomail"].changes.filter(source="merge").first().reference, by=None)
    jens.outlook.expire_links()


STAGES = [(before_the_first_sync, False), (before_the_second, False), (before_the_full_one, True)]


def goes_on(jens: Salesperson, turn: int, full: bool) -> None:
    """By turns: somebody asks for a new run, or the sweep has a worker take the dead one over."""
    time_passes()
    dead = SyncRun.objects.open().first()
    if dead is not None and turn % 2:
        perform(dead.pk, budget=float("inf"))
    else:
        jens.sync(full=full)
    time_passes()
    settle(jens)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("stage_number", range(len(STAGES)))
def test_a_crash_at_any_step_changes_nothing_in_the_end(jens, sandbox_server, stage_number):
    for happened, full in STAGES[:stage_number]:
        happened(jens)
        jens.sync(full=full)
        settle(jens)
    happened, full = STAGES[stage_number]
    happened(jens)
    world = World(str(sandbox_server.sandbox.store.path))
    reaper = Reaper(jens.tenant)
    with reaper.at_work():
        assert jens.sync(full=full)["outcome"] == "done"
    settle(jens)
    expected, steps = both_sides(jens), reaper.steps
    assert len(steps) > 20
    every = 1 if connection.vendor == "sqlite" else 3  # there restoring the world takes long, and a step is a step
    for turn, number in enumerate(different_deaths(steps)[::every]):
        around = steps[max(0, number - 3) : number + 2]
        world.restore()
        with pytest.raises(Death), Reaper(jens.tenant, number).at_work():
            jens.sync(full=full)
        goes_on(jens, turn, full)
        assert differences(expected, both_sides(jens)) == [], f"died at {number}: {around}"
