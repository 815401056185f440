"""Any history with partings in it: people who are erased, mailboxes that are disconnected, contacts handed over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from contacts.models import Contact
from contacts.reassigning import held_by, reassign
from crmsync.sync.choices import LinkState, Outcome
from crmsync.sync.engine import perform
from crmsync.sync.erasing import Reach, StillRunning, erase
from crmsync.sync.erasures import ErasedCopy
from crmsync.sync.leaving_form import KEEP, REMOVE, LeavingForm
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import NotReady, approve
from exchange_setup.models import ExchangeSync, LeftFilterRule
from tests import machine_undo
from tests.crash import Death, Reaper, time_passes
from tests.machine import CRM_FIELDS, FAULTS, FIGURES, PICK, WHO
from tests.machine_plans import MEANWHILE
from tests.oracle import flaws, passes
from tests.oracle_notes import everything_in, folder_of

HANDED_OVER: list[dict[str, str]] = [{}, {"territory": "NORTH"}]


class Histories(machine_undo.Histories):
    """Partings among all the rest. `away` are those whose mailbox is disconnected: nothing is done there."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[int] = set()
        self.last_handover: tuple[int, dict[str, str]] | None = None

    # --- Erasing ----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, who=st.none() | WHO)
    def erase(self, pick: int, who: int | None) -> None:
        """Perhaps just after a sync has made a copy."""
        time_passes()
        if who is not None:
            self.sync(who)
        self.erase_somebody(pick)

    def erase_somebody(self, pick: int) -> None:
        """All that only this person's card, history and journal say goes with them, and that is meant."""
        contact = self.person(pick)
        if contact is None:
            return
        reach = Reach(contact)
        cards = reach.people
        said = [row for conflicts in reach.journal.values_list("conflicts", flat=True) for row in conflicts.values()]
        going = {link.outlook_id for link in reach.copies} | set(self.items_of(contact))
        known = set(ContactLink.objects.values_list("outlook_id", flat=True))
        with suppress(StillRunning):
            erase(contact, by=None)
            FIGURES["erasures"] += 1
            self.notes.overwritten |= {text for row in said for text in row.values()}
            self.notes.overwritten |= {getattr(card, name) for card in cards for name in [*CRM_FIELDS, "home_phone"]}
            self.notes.taken_away |= going
            self.notes.stays.discard(contact.initials)
            stays = Contact.objects.filter(initials=contact.initials).exists()  # made anew with other e-mails
            if stays or going & self.notes.theirs - known:  # made by hand since the last sync, and stays by itself
                self.notes.brought_back.add(contact.initials)
            if contact.initials not in self.notes.brought_back:
                self.notes.erased.add(contact.initials)

    def items_of(self, contact: Contact) -> list[str]:
        everything = {key: item for person in self.people for key, item in everything_in(person).items()}
        return [key for key, item in everything.items() if item["initials"] == contact.initials]

    # --- Disconnecting ----------------------------------------------------------------------------------------------

    @rule(who=WHO)
    def disconnect_and_keep(self, who: int) -> None:
        if who not in self.away:
            time_passes()
            self.leave(who, KEEP)

    def leave(self, who: int, contacts: str) -> SyncRun | None:
        """As the page does it: with the number that it has shown."""
        setup = ExchangeSync.objects.select_related("user").get(pk=self.people[who].setup.pk)
        form = LeavingForm({"contacts": contacts, "count": LeavingForm(setup=setup).estate.removable}, setup=setup)
        if not form.is_valid():  # out of reach for the present
            assert contacts == REMOVE
            return self.leave(who, KEEP)
        run = form.save(setup.user)
        self.away.add(who)
        FIGURES[f"disconnected, to {contacts}"] += 1
        return run

    @rule(who=WHO, pick=PICK, what=st.sampled_from([*MEANWHILE, ""]), at=st.integers(0, 12), dies=st.booleans(),
          fault=st.none() | st.sampled_from(FAULTS))  # fmt: skip
    def disconnect_and_remove(
        self, who: int, pick: int, what: str, at: int, dies: bool, fault: dict[str, Any] | None
    ) -> None:
        """Somebody does something between the question and the removal; then it dies, or an item is edited under it."""
        if who in self.away:
            return
        self.sync(who)
        time_passes()
        run = self.leave(who, REMOVE)
        self.deed(who, pick, what)()
        if run is None:
            return
        if fault:
            self.tenant.faults.add(**fault)
        reaper = Reaper(self.tenant, at, None if dies else self.deed(who, pick, "outlook"))
        with self.only_ours_goes(who), suppress(Death), reaper.at_work():
            perform(run.pk, budget=float("inf"))
        self.tenant.faults.clear()

    @contextmanager
    def only_ours_goes(self, who: int) -> Iterator[None]:
        """A removal takes what the product made and nobody else wrote, and nothing from the CRM."""
        person, cards = self.people[who], Contact.objects.order_by("pk").values_list("pk", "version", "initials")
        items, known = folder_of(person), list(cards)
        yield
        gone = items.keys() - folder_of(person).keys()
        erased = set(ErasedCopy.objects.exclude(outlook_id="").values_list("outlook_id", flat=True))
        assert list(cards) == known
        assert not (gone - erased) & self.notes.theirs, [items[key]["initials"] for key in gone]
        assert {items[key]["initials"] for key in gone - erased} <= {initials for _, _, initials in known}
        self.notes.taken_away |= gone
        FIGURES["removed with a mailbox"] += len(gone)

    @rule(who=WHO)
    def connect_again(self, who: int) -> None:
        """A removal that died under its worker is ended first."""
        if who in self.away:
            self.end_removal(who)
            self.away.remove(who)
            ExchangeSync.objects.get(pk=self.people[who].setup.pk).enable()

    def end_removal(self, who: int) -> None:
        time_passes()
        with self.only_ours_goes(who):
            for run in SyncRun.objects.open().filter(setup=self.people[who].setup):
                if run.outcome == Outcome.HELD:
                    approve(run, None)
                perform(run.pk, budget=float("inf"))

    def clear_away(self, who: int, *, approves: bool = True) -> bool:
        return who not in self.away and super().clear_away(who, approves=approves)

    def sync(
        self, who: int, *, full: bool = False, preview: bool = False, approves: bool = True
    ) -> dict[str, Any] | None:
        """Nobody syncs a mailbox that is disconnected, nor does the sync of another one reach it."""
        if who in self.away and not preview:
            with pytest.raises(NotReady):
                self.people[who].sync(full=full)
        report = super().sync(who, full=full, preview=preview, approves=approves)
        if self.away and report:
            asked = [call for entry in self.tenant.requests() for call in (entry, *entry["batch_items"])]
            mailboxes = {call["mailbox"] for call in asked}
            assert not mailboxes & {self.people[other].outlook.email for other in self.away}, mailboxes
        return report

    # --- Handing over -----------------------------------------------------------------------------------------------

    @rule(giver=WHO, contact_filter=st.sampled_from(HANDED_OVER))
    def hand_over(self, giver: int, contact_filter: dict[str, str]) -> None:
        self.last_handover = (giver, contact_filter)
        self.do_hand_over(giver, contact_filter)

    def do_hand_over(self, giver: int, contact_filter: dict[str, str]) -> list[Contact]:
        """Just those that the filter selects have another salesperson; they, as they were before."""
        taker = self.user(1 - giver)
        everybody = list(Contact.objects.order_by("pk"))
        moving = [
            contact
            for contact in everybody
            if contact.salesperson_id == self.user(giver).pk and not contact.is_trashed
            and contact.territory == contact_filter.get("territory", contact.territory)
        ]  # fmt: skip
        number = reassign(held_by(self.user(giver), contact_filter, None), taker, by=None)
        after = dict(Contact.objects.values_list("pk", "salesperson"))
        keys = {contact.pk for contact in moving}
        assert number == len(keys)
        assert after == {it.pk: taker.pk if it.pk in keys else it.salesperson_id for it in everybody}
        FIGURES["handed over"] += number
        return moving

    def hand_over_at_rest(self) -> None:
        """Each Outlook loses and keeps just what its filter and rule say; `flaws` tells whom it should have gained."""
        if self.last_handover is None:
            return
        giver, contact_filter = self.last_handover
        before = [self.in_outlook(who) for who in (0, 1)]
        moved = self.do_hand_over(1 - giver, contact_filter) + self.do_hand_over(giver, contact_filter)
        self.come_to_rest()
        wrong = [flaw for who in (0, 1) for flaw in self.wrong_of(who, before[who], moved)]
        wrong += flaws(self.people, self.notes)
        assert not wrong, "\n".join(wrong)

    def in_outlook(self, who: int) -> dict[int, tuple[str, bool]]:
        """By contact: the item, and whether it was in the filter."""
        person = self.people[who]
        links = ContactLink.objects.filter(setup=person.setup, state=LinkState.LINKED).select_related("contact")
        items = folder_of(person)
        return {
            link.contact_id: (link.outlook_id, passes(link.contact, person))
            for link in links
            if link.outlook_id in items and not link.private and not link.contact.privacy_blocked
        }

    def wrong_of(self, who: int, before: dict[int, tuple[str, bool]], moved: list[Contact]) -> Iterator[str]:
        person, items = self.people[who], folder_of(self.people[who])
        removes = person.setup.left_filter_rule == LeftFilterRule.REMOVE
        decided = set(person.setup.preferences.values_list("contact_id", flat=True))
        for contact in Contact.objects.alive().filter(pk__in=[contact.pk for contact in moved]):
            item, passed = before.get(contact.pk, ("", False))
            if not item or contact.initials in self.notes.undone:
                continue
            leaves = removes and passed and not passes(contact, person) and contact.pk not in decided
            if leaves == (item in items):
                yield f"{person.outlook.email}: {contact.initials} was handed over, leaves: {leaves}"

    # --- While a run is at work; the end ----------------------------------------------------------------------------

    @rule(who=WHO, at=st.integers(1, 6), pick=PICK, what=st.sampled_from(["erase", "keep", "hand over"]))
    def sync_while_somebody_parts(self, who: int, at: int, pick: int, what: str) -> None:
        if who in self.away:
            return
        deed: dict[str, Callable[[], object]] = {
            "erase": lambda: self.erase_somebody(pick),
            "keep": lambda: self.leave(who, KEEP),
            "hand over": lambda: self.do_hand_over(pick % 2, {}),
        }
        if super().clear_away(who):
            with Reaper(self.tenant, at, deed[what]).at_work():
                self.people[who].sync()

    def come_to_rest(self) -> None:
        for who in (0, 1):
            self.connect_again(who)
        super().come_to_rest()

    def do_nothing_more(self) -> None:
        self.hand_over_at_rest()
        super().do_nothing_more()
