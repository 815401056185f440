"""A salesperson's week, for tests that look at what became of it."""

from typing import Any

from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.decisions import Choice, decide_one
from crmsync.sync.engine import perform
from crmsync.sync.erasing import erase
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.previewing import leave, to_do
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory
from tests.scene import Salesperson, edit, outlook_person


def live(jens: Salesperson, settings: Any) -> None:
    """All that can happen to a contact has happened in the end, and the last sync waits for a word."""
    jens.change(enabled_at=timezone.now(), auto_sync=True, new_contact_rule="hold", contact_filter={"city": "A*|B*"})
    CompanyFactory(name="Fabrikam", city="Aarhus")
    for place in range(8):
        PersonFactory(first_name="P", surname=str(place), email=f"p{place}@crm.example", city="Aarhus")
    PersonFactory(first_name="No", surname="Mail", email="", city="Aarhus")
    jens.outlook.create_folder("Business Central")
    jens.outlook.add(**outlook_person("P", "0", "p0@crm.example", jobTitle="Boss"))
    jens.outlook.add(**outlook_person("Stranger", "One", "stranger@crm.example"))
    jens.outlook.add(**outlook_person("Nobody", "Knows", ""))
    jens.sync(preview=True)
    jens.sync()
    both_ways(jens)
    jens.undo()
    jens.sync()
    mia_erased(jens)
    jens.verify()
    previewed(jens)
    held(jens, settings)


def both_ways(jens: Salesperson) -> None:
    """One sync with an edit each way, a conflict, two removals, a new contact, and a field that does not fit."""
    people = {contact.surname: contact for contact in Contact.objects.filter(first_name="P")}
    edit(people["1"], job_title="Chief")
    jens.outlook.edit(jens.card("P 2")["id"], jobTitle="Buyer")
    edit(people["3"], job_title="One")
    jens.outlook.edit(jens.card("P 3")["id"], jobTitle="Another", department="Sales")
    people["4"].trash(by=None)
    jens.outlook.remove(jens.card("P 5")["id"])
    jens.outlook.edit(jens.card("P 6")["id"], jobTitle="x" * 300, department="Buying")
    PersonFactory(first_name="Q", surname="New", email="q@crm.example", city="Billund")
    decide_one(ContactLink.objects.get(outlook_name="Stranger One"), Choice.LET_IN)
    jens.outlook.add(**outlook_person("Stranger", "Two", "stranger2@crm.example"))
    jens.sync()


def mia_erased(jens: Salesperson) -> None:
    erase(Contact.objects.get(surname="7"), by=AdministratorFactory(authentication_email=""))
    perform(SyncRun.objects.open().get().pk, budget=float("inf"))


def previewed(jens: Salesperson) -> None:
    """A preview with one contact left out of it."""
    edit(Contact.objects.get(surname="1"), job_title="Chair")
    for name in ("R", "S"):
        PersonFactory(first_name=name, surname="New", email=f"{name}@crm.example", city="Billund")
    jens.outlook.edit(jens.card("P 2")["id"], jobTitle="y" * 300, department="Stock")
    jens.sync(preview=True)
    preview = SyncRun.objects.latest("pk")
    leave(preview, to_do(preview).filter(name="R New"), "not_now")


def held(jens: Salesperson, settings: Any) -> None:
    """A sync that is held: its filter takes only Billund now."""
    settings.SYNC_DELETE_LIMIT = 1
    jens.change(contact_filter={"city": "B*"}, left_filter_rule="remove")
    assert jens.sync()["outcome"] == "held"
