"""What the contact card shows: groups of facts, each with where it leads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts import postal
from contacts.models import Contact


@dataclass(frozen=True)
class Fact:
    label: str
    text: str
    href: str = ""
    leads_out: bool = False


@dataclass(frozen=True)
class Group:
    caption: "str | Promise"
    facts: list[Fact]


PHONES = ["phone", "phone_2", "mobile_phone", "home_phone", "fax"]
EMAILS = ["email", "email_2", "email_3"]
GENERAL = ["title", "initials", "first_name", "middle_name", "surname", "job_title", "department"]


def groups(contact: Contact) -> list[Group]:
    """The groups that hold anything, in the order of the form. Notes stand alone and are not among them."""
    found = [
        Group(_("General"), list(general(contact))),
        Group(_("Communication"), list(communication(contact))),
        Group(_("Address"), list(address(contact))),
        Group(_("Sales"), list(sales(contact))),
    ]
    return [group for group in found if group.facts]


def general(contact: Contact) -> Iterator[Fact]:
    yield Fact(label("type"), contact.get_type_display())
    if not contact.is_person:
        yield Fact(label("name"), contact.name)
        return
    yield from plain(contact, GENERAL)
    if contact.company:
        yield Fact(label("company"), contact.company_name, contact.company.get_absolute_url())
    elif contact.company_name:
        yield Fact(label("company"), gettext("%(name)s (not in the CRM)") % {"name": contact.company_name})
    if contact.birthday:
        yield Fact(label("birthday"), formats.date_format(contact.birthday))


def communication(contact: Contact) -> Iterator[Fact]:
    for fact in plain(contact, EMAILS):
        yield Fact(fact.label, fact.text, mail_link(fact.text))
    for fact in plain(contact, PHONES):
        text = postal.phone(fact.text, contact.country.code or "")
        yield Fact(fact.label, text, "" if fact.label == label("fax") else phone_link(fact.text))
    if contact.home_page:
        yield Fact(label("home_page"), contact.home_page, contact.home_page_link, leads_out=True)


def address(contact: Contact) -> Iterator[Fact]:
    """As it stands on a letter."""
    if lines := postal.address_lines(contact):
        yield Fact(label("address"), "\n".join(lines))


def sales(contact: Contact) -> Iterator[Fact]:
    if contact.salesperson:
        yield Fact(label("salesperson"), str(contact.salesperson))
    yield from plain(contact, ["territory"])
    if contact.privacy_blocked:
        yield Fact(label("privacy_blocked"), gettext("Yes"))


def plain(contact: Contact, names: list[str]) -> Iterator[Fact]:
    """The fields of `names` that hold a text."""
    for name in names:
        if text := getattr(contact, name):
            yield Fact(label(name), text)


def label(name: str) -> str:
    return str(Contact._meta.get_field(name).verbose_name)


def mail_link(email: str) -> str:
    return f"mailto:{quote(email, safe='@')}"


def phone_link(phone: str) -> str:
    """tel: with digits and a leading + alone, or '' for a text that holds no number."""
    digits = re.sub(r"[^\d+]", "", re.split(r"[a-zA-Z,;]", phone.replace("(0)", ""))[0])
    return f"tel:{digits}" if any(character.isdigit() for character in digits) else ""
