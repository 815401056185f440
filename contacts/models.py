"""The CRM side: people and companies. Knows nothing of Outlook.

Every write of a contact goes through `Contact.write`, or, for many at once, `Contact.assign` followed by
`ContactQuerySet.bulk_write` inside a transaction: both keep the full name and the company's name right, count the
version up and set the modified date, so that whoever read an older version finds out, and keep the history.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Lower, Replace
from django.db.models.lookups import IsNull
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from contacts.blocking import BlockedEmail  # noqa: F401
from contacts.changes import ContactChange, Pending, Source, recorded
from contacts.likeness import EMAILS, KEPT_WITH, ContactKey
from contacts.lookups import Joined, Unindexed, in_known_case
from contacts.numbers import NumberSeries
from contacts.saved_views import ListLayout, SavedView  # noqa: F401  # here Django looks for an app's models
from contacts.signals import contacts_written
from contacts.uploads import Upload, UploadRow  # noqa: F401  # for the same reason
from contacts.validators import email_address, no_future_date, web_address, web_link

KEPT_IN_TRASH = timedelta(days=30)
LONGEST_WORD = 310  # of a name; SQLite refuses to look for what is very long
PHONE_SEPARATORS = " -().+/\u00a0"


class StaleContact(Exception):
    """Somebody else saved the contact meanwhile; `contact` is what is stored now, and nothing was written."""

    def __init__(self, contact: "Contact") -> None:
        super().__init__(f"{contact.number} was saved by somebody else meanwhile")
        self.contact = contact


def searchable() -> Joined:
    """What the search looks through: names, e-mails and the number as they are, phone numbers as their digits."""
    digits: Any = joined("phone", "phone_2", "mobile_phone", "home_phone", "fax")
    for separator in PHONE_SEPARATORS:
        digits = Replace(digits, Value(separator), Value(""))
    return Joined(joined("name", "company_name", "email", "email_2", "email_3", "number"), digits)


def joined(*names: str) -> Joined:
    """The text of the columns, a line each."""
    return Joined(*(part for name in names for part in (F(name), Value("\n"))))


class ContactType(models.TextChoices):
    PERSON = "person", _("Person")
    COMPANY = "company", _("Company")


class ContactQuerySet(models.QuerySet["Contact"]):
    def alive(self) -> Self:
        """Not in the trash."""
        return self.filter(deleted_at=None)

    def alive_in_one_pass(self) -> Self:
        """`alive`, where no index serves the other conditions or the order: each row would be looked up by itself."""
        return self.filter(IsNull(Unindexed("deleted_at"), True))

    def trashed(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def expired(self, now: datetime) -> Self:
        """In the trash for longer than it keeps anybody."""
        return self.filter(deleted_at__lt=now - KEPT_IN_TRASH)

    def persons(self) -> Self:
        return self.filter(type=ContactType.PERSON)

    def companies(self) -> Self:
        return self.filter(type=ContactType.COMPANY)

    def reachable(self) -> Self:
        """People who may be written to: named, with an e-mail, not privacy-blocked, not in the trash."""
        return self.alive().persons().filter(privacy_blocked=False).exclude(name="").exclude(email="")

    def numbered(self, numbers: Iterable[str]) -> Self:
        """Those with these numbers. What PostgreSQL could not be asked for is nobody's number."""
        return self.filter(number__in=[number for number in numbers if "\0" not in number])

    def with_email(self, addresses: Iterable[str]) -> Self:
        """Contacts of any type, in the trash or not, that have one of `addresses` in any of their three e-mails."""
        wanted = {address.strip().lower() for address in addresses if address.strip()}
        # The two further ones have an index of those that are filled, found only by a condition that says so.
        filled = {"email": Q(), "email_2": ~Q(email_2=""), "email_3": ~Q(email_3="")}
        by_field = (Q(**{f"{name}_lower__in": wanted}) & has_one for name, has_one in filled.items())
        lowered = self.alias(email_lower=Lower("email"), email_2_lower=Lower("email_2"), email_3_lower=Lower("email_3"))
        return lowered.filter(Q.create(list(by_field), connector=Q.OR)) if wanted else self.none()

    def search(self, text: str) -> Self:
        """Contacts with every word of `text` in a name, an e-mail or the number, or with it as a phone number."""
        words = text.replace("\0", "").split()[:20]
        if any(len(word) > LONGEST_WORD for word in words):
            return self.none()
        by_words = Q(*(Q(search_text__anycase=word) for word in words))
        digits = "".join(character for character in text if character not in PHONE_SEPARATORS)
        if len(digits) < 3 or not (digits.isascii() and digits.isdigit()):
            return self.filter(by_words)
        # Country codes and leading zeros differ between notations, the last eight digits don't.
        return self.filter(Q(search_text__contains=digits[-8:]) | (by_words if len(words) == 1 else Q(pk=None)))

    def bulk_write(self, contacts: list["Contact"]) -> None:
        """Store contacts prepared by `assign`. Call inside a transaction that locked and compared their versions."""
        # An upsert of rows that exist: bulk_update's CASE per value takes forty times as long.
        self.bulk_create(contacts, update_conflicts=True, unique_fields=["id"], update_fields=WRITABLE + DERIVED)
        if companies := {contact.pk: contact for contact in contacts if contact.type == ContactType.COMPANY}:
            self._rename_people(companies)
        changes = ContactChange.objects.keep(contacts)
        ContactKey.objects.keep([change.contact for change in changes if KEPT_WITH & change.fields.keys()])
        contacts_written.send(sender=self.model, contacts=contacts)

    def _rename_people(self, companies: Mapping[int, "Contact"]) -> None:
        """Carry the companies' names to the people who belong to them, as changes of theirs."""
        people = self.model.objects.select_for_update(of=["self"]).filter(company__in=companies)
        while renamed := list(people.exclude(company_name=F("company__name"))[:CHUNK]):
            for person in renamed:
                company = person.company = companies[person.company_id]
                origin = company.pending or Pending(None, Source.COMMAND, "")
                person.assign({}, by=None, at=company.modified_at, source=origin.source, reference=origin.reference)
                person.modified_by_id = company.modified_by_id
            self.bulk_write(renamed)

    def bulk_add(self, contacts: list["Contact"]) -> list["Contact"]:
        """Store new contacts prepared by `assign`; those without a number get one from the series."""
        unnumbered = [contact for contact in contacts if not contact.number]
        with transaction.atomic():
            for contact, number in zip(unnumbered, NumberSeries.take(len(unnumbered)), strict=True):
                contact.number = number
            added = self.bulk_create(contacts)
            ContactChange.objects.keep(added)
            ContactKey.objects.keep(added, are_new=True)
            contacts_written.send(sender=self.model, contacts=added)
            return added


