"""Any history with people in it: merged in the CRM, made anew in Outlook, known by several e-mails, kept private.

Most of it is what an owner does by hand to an item that the sync knows, and what the CRM cannot take.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from contacts import merging
from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import approve
from exchange_setup.graph.properties import SENSITIVITY
from exchange_setup.models import ExchangeSync
from tests import machine_partings
from tests.crash import KEPT, Death, Reaper
from tests.machine import CRM_FIELDS, EMAIL, FIGURES, PICK, WHO, extended
from tests.oracle_notes import folder_of, outlook_values

DAYS = timedelta(days=2)
LONG = "x" * 160  # no job title in the CRM is as long as that
INTERRUPTIONS = ["dies", "refuses", "meanwhile", "held"]


class Histories(machine_partings.Histories):
    """People among all the rest."""

    # --- Made anew --------------------------------------------------------------------------------------------------

    @rule(who=WHO, pick=PICK, waits=st.booleans(), second=st.booleans(), shouts=st.booleans())
    def make_anew(self, who: int, pick: int, waits: bool, second: bool, shouts: bool) -> None:
        """The owner cuts an item and makes it again by hand, perhaps with the known e-mail in the second place."""
        item = self.item(who, pick)
        own = self.notes.brought_back | self.notes.erased  # what an owner makes of these is for them to answer for
        if item is None or not item["emailAddresses"] or item["initials"] in own:
            return
        self.notes.taken_away.add(item["id"])
        self.people[who].outlook.remove(item["id"])
        if waits:
            self.sync(who)
            if any(item["initials"] == it["initials"] for it in folder_of(self.people[who]).values()):
                return  # an edit has put them back; nobody makes another one beside that
        else:
            self.notes.replaced.add(item["id"])
        self.notes.made_anew.add(item["initials"])
        address = outlook_values(item)["emails"][0]
        emails = [self.unused_email()] if second else []
        emails.append(address.upper() if shouts else address)
        self.add_item(
            who, givenName=item["givenName"], surname=item["surname"], initials=item["initials"],
            displayName=item["displayName"], emailAddresses=[{"address": email} for email in emails],
        )  # fmt: skip
        FIGURES["made anew"] += 1

    def add_item(self, who: int, **values: Any) -> dict[str, Any]:
        added = self.people[who].outlook.add(self.folder_name(who), **values)
        self.notes.theirs.add(added["id"])
        return added

    def unused_email(self) -> str:
        return f"{self.unique('x')}@crm.example"

    # --- Several e-mails, names in one piece, values that the CRM does not take ---------------------------------------

    @rule(pick=PICK, email=EMAIL, place=st.sampled_from(["email_2", "email_3"]), clears=st.booleans())
    def edit_another_email(self, pick: int, email: int, place: str, clears: bool) -> None:
        address = "" if clears else f"P{email}@crm.example"
        contact = self.person(pick)
        if contact and address.lower() not in (contact.email.lower(), contact.email_2.lower(), contact.email_3.lower()):
            self.note_email(contact.initials)
            contact.write({place: address}, by=None)

    @rule(who=WHO, email=EMAIL)
    def new_item_with_its_name_in_one_piece(self, who: int, email: int) -> None:
        self.add_item(
            who, displayName=f"{self.written()} {self.unique('s')}", initials=self.unique("i"),
            emailAddresses=[{"address": f"p{email}@crm.example"}],
        )  # fmt: skip

    @rule(who=WHO, pick=PICK, then=st.sampled_from(["", "sync", "edit", "trash"]))
    def write_what_the_crm_cannot_take(self, who: int, pick: int, then: str) -> None:
        """A job title that is too long; and perhaps the CRM's is edited."""
        if (item := self.item(who, pick)) is None:
            return
        title = self.unique() + LONG
        self.notes.write(item["jobTitle"] or "", title)
        self.people[who].outlook.edit(item["id"], jobTitle=title)
        self.notes.theirs.add(item["id"])
        if then == "sync":
            self.sync(who)
        for contact in Contact.objects.alive().filter(initials=item["initials"])[:1]:
            if then in ("sync", "edit"):
                self.notes.write(contact.job_title, new := self.unique())
                contact.write({"job_title": new}, by=None)

    @rule(who=WHO, pick=PICK, number=st.integers(0, 2))
    def edit_home_phones(self, who: int, pick: int, number: int) -> None:
        """The second one has no place in the CRM."""
        if (item := self.item(who, pick)) is not None:
            self.notes.overwritten.update(item["homePhones"])
            self.people[who].outlook.edit(item["id"], homePhones=[self.written() for _ in range(number)])
            self.notes.theirs.add(item["id"])

    @rule(pick=PICK, clears=st.booleans())
    def edit_home_phone(self, pick: int, clears: bool) -> None:
        if (contact := self.person(pick)) is not None:
            self.notes.write(contact.home_phone, new := "" if clears else self.unique())
            contact.write({"home_phone": new}, by=None)

    # --- Merges -----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, other=PICK, name=st.sampled_from(["", "email", "email_2", *CRM_FIELDS]))
    def merge(self, pick: int, other: int, name: str) -> None:
        """Whoever merges sees both, and takes one value of the other's, or none."""
        alive = list(Contact.objects.alive().persons().order_by("pk"))
        if len(alive) < 2:
            return
        survivor = alive.pop(pick % len(alive))
        gone = alive[other % len(alive)]
        values = {} if not name else {name: gone.email if name == "email_2" else getattr(gone, name)}
        if name and not any(values.values()):
            return
        self.notes.overwritten |= {getattr(survivor, field) for field in CRM_FIELDS if field in values}
        self.notes.trashed.add(gone.initials)
        self.notes.merged |= {survivor.initials, gone.initials}
        merging.merge(survivor, [gone], values, by=None)
        FIGURES["merges"] += 1

    @rule(pick=PICK)
    def undo_a_merge(self, pick: int) -> None:
        gone = list(Contact.objects.exclude(merged_into=None).order_by("pk"))
        if gone:
            change = gone[pick % len(gone)].changes.filter(source="merge").latest("pk")
            with suppress(merging.NotUndoable):
                merging.unmerge(change.reference, by=None)
                FIGURES["merges undone"] += 1

    @rule()
    def days_pass(self) -> None:
        """Everything that was done so far was done two days earlier."""
        for model in KEPT:
            moments = [it.attname for it in model._meta.concrete_fields if isinstance(it, models.DateTimeField)]
            if moments:
                model._base_manager.update(**{name: F(name) - DAYS for name in moments})

    # --- The same on both sides, and then somebody else ---------------------------------------------------------------

    @rule(who=WHO, pick=PICK, what=st.sampled_from(INTERRUPTIONS), at=st.integers(1, 8))
    def pair_with_its_like(self, who: int, pick: int, what: str, at: int) -> None:
        """An item that equals a contact is paired, something comes between, and its owner makes it somebody else's."""
        contact = self.person(pick)
        if contact is None or contact.is_trashed or not contact.email or not self.clear_away(who):
            return
        if any(contact.initials == item["initials"] for item in folder_of(self.people[who]).values()):
            return
        item = self.add_item(who, **as_item(contact))
        self.notes.made_anew.add(contact.initials)
        if what == "held":
            self.trash(pick + 1)
        becomes = {"initials": self.unique("i"), "emailAddresses": [{"address": self.unused_email()}]}
        done: list[bool] = []
        self.interrupt(who, what, at, lambda: done.append(self.make_somebody_else(who, item["id"], contact, becomes)))
        done.append(self.make_somebody_else(who, item["id"], contact, becomes))
        self.sync(who)
        now = folder_of(self.people[who]).get(item["id"], becomes)
        if any(done):
            assert now["initials"] == becomes["initials"], f"{becomes['initials']} became {contact.initials}"

    def interrupt(self, who: int, what: str, at: int, deed: Callable[[], None]) -> None:
        if what == "refuses":
            self.tenant.faults.add("status", status=503, match=r"PATCH ", times=0)
        if what == "held":
            with override_settings(SYNC_DELETE_LIMIT=0, SYNC_DELETE_PERCENT=0, SYNC_OVERWRITE_PERCENT=0):
                self.people[who].sync()
            return
        reaper = Reaper(
            self.tenant, {"dies": 3 * at, "meanwhile": at}.get(what, 0), deed if what == "meanwhile" else None
        )
        with suppress(Death), reaper.at_work():
            self.people[who].sync()
        self.tenant.faults.clear()

    def make_somebody_else(self, who: int, item_id: str, contact: Contact, becomes: dict[str, Any]) -> bool:
        """Only while nothing of ours is on it: what is paired is the contact, whatever its owner makes of it."""
        item = folder_of(self.people[who]).get(item_id)
        if not item or item["categories"] or item["initials"] != contact.initials:
            return False
        self.notes.stays.add(contact.initials)
        first, last = self.unique(), self.unique("s")
        names = {"givenName": first, "surname": last, "displayName": f"{first} {last}"}
        self.people[who].outlook.edit(item_id, **names, **becomes)
        FIGURES["became somebody else"] += 1
        return True

    # --- What stays with its owner ------------------------------------------------------------------------------------

    @rule(who=WHO, pick=PICK, private=st.booleans())
    def mark_private(self, who: int, pick: int, private: bool) -> None:
        """With a job title that is nobody else's business while it is."""
        if (item := self.item(who, pick)) is None:
            return
        known, change = item["jobTitle"] or "", {}
        self.notes.secret = {key: text for key, text in self.notes.secret.items() if text != known}
        if private:
            self.notes.overwritten.add(known)
            self.notes.secret[item["id"]] = change["jobTitle"] = self.unique()
        marked = [{"id": SENSITIVITY, "value": "2" if private else "0"}]
        self.people[who].outlook.edit(item["id"], singleValueExtendedProperties=marked, **change)
        self.notes.theirs.add(item["id"])

    @rule(who=WHO, says=st.booleans())
    def change_whether_notes_go(self, who: int, says: bool) -> None:
        if says:
            self.notes.unsaid.get(self.people[who].outlook.email, set()).difference_update(
                Contact.objects.values_list("notes", flat=True)
            )
        self.people[who].change(sync_notes=says)

    @rule(pick=PICK)
    def edit_notes(self, pick: int) -> None:
        if (contact := self.person(pick)) is None:
            return
        text = self.unique()
        contact.write({"notes": text}, by=None)
        for person in self.people:
            if not ExchangeSync.objects.filter(pk=person.setup.pk, sync_notes=True).exists():
                self.notes.unsaid.setdefault(person.outlook.email, set()).add(text)

    @rule(who=WHO, pick=PICK)
    def write_own_notes(self, who: int, pick: int) -> None:
        if (item := self.item(who, pick)) is not None:
            self.notes.own.setdefault(item["id"], {})["personalNotes"] = (text := self.unique("o"))
            self.people[who].outlook.edit(item["id"], personalNotes=text)
            self.notes.theirs.add(item["id"])

    # --- A word on a contact while a run waits ------------------------------------------------------------------------

    @rule(who=WHO, pick=PICK, choice=st.sampled_from(["always", "never"]))
    def say_never_of_somebody_who_waits(self, who: int, pick: int, choice: str) -> None:
        """What is said while a plan waits holds, whoever approves the plan afterwards."""
        self.deed(who, pick + 1, "remove")()
        with override_settings(SYNC_DELETE_LIMIT=0, SYNC_DELETE_PERCENT=0, SYNC_OVERWRITE_PERCENT=0):
            self.sync(who)
        held = SyncRun.objects.filter(setup=self.people[who].setup, outcome=Outcome.HELD).first()
        contact = self.person(pick)
        if held is None or contact is None:
            return
        self.prefer(who, pick, choice)
        before = folder_of(self.people[who])
        approve(held, None)
        perform(held.pk, budget=float("inf"))
        changed = before.keys() ^ folder_of(self.people[who]).keys()
        now = before | folder_of(self.people[who])
        against = [now[key]["initials"] for key in changed if (key in before) == (choice == "always")]
        if choice == "always" and (contact.is_trashed or contact.privacy_blocked):
            return
        assert contact.initials not in against, f"{choice} was said of {contact.initials}, in vain"


def as_item(contact: Contact) -> dict[str, Any]:
    """A contact as its like in Outlook, but for what only the CRM knows."""
    emails = [text for text in (contact.email, contact.email_2, contact.email_3) if text]
    street = [contact.address, contact.address_2]
    return {
        "givenName": contact.first_name, "surname": contact.surname, "initials": contact.initials,
        "displayName": f"{contact.first_name} {contact.surname}", "jobTitle": contact.job_title,
        "emailAddresses": [{"address": text} for text in emails],
        "businessPhones": [text for text in (contact.phone, contact.phone_2) if text],
        "homePhones": [contact.home_phone] if contact.home_phone else [],
        "businessAddress": {"city": contact.city, "street": "\n".join(filter(None, street))},
        "singleValueExtendedProperties": extended(fax=contact.fax),
    }  # fmt: skip
