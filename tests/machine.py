"""Any history: two people, their Outlooks and the CRM, with edits, rules, syncs, faults and crashes in any order."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.decisions import Choice, Outdated, RunAtWork, decidable, decide_one, open_conflicts
from crmsync.sync.engine import perform
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import approve, reject
from exchange_setup.graph.properties import FAX, SENSITIVITY
from tests.crash import KEPT, Death, Reaper, time_passes
from tests.factories import PersonFactory, SetupFactory, UserFactory
from tests.machine_plans import FIGURES, MEANWHILE, PICK, WHO, Plans
from tests.oracle import flaws
from tests.oracle_notes import Notes, folder_of, outlook_values
from tests.outlook import Tenant
from tests.scene import FOLDER, Salesperson

EMAIL = st.integers(0, 5)
CRM_FIELDS = ["job_title", "city", "fax", "phone", "phone_2", "address", "address_2", "first_name"]
OUTLOOK_FIELDS = ["jobTitle", "city", "fax", "phone", "phone_2", "street", "givenName"]
RULES = {
    "conflict_rule": ["crm", "outlook", "ask"],
    "trashed_rule": ["remove", "keep"],
    "removed_rule": ["stay_out", "put_back", "trash"],
    "left_filter_rule": ["keep", "remove"],
    "shared_email_rule": ["lowest", "each"],
    "new_contact_rule": ["add", "hold", "never"],
}
FILTERS: list[dict[str, str]] = [
    {}, {"territory": "NORTH"}, {"territory": "SOUTH"}, {"salesperson": "%me"}, {"city": "<>''"},
]  # fmt: skip
ANY = r""
FAULTS: list[dict[str, Any]] = [
    {"do": "lost"}, {"do": "drop", "commit": True, "match": ANY}, {"do": "drop", "match": ANY},
    {"do": "truncate", "match": ANY}, {"do": "garbage", "match": ANY}, {"do": "empty", "match": ANY},
    {"do": "status", "status": 504, "commit": True, "match": ANY}, {"do": "status", "status": 503, "empty": True},
    {"do": "throttled", "where": "item", "times": 2}, {"do": "unauthorized"}, {"do": "sync_state_lost"},
    {"do": "duplicate", "times": 0}, {"do": "replay", "rows": 2, "times": 0}, {"do": "empty_page"},
    {"do": "short_page", "times": 0}, {"do": "foreign_link"}, {"do": "mailbox_full"}, {"do": "access_denied"},
    {"do": "status", "status": 412, "code": "ErrorIrresolvableConflict", "match": "PATCH "},
    {"do": "status", "status": 404, "match": r"PATCH "}, {"do": "status", "status": 400, "match": r"POST /contacts$"},
    {"do": "status", "status": 500, "match": r"GET /contacts/(?!delta)", "times": 0},
    {"do": "drop", "match": r"POST /\$batch$", "keep_items": 1},
]  # fmt: skip
NO_BRAKES = {"SYNC_DELETE_LIMIT": 1000, "SYNC_OVERWRITE_PERCENT": 100_000, "M365_ACCESS": "application"}


class Histories(Plans):
    """One history after the other over one tenant; `tenant` is set by whoever runs them."""

    tenant: Tenant

    def __init__(self) -> None:
        super().__init__()
        urls = {"M365_LOGIN_URL": self.tenant.login_url, "M365_GRAPH_URL": self.tenant.graph_url}
        self.overridden = override_settings(**NO_BRAKES, **urls)
        self.overridden.enable()
        self.sleep, time.sleep = time.sleep, lambda seconds: None
        for model in reversed(KEPT):
            model._base_manager.all()._raw_delete("default")
        self.tenant.reset()
        self.notes, self.counter = Notes(), 0
        self.people = [self.salesperson(name) for name in ("jens", "mette")]

    def salesperson(self, name: str) -> Salesperson:
        email = f"{name}@contoso.example"
        user = UserFactory(email=email, authentication_email=email)
        mailbox = self.tenant.add_person(email, user.name)
        mailbox.create_folder(FOLDER)
        return Salesperson(SetupFactory(user=user, mailbox=email), mailbox, self.tenant)

    def unique(self, kind: str = "v") -> str:
        self.counter += 1
        return f"{kind}{self.counter}{kind}"

    # --- The CRM ----------------------------------------------------------------------------------------------------

    def person(self, pick: int) -> Contact | None:
        everybody = list(Contact.objects.persons().order_by("pk"))
        return everybody[pick % len(everybody)] if everybody else None

    @initialize(number=st.integers(0, 4))
    def some_people(self, number: int) -> None:
        for at in range(number):
            self.new_contact(at, "NORTH")

    @rule(email=EMAIL, territory=st.sampled_from(["", "NORTH", "SOUTH"]))
    def new_contact(self, email: int, territory: str) -> None:
        PersonFactory(
            first_name=self.written(), surname=self.unique("s"), email=f"p{email}@crm.example", territory=territory,
            initials=self.unique("i"), fax=self.written(), phone=self.written(), salesperson=self.user(email % 2),
        )  # fmt: skip

    def user(self, who: int) -> Any:
        return self.people[who].setup.user

    def written(self) -> str:
        value = self.unique()
        self.notes.written.add(value)
        return value

    @rule(pick=PICK, name=st.sampled_from(CRM_FIELDS), clears=st.booleans())
    def edit_contact(self, pick: int, name: str, clears: bool = False) -> None:
        contact = self.person(pick)
        if contact is None or (clears and name == "first_name"):
            return
        new = "" if clears else self.unique()
        self.notes.write(getattr(contact, name), new)
        self.note_name(contact.initials, name)
        contact.write({name: new}, by=None)

    def note_name(self, initials: str, name: str) -> None:
        """Who was made anew is known by name where their first e-mail is another one, unless the name is, too."""
        if name in ("first_name", "givenName") and initials in self.notes.made_anew:
            self.notes.brought_back.add(initials)

    @rule(pick=PICK, email=EMAIL)
    def edit_email(self, pick: int, email: int) -> None:
        if (contact := self.person(pick)) is not None:
            self.note_email(contact.initials)
            contact.write({"email": f"p{email}@crm.example"}, by=None)

    def note_email(self, initials: str) -> None:
        """Who was made anew with another e-mail has two cards, and whoever edits them may give both the same."""
        if Contact.objects.filter(initials=initials).count() > 1:
            self.notes.brought_back.add(initials)

    @rule(pick=PICK, name=st.sampled_from(["territory", "salesperson", "privacy_blocked"]), to=WHO)
    def edit_what_outlook_never_sees(self, pick: int, name: str, to: int) -> None:
        if (contact := self.person(pick)) is not None:
            territory = ["NORTH", "SOUTH"][to]
            value = {"territory": territory, "salesperson": self.user(to), "privacy_blocked": bool(to)}[name]
            contact.write({name: value}, by=None)

    @rule(pick=PICK)
    def trash(self, pick: int) -> None:
        if (contact := self.person(pick)) is not None:
            self.notes.trashed.add(contact.initials)
            contact.restore(by=None) if contact.is_trashed else contact.trash(by=None)

    # --- Outlook ----------------------------------------------------------------------------------------------------

    def item(self, who: int, pick: int) -> dict[str, Any] | None:
        found = list(folder_of(self.people[who]).values())
        return found[pick % len(found)] if found else None

    @rule(who=WHO, email=st.none() | EMAIL, private=st.booleans(), number=st.integers(1, 2))
    def new_item(self, who: int, email: int | None, private: bool, number: int) -> None:
        for _ in range(number):
            added = self.people[who].outlook.add(
                self.folder_name(who), givenName=self.written(), surname=self.unique("s"), initials=self.unique("i"),
                emailAddresses=[] if email is None else [{"address": f"p{email}@crm.example"}],
                businessPhones=[self.written()], nickName=(nick := self.unique("n")), categories=["Golf"],
                singleValueExtendedProperties=extended(fax=self.written(), private=private),
            )  # fmt: skip
            self.notes.own[added["id"]] = {"nickName": nick, "categories": ["Golf"]}
            self.notes.theirs.add(added["id"])

    def folder_name(self, who: int) -> str:
        """The folder that is synced; there is one, if not from the engine."""
        person = self.people[who]
        person.setup.refresh_from_db()
        if all(folder["name"] != person.setup.folder_name for folder in person.outlook.folders()):
            person.outlook.create_folder(person.setup.folder_name)
        return person.setup.folder_name

    @rule(who=WHO, pick=PICK, name=st.sampled_from(OUTLOOK_FIELDS), clears=st.booleans())
    def edit_item(self, who: int, pick: int, name: str, clears: bool = False) -> None:
        item = self.item(who, pick)
        if item is None or (clears and name == "givenName"):
            return
        new = "" if clears else self.unique()
        values = outlook_values(item)
        phones, street = values["phones"] + ["", ""], values["street"]
        old = {
            "jobTitle": [values["job_title"]], "givenName": [values["first_name"]], "city": [values["city"]],
            "fax": [values["fax"]], "phone": phones[:1], "phone_2": phones[1:2], "street": street,
        }[name]  # fmt: skip
        for overwritten in ["", *old]:
            self.notes.write(overwritten, new)
        address = item["businessAddress"]
        change: dict[str, Any] = {
            "city": {"businessAddress": {**address, "city": new}},
            "street": {"businessAddress": {**address, "street": f"{new}\n{new}" if new else ""}},
            "phone": {"businessPhones": [phone for phone in (new, phones[1]) if phone]},
            "phone_2": {"businessPhones": [phone for phone in (phones[0], new) if phone]},
            "fax": {"singleValueExtendedProperties": [{"id": FAX, "value": new}]},
            "givenName": {"givenName": new, "surname": values["surname"]},
        }.get(name, {name: new})
        self.people[who].outlook.edit(item["id"], **change)
        self.notes.theirs.add(item["id"])
        self.note_name(item["initials"], name)

    @rule(who=WHO, pick=PICK, email=EMAIL)
    def edit_items_email(self, who: int, pick: int, email: int) -> None:
        if (item := self.item(who, pick)) is not None:
            rest = item["emailAddresses"][1:]
            self.note_email(item["initials"])
            self.notes.theirs.add(item["id"])
            self.people[who].outlook.edit(item["id"], emailAddresses=[{"address": f"p{email}@crm.example"}, *rest])

    @rule(who=WHO, pick=PICK)
    def edit_what_only_the_user_has(self, who: int, pick: int) -> None:
        if (item := self.item(who, pick)) is not None:
            mine, ours = [self.unique("c")], [name for name in item["categories"] if name == "CRM"]
            self.notes.theirs.add(item["id"])
            self.notes.own[item["id"]] = {"nickName": (nick := self.unique("n")), "categories": mine}
            self.people[who].outlook.edit(item["id"], nickName=nick, categories=mine + ours)

    @rule(who=WHO, pick=PICK, how=st.sampled_from(["remove", "move"]))
    def take_away(self, who: int, pick: int, how: str) -> None:
        if (item := self.item(who, pick)) is not None:
            self.notes.taken_away.add(item["id"])
            outlook = self.people[who].outlook
            outlook.remove(item["id"]) if how == "remove" else outlook.move(item["id"], "Contacts")

    @rule(who=WHO, pick=PICK, place=st.sampled_from(["Deleted Items", "Contacts"]))
    def bring_back(self, who: int, pick: int, place: str) -> None:
        if found := self.people[who].outlook.contacts(place):
            item = found[pick % len(found)]
            self.notes.brought_back.add(item["initials"])
            self.people[who].outlook.move(item["id"], self.folder_name(who))

    @rule(who=WHO, pick=PICK)
    def move_out_and_back(self, who: int, pick: int) -> None:
        if (item := self.item(who, pick)) is not None:
            for place in ("Contacts", self.folder_name(who)):
                self.people[who].outlook.move(item["id"], place)

    @rule(who=WHO, pick=PICK)
    def copy(self, who: int, pick: int) -> None:
        """With our marker; only its initials are another's, so that we can tell them apart."""
        if (item := self.item(who, pick)) is not None:
            copied = self.people[who].outlook.copy(item["id"], self.folder_name(who))
            self.people[who].outlook.edit(copied["id"], initials=self.unique("i"))
            self.notes.copied.add(item["initials"])
            self.notes.theirs.add(copied["id"])

    # --- Settings ---------------------------------------------------------------------------------------------------

    @rule(who=WHO, choice=st.sampled_from([(name, value) for name, values in RULES.items() for value in values]))
    def change_rule(self, who: int, choice: tuple[str, str]) -> None:
        self.notes.may_trash |= choice == ("removed_rule", "trash")
        self.notes.may_leave |= choice == ("left_filter_rule", "remove")
        self.people[who].change(**dict([choice]))

    @rule(who=WHO, to=st.sampled_from(FILTERS))
    def change_filter(self, who: int, to: dict[str, str]) -> None:
        self.people[who].change(contact_filter=to)

    @rule(who=WHO, pick=PICK, choice=st.sampled_from(["always", "never", "filter"]))
    def prefer(self, who: int, pick: int, choice: str) -> None:
        if (contact := self.person(pick)) is not None:
            if choice == "never":
                self.notes.unwanted.add(contact.initials)
            form = PreferenceForm({"choice": choice})
            assert form.is_valid()
            form.save(self.people[who].setup, contact)

    @rule(who=WHO, pick=PICK, choice=st.sampled_from(Choice))
    def decide(self, who: int, pick: int, choice: Choice) -> None:
        """About somebody who was left out. The value that loses was seen by whoever decides."""
        setup = self.people[who].setup
        links = list(setup.links.filter(decidable(choice)).select_related("contact", "setup").order_by("pk"))
        if links:
            link = links[pick % len(links)]
            loses = [row.outlook if choice == "crm" else row.crm for row in open_conflicts(setup, link)]
            with suppress(RunAtWork, Outdated):
                decide_one(link, choice)
                self.notes.overwritten.update(loses)

    @rule(who=WHO, name=st.sampled_from([FOLDER, "Other"]))
    def change_folder(self, who: int, name: str) -> None:
        """To and fro: old copies are met again, and those of people who have changed their e-mail look new."""
        setup = self.people[who].setup
        setup.refresh_from_db()
        for folder in (FOLDER, "Other"):
            self.notes.brought_back |= {item["initials"] for item in self.people[who].outlook.contacts(folder)}
        setup.use_folder(name)
        setup.save()

    # --- Syncs ------------------------------------------------------------------------------------------------------

    def sync(
        self, who: int, *, full: bool = False, preview: bool = False, approves: bool = True
    ) -> dict[str, Any] | None:
        """One run, unless there is one open that would not end."""
        FIGURES["runs"] += 1
        if not self.clear_away(who, approves=approves):
            return None
        return self.people[who].sync(full=full, preview=preview)

    def clear_away(self, who: int, *, approves: bool = True) -> bool:
        """Have a dead run taken over, and decide about a held one. Returns whether none is open now."""
        time_passes()
        mine = SyncRun.objects.filter(setup=self.people[who].setup)
        if dead := mine.open().exclude(outcome=Outcome.HELD).first():
            perform(dead.pk)
        if held := mine.filter(outcome=Outcome.HELD).first():
            approve(held, None) if approves else reject(held, None)
            perform(held.pk)
        return not mine.open().exists()

    @rule(who=WHO, full=st.booleans(), preview=st.booleans(), approves=st.booleans())
    def sync_undisturbed(self, who: int, full: bool, preview: bool, approves: bool) -> None:
        self.sync(who, full=full, preview=preview, approves=approves)

    @rule(who=WHO)
    def sync_once_more(self, who: int) -> None:
        self.sync(who)

    @rule(who=WHO, full=st.booleans(), fault=st.sampled_from(FAULTS), nth=st.integers(1, 4))
    def sync_with_a_fault(self, who: int, full: bool, fault: dict[str, Any], nth: int) -> None:
        self.tenant.faults.add(**{"nth": nth, **fault})
        self.sync(who, full=full)
        FIGURES["faults"] += self.tenant.faults.fired()
        self.tenant.faults.clear()

    @rule(who=WHO, full=st.booleans(), at=st.integers(1, 30), takes_over=st.booleans())
    def sync_and_die(self, who: int, full: bool, at: int, takes_over: bool) -> None:
        try:
            with Reaper(self.tenant, at).at_work():
                self.sync(who, full=full)
        except Death:
            FIGURES["crashes"] += 1
            if not takes_over:
                time_passes()
                self.people[who].setup.refresh_from_db()
                if not SyncRun.objects.filter(setup=self.people[who].setup, outcome=Outcome.HELD).exists():
                    self.people[who].sync(full=full)

    @rule(who=WHO, at=st.integers(1, 6), pick=PICK, what=st.sampled_from(MEANWHILE))
    def sync_while_somebody_works(self, who: int, at: int, pick: int, what: str) -> None:
        with Reaper(self.tenant, at, self.deed(who, pick, what)).at_work():
            self.sync(who)

    def deed(self, who: int, pick: int, what: str) -> Callable[[], None]:
        """What somebody does while a run is at work, or while a plan waits."""
        return {
            "crm": lambda: self.edit_contact(pick, CRM_FIELDS[pick % len(CRM_FIELDS)]),
            "outlook": lambda: self.edit_item(who, pick, OUTLOOK_FIELDS[pick % len(OUTLOOK_FIELDS)]),
            "trash": lambda: self.trash(pick),
            "remove": lambda: self.take_away(who, pick, "remove"),
            "always": lambda: self.prefer(who, pick, "always"),
            "never": lambda: self.prefer(who, pick, "never"),
            "other": lambda: self.sync(1 - who) and None,
            "": lambda: None,
        }[what]

    @rule(who=WHO)
    def links_die(self, who: int) -> None:
        self.people[who].outlook.expire_links()

    # --- The end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        FIGURES["histories"] += 1
        try:
            self.come_to_rest()
            found = flaws(self.people, self.notes)
            assert not found, "\n".join(found)
            self.do_nothing_more()
        finally:
            self.overridden.disable()
            time.sleep = self.sleep

    def come_to_rest(self) -> None:
        """Undisturbed runs of both mailboxes by turns, until neither has anything to do since the last of the other."""
        for who in (0, 1):
            self.clear_away(who)
        quiet = 0
        for turn in range(14):
            waited, report = self.people[turn % 2].setup.runs.open().exists(), self.sync(turn % 2)
            is_quiet = not waited and report is not None and not report["changes"] and report["requests"] == 1
            quiet = quiet + 1 if is_quiet else 0
            if quiet == 2:
                return
        raise AssertionError(f"there is no end to it: {report}")

    def do_nothing_more(self) -> None:
        """A full sync finds nothing either, but for what users removed."""
        report = self.sync(self.counter % 2, full=True)
        assert report and report["outcome"] == "done", report
        odd = [row for row in report["changes"] if (row["action"], row["cause"]) != ("create", "put_back")]
        assert odd == [], odd
        assert not ContactLink.objects.filter(state="creating").exists()


def extended(fax: str = "", private: bool = False) -> list[dict[str, str]]:
    return [{"id": FAX, "value": fax}, {"id": SENSITIVITY, "value": "2" if private else "0"}]
