"""The CRM side of the demo: colleagues, companies and contacts from the TOML files beside this module.

The random numbers are seeded, so that two machines get the same people.
"""

import random
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from faker import Faker

from contacts.changes import Source
from contacts.models import Contact
from crmsync.users.models import User

HERE = Path(__file__).parent
PASSWORD = "demo"
SPELLED_OUT = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
Fields = dict[str, Any]


def read(name: str) -> dict[str, Any]:
    """The content of one of the TOML files."""
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def users() -> list[dict[str, str]]:
    """The colleagues, in the order in which the demo lists them; `about` says what each is there to show."""
    return list(read("crm.toml")["user"])


@transaction.atomic
def load() -> bool:
    """Fill an empty CRM. Returns whether it was empty; what somebody has in there already is never touched."""
    if User.objects.exists() or Contact.objects.exists():
        return False
    now = timezone.now()
    staff = {user.code: user for user in map(add_user, users())}
    maker = Maker(random.Random(20_240_229), now, staff)
    countries = read("countries.toml")["country"]
    companies = maker.add([fields for country in countries for fields in maker.companies(country)])
    maker.employers = {company.home_page.removeprefix("https://www."): company for company in companies}
    oddities = [dict(fields) for fields in read("crm.toml")["contact"]]
    in_trash = [fields.pop("trashed", False) for fields in oddities]
    people = [maker.oddity(fields) for fields in oddities]
    people += [fields for country in countries for fields in maker.people(country)]
    for contact, is_trashed in zip(maker.add(people), in_trash, strict=False):
        if is_trashed:
            contact.trash(by=contact.salesperson)
    return True


def add_user(about: dict[str, str]) -> User:
    fields = {name: value for name, value in about.items() if name != "about"}
    if fields.get("role") == "administrator":
        return User.objects.create_superuser(password=PASSWORD, **fields)
    return User.objects.create_user(password=PASSWORD, **fields)


def in_ascii(text: str) -> str:
    """How a name is written in an e-mail address: Nørgård → noergaard."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(SPELLED_OUT))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")


@dataclass
class Maker:
    """Makes the fields of contacts, out of the words of one country at a time."""

    random: random.Random
    now: datetime
    staff: dict[str | None, User]
    employers: dict[str, Contact] = field(default_factory=dict)
    emails: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def add(self, rows: list[Fields]) -> list[Contact]:
        """Store contacts, each brought in for its salesperson some day of the last two years."""
        contacts = []
        for fields in rows:
            created = self.now - timedelta(days=self.random.randint(30, 730), minutes=self.random.randint(0, 600))
            contact = Contact(created_at=created)
            contacts.append(contact.assign(fields, by=fields["salesperson"], at=created, source=Source.IMPORT))
        return Contact.objects.bulk_add(contacts)

    def companies(self, country: dict[str, Any]) -> Iterator[Fields]:
        for about in country["companies"]:
            yield self.place(country, about.get("city", "")) | {
                "type": "company",
                "name": about["name"],
                "email": f"info@{about['domain']}",
                "home_page": f"https://www.{about['domain']}",
            }

    def people(self, country: dict[str, Any]) -> Iterator[Fields]:
        faker = Faker(country["locale"]) if "locale" in country else None
        if faker:
            faker.seed_instance(self.random.random())
        domains = [about["domain"] for about in country["companies"]]
        for _ in range(country["people"]):
            first_name, surname = self.name(country, faker)
            employer = self.random.choice(domains) if self.sometimes(0.8) else ""
            yield (
                (self.job(country, employer) if employer else self.place(country))
                | {"first_name": first_name[0], "surname": surname[0]}
                | {"initials": "".join(part[0] for part in (first_name[1], surname[1])).upper()}
                | {"email": self.email(first_name[1], surname[1], employer or country["private_domain"])}
                | {"mobile_phone": self.own_number(country["mobile"]) if self.sometimes(0.7) else ""}
                | {"birthday": self.birthday() if self.sometimes(0.2) else None}
                | {"notes": "Met at the fair in spring." if self.sometimes(0.05) else ""}
            )

    def oddity(self, fields: Fields) -> Fields:
        """A contact of crm.toml, with its company and salesperson found and its e-mail kept for it alone."""
        employer = fields.pop("company", "")
        self.emails.add(fields.get("email", ""))
        fields["salesperson"] = self.staff[fields["salesperson"]]
        return fields | ({"company": self.employers[employer]} if employer else {})

    def name(self, country: dict[str, Any], faker: Faker | None) -> tuple[tuple[str, str], tuple[str, str]]:
        """First name and surname, each as it is written and as it is spelled in Latin letters."""
        if faker:
            first_name, surname = faker.first_name(), faker.last_name()
            return (first_name, first_name), (surname, surname)
        first_name, surname = self.random.choice(country["first_names"]), self.random.choice(country["surnames"])
        return tuple(first_name), tuple(surname)

    def email(self, first_name: str, surname: str, domain: str) -> str:
        """An address that nobody else has."""
        name = f"{in_ascii(first_name)}.{in_ascii(surname)}"
        tries = [f"{name}@{domain}"] + [f"{name}{number}@{domain}" for number in range(2, 99)]
        address = next(address for address in tries if address not in self.emails)
        self.emails.add(address)
        return address

    def place(self, country: dict[str, Any], city_name: str = "") -> Fields:
        """An address in the city of that name, or in any city of the country."""
        cities = [city for city in country["cities"] if city_name in {"", city["name"]}]
        city = self.random.choice(cities)
        street, number = self.random.choice(country["streets"]), self.random.randint(1, 89)
        return {
            "address": country["address"].format(street=street, number=number),
            "city": city["name"],
            "post_code": city["post_code"],
            "county": city.get("county", ""),
            "country": country["code"],
            "territory": country["territory"],
            "phone": self.digits(city["phone"]) if self.sometimes(0.8) else "",
            "salesperson": self.staff[country["salesperson"]],
        }

    def job(self, country: dict[str, Any], employer: str) -> Fields:
        """A job at a company, and so its address, with a telephone number of one's own."""
        company = self.employers[employer]
        return self.place(country, company.city) | {
            "address": company.address,
            "company": company,
            "job_title": self.random.choice(country["job_titles"]),
            "department": self.random.choice(country["departments"]) if self.sometimes(0.4) else "",
        }

    def birthday(self) -> date:
        return date(1955, 1, 1) + timedelta(days=self.random.randrange(365 * 45))

    def own_number(self, pattern: str) -> str:
        """A number that nobody else has, as far as the pattern has that many."""
        number = next((found for _ in range(50) if (found := self.digits(pattern)) not in self.numbers), "")
        self.numbers.add(number)
        return number

    def digits(self, pattern: str) -> str:
        return re.sub("#", lambda _: str(self.random.randrange(10)), pattern)

    def sometimes(self, share: float) -> bool:
        return self.random.random() < share