class Contact(models.Model):
    """A person or a company. A person's name is built from its parts; a company's is given."""

    number = models.CharField(_("No."), max_length=20, unique=True, editable=False)
    type = models.CharField(_("Type"), max_length=10, choices=ContactType, default=ContactType.PERSON)

    first_name = models.CharField(_("First name"), max_length=100, blank=True)
    middle_name = models.CharField(_("Middle name"), max_length=100, blank=True)
    surname = models.CharField(_("Surname"), max_length=100, blank=True)
    initials = models.CharField(_("Initials"), max_length=30, blank=True)
    name = models.CharField(_("Name"), max_length=310, blank=True)
    title = models.CharField(_("Title"), max_length=50, blank=True, help_text=_("Such as Dr or Ms."))
    job_title = models.CharField(_("Job title"), max_length=150, blank=True)
    department = models.CharField(_("Department"), max_length=150, blank=True)
    company = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="people",
        verbose_name=_("Company"),
        limit_choices_to={"type": ContactType.COMPANY},
    )
    company_name = models.CharField(_("Company name"), max_length=250, blank=True)

    email = models.CharField(_("E-mail"), max_length=254, blank=True, validators=[email_address])
    email_2 = models.CharField(_("E-mail 2"), max_length=254, blank=True, validators=[email_address])
    email_3 = models.CharField(_("E-mail 3"), max_length=254, blank=True, validators=[email_address])
    phone = models.CharField(_("Phone no."), max_length=80, blank=True)
    phone_2 = models.CharField(_("Phone no. 2"), max_length=80, blank=True)
    mobile_phone = models.CharField(_("Mobile phone no."), max_length=80, blank=True)
    home_phone = models.CharField(_("Home phone no."), max_length=80, blank=True)
    fax = models.CharField(_("Fax no."), max_length=80, blank=True)
    home_page = models.CharField(_("Home page"), max_length=1024, blank=True, validators=[web_address])

    address = models.CharField(_("Address"), max_length=250, blank=True)
    address_2 = models.TextField(_("Address 2"), max_length=1000, blank=True)
    city = models.CharField(_("City"), max_length=100, blank=True)
    county = models.CharField(_("County"), max_length=100, blank=True)
    post_code = models.CharField(_("Post code"), max_length=30, blank=True)
    country = CountryField(_("Country/Region"), blank=True)

    territory = models.CharField(_("Territory"), max_length=50, blank=True)
    salesperson = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="contacts",
        verbose_name=_("Salesperson"),
    )
    birthday = models.DateField(_("Birthday"), null=True, blank=True, validators=[no_future_date])
    notes = models.TextField(_("Notes"), max_length=30_000, blank=True)
    privacy_blocked = models.BooleanField(
        _("Privacy blocked"),
        default=False,
        help_text=_("Goes to nobody's Outlook. A copy that is there stays, and is synced no more."),
    )

    created_at = models.DateTimeField(_("Created"), default=timezone.now, editable=False)
    modified_at = models.DateTimeField(_("Modified"), default=timezone.now, editable=False, db_index=True)
    modified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("Modified by"),
    )
    deleted_at = models.DateTimeField(_("Moved to the trash"), null=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="merged",
        verbose_name=_("Merged into"),
        help_text="Who stands for this contact, which is in the trash, from now on.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_with = models.UUIDField(
        null=True, unique=True, editable=False, help_text="The form that made it, so that a double click makes one."
    )
    search_text = models.GeneratedField(expression=searchable(), output_field=models.TextField(), db_persist=True)

    objects = ContactQuerySet.as_manager()
    pending: Pending | None = None

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        indexes = [
            # Partial, so that a page of the list is read from the index alone, wherever it stands.
            models.Index(fields=["name", "id"], name="contact_by_name", condition=Q(deleted_at=None)),
            models.Index(fields=["company_name", "id"], name="contact_by_company_name", condition=Q(deleted_at=None)),
            models.Index(fields=["city", "id"], name="contact_by_city", condition=Q(deleted_at=None)),
            models.Index(fields=["email", "id"], name="contact_by_email", condition=Q(deleted_at=None)),
            models.Index(fields=["salesperson", "id"], name="contact_by_salesperson", condition=Q(deleted_at=None)),
            models.Index(
                fields=["salesperson", "name", "id"], name="own_contact_by_name", condition=Q(deleted_at=None)
            ),
            models.Index(fields=["deleted_at"], name="contact_in_trash", condition=Q(deleted_at__isnull=False)),
            models.Index(Lower("email"), name="contact_email_lower"),
            models.Index(Lower("email_2"), name="contact_email_2_lower", condition=~Q(email_2="")),
            models.Index(Lower("email_3"), name="contact_email_3_lower", condition=~Q(email_3="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(type=ContactType.PERSON) | Q(company=None),
                name="company_has_no_company",
                violation_error_message=_("A company cannot belong to a company."),
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | Q(deleted_at__isnull=False), name="merged_means_trashed"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.number

    def get_absolute_url(self) -> str:
        return reverse("contacts:contact-detail", args=[self.number])

    @property
    def home_page_link(self) -> str:
        return web_link(self.home_page)

    @property
    def is_person(self) -> bool:
        return self.type == ContactType.PERSON

    @property
    def is_trashed(self) -> bool:
        return self.deleted_at is not None

    @property
    def kept_until(self) -> datetime | None:
        """When the trash may delete it for good; None out of the trash."""
        return self.deleted_at and self.deleted_at + KEPT_IN_TRASH

    def assign(
        self,
        changes: Mapping[str, Any],
        *,
        by: models.Model | None,
        at: datetime | None = None,
        source: Source | None = None,
        reference: str = "",
    ) -> Self:
        """Set `changes` (by field name) and what follows from them, and count the version up. Stores nothing.

        `source` and `reference` are for the history; without them a change is its user's, or else the command line's.
        """
        self._note_before(None if self._state.adding else self, by, source, reference)
        for name, value in changes.items():
            setattr(self, name, in_known_case(value) if name in EMAILS else value)
        if self.company is not None:
            self.company_name = self.company.name
        if self.is_person:
            self.name = full_name(self.first_name, self.middle_name, self.surname)
        else:
            self.company_name = self.name
        if not self.is_trashed and self.merged_into_id:
            self.merged_into = None
        self.modified_by_id = by.pk if by else None
        self.modified_at = at or timezone.now()
        if not self._state.adding:
            self.version += 1
        return self

    def _note_before(
        self, stored: "Contact | None", by: models.Model | None, source: Source | None, reference: str
    ) -> None:
        """Remember what is stored, unless an earlier `assign` has."""
        if self.pending is None:
            before = recorded(stored) if stored else None
            self.pending = Pending(before, source or (Source.PERSON if by else Source.COMMAND), reference)

    def write(
        self, changes: Mapping[str, Any], *, by: models.Model | None, source: Source | None = None, reference: str = ""
    ) -> Self:
        """Set `changes` and store them, unless somebody saved meanwhile: then StaleContact, and nothing is written."""
        with transaction.atomic():
            if self._state.adding:
                self.assign(changes, by=by, source=source, reference=reference)
                type(self).objects.bulk_add([self])
                return self
            stored = type(self).objects.select_for_update(of=["self"]).get(pk=self.pk)
            if stored.version != self.version:
                raise StaleContact(stored)
            self._note_before(stored, by, source, reference)  # a form may have set this instance's fields already
            self.assign(changes, by=by)
            type(self).objects.bulk_write([self])
        return self

    def trash(self, *, by: models.Model | None) -> Self:
        """Move to the trash, from where `restore` brings it back."""
        return self.write({"deleted_at": timezone.now()}, by=by)

    def restore(self, *, by: models.Model | None) -> Self:
        return self.write({"deleted_at": None}, by=by)

    @classmethod
    @cache
    def recorded_fields(cls) -> list[models.Field]:
        """The fields that the history keeps: all that can be written."""
        return [cls._meta.get_field(name) for name in WRITABLE]


def full_name(*parts: str) -> str:
    return " ".join(part.strip() for part in parts if part.strip())


WRITABLE = [
    "type", "first_name", "middle_name", "surname", "initials", "name", "title", "job_title", "department", "company",
    "company_name", "email", "email_2", "email_3", "phone", "phone_2", "mobile_phone", "home_phone", "fax", "home_page",
    "address", "address_2", "city", "county", "post_code", "country", "territory", "salesperson", "birthday", "notes",
    "privacy_blocked", "deleted_at", "merged_into",
]  # fmt: skip
DERIVED = ["version", "modified_at", "modified_by"]
CHUNK = 500
