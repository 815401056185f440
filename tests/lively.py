"""The demo after a month of use, for pictures: its sample, its sandbox, syncs of many days, and runs of every end."""

from datetime import timedelta
from itertools import cycle
from typing import Any

from django.db.models import F
from django.utils import timezone

from contacts.models import Contact
from contacts.saved_views import SavedView
from crmsync.demo import outlook, sample
from crmsync.sync.choices import Trigger
from crmsync.sync.erasing import erase
from crmsync.sync.models import ContactLink, RunQuerySet, SyncChange, SyncRun
from crmsync.users.models import User
from exchange_setup.models import ExchangeSync
from tests.outlook import Tenant
from tests.scene import FOLDER, Salesperson, outlook_person
from tests.test_browser_pages import lively_upload

JENS, KIRSTEN = "jens.rask@contoso.example", "kirsten.berg@contoso.example"
DAYS = [26, 23, 22, 20, 19, 16, 15, 13, 12, 9, 8, 7, 5, 2, 1]  # ago, on which something was synced; it begins with all
JOINED = 760  # days ago; the sample's contacts were brought in after that
JOBS = ["Head of Purchasing", "Buyer", "Chief Engineer", "Office Manager", "Sales Director", "Architect", "Accountant"]
NEWCOMERS = [
    outlook_person("Ida", "Frederiksen", "ida@havnekontoret.example", jobTitle="Harbour Master"),
    outlook_person("Matthias", "Vogel", "m.vogel@uhrwerk.example", jobTitle="Watchmaker"),
    outlook_person("Leila", "Mansour", "leila@almina.example", jobTitle="Export Manager"),
]
STAMPS = {
    SyncRun: ["created_at", "started_at", "finished_at"],
    SyncChange: ["created_at", "applied_at"],
    ContactLink: ["linked_at", "synced_at", "problem_since"],
}


class Demo:
    """The demo's CRM and tenant. `jens` is connected and has synced; `places` are the braces of PAGES."""

    def __init__(self, tenant: Tenant) -> None:
        sample.load()
        demo = outlook.Tenant(tenant.url)
        outlook.fill(demo)
        outlook.connect(demo)
        self.jens = Salesperson(ExchangeSync.objects.get(user__email=JENS), tenant.mailbox(JENS), tenant)
        self.jens.change(auto_sync=True, steps_done=5)
        self.jobs = cycle(JOBS)
        self.places: dict[str, Any] = {"user": self.user(JENS).pk}

    def user(self, email: str) -> User:
        return User.objects.get(email=email)

    def live(self) -> None:
        """A month of syncs, the last a few minutes ago: it has changes both ways, a newcomer and a conflict."""
        people = Contact.objects.alive().filter(type="person", links__state="linked")
        for number, ago in enumerate(DAYS):
            for contact in people[number * 3 : number * 3 + number % 4 + 1]:
                self.edit(
                    contact, job_title=next(self.jobs), mobile_phone=f"+45 20 {30 + number} 40 {10 + contact.pk % 90}"
                )
            for item in self.jens.outlook.contacts(FOLDER)[number * 5 : number * 5 + number % 3]:
                self.jens.outlook.edit(item["id"], jobTitle=next(self.jobs))
            self.jens.sync()
            backdate(timedelta(days=ago, minutes=37 * number % 300))
        self.meet("Anne Nørgård")
        self.jens.outlook.add(FOLDER, **NEWCOMERS[0])
        self.places["done"] = self.run()
        sign(self.jens.setup)
        joined, connected = (timezone.now() - timedelta(days=days) for days in (JOINED, DAYS[0] + 1))
        User.objects.update(date_joined=joined)
        User.objects.filter(email=JENS).update(signed_in_to_microsoft_at=connected)
        contact = Contact.objects.alive().get(email="anne.noergaard@nordlys-belysning.example")
        trashed = Contact.objects.filter(deleted_at__isnull=False).first() or people.last().trash(by=None)
        self.places |= {
            "person": contact.number,
            "twin": Contact.objects.get(name="Birgitte Holm").number,
            "company": contact.company.number if contact.company else "",
            "trashed": trashed.number,
        }

    def meet(self, name: str) -> None:
        """Both sides change the same contact: other fields, and one field differently."""
        for contact in Contact.objects.alive().filter(name=name):
            self.edit(
                contact, job_title="Chief Executive", mobile_phone="+45 20 30 40 50", post_code="8000", city="Aarhus C"
            )
        self.jens.outlook.edit(self.jens.card(name)["id"], jobTitle="Managing Director", homePhones=["+45 86 12 13 14"])
        for contact in Contact.objects.alive().filter(links__state="linked", country="DE")[:3]:
            self.edit(contact, phone=f"+49 30 9018{contact.pk}", job_title=next(self.jobs))

    def edit(self, contact: Contact, **values: Any) -> None:
        """Jens saves the contact card."""
        Contact.objects.get(pk=contact.pk).write(values, by=self.jens.setup.user)

    def look_back(self) -> None:
        """A view that was saved, an earlier run that was undone, a comparison that found something, an erasure."""
        user, setup = self.jens.setup.user, self.jens.setup
        view = SavedView.objects.create(owner=user, name="Aarhus and Aalborg", query="f-city=A*")
        earlier = setup.runs.filter(pk__lt=self.places["done"]).latest("pk")
        self.places |= {"view": view.pk, "undone": self.jens.undo(earlier.pk)["run"]}
        for contact in Contact.objects.alive().filter(links__state="linked", country="GB")[:2]:
            self.edit(contact, job_title=next(self.jobs), city="Leeds")
        self.places["verified"] = self.jens.verify()["run"]
        gone = Contact.objects.alive().filter(links__state="linked", country="GB").latest("pk")
        self.jens.change(enabled=False)  # or else the queue would sync at once, beside this
        self.places["erasure"] = erase(gone, by=self.user(KIRSTEN)).pk
        self.jens.change(enabled=True)
        self.jens.sync()
        lively_upload(user, Contact.objects.get(number=self.places["person"]))

    def fail(self) -> None:
        """Runs that did not do what they were asked for: a preview, one that failed, one that waits for a decision."""
        self.jens.outlook.add(FOLDER, **NEWCOMERS[1])
        self.places["preview"] = self.run(preview=True)
        self.jens.tenant.faults.add("access_denied")
        self.places["failed"] = self.run()
        self.jens.tenant.faults.clear()
        self.jens.change(trouble="", trouble_detail="")
        self.jens.outlook.empty()
        self.places["held"] = self.places["waiting"] = self.run()
        by_hand(self.jens.setup.runs.filter(pk__gte=self.places["preview"]), self.jens.setup.user)

    def run(self, *, preview: bool = False) -> int:
        """The key of a run that was just made."""
        self.jens.sync(preview=preview)
        return SyncRun.objects.latest("pk").pk


def backdate(span: timedelta) -> None:
    """Put what happened in this minute so long ago."""
    recently = timezone.now() - timedelta(minutes=5)
    for model, names in STAMPS.items():
        for name in names:
            model._base_manager.filter(**{f"{name}__gt": recently}).update(**{name: F(name) - span})


def sign(setup: ExchangeSync) -> None:
    """Have the runs so far been started as they are in life: by the schedule, the last one by its user."""
    setup.runs.update(trigger=Trigger.SCHEDULE, requested_by=None)
    by_hand(setup.runs.filter(pk=setup.runs.latest("pk").pk), setup.user)


def by_hand(runs: RunQuerySet, user: User) -> None:
    runs.update(trigger=Trigger.MANUAL, requested_by=user)
