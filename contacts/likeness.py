"""What tells that two contacts are the same: keys that are equal where an e-mail, a phone or the name is.

The keys of every contact outside the trash are stored beside it whenever it is, so that looking for duplicates is
reading one index, however many contacts there are.

| same | is |
|---|---|
| e-mail | any of the three, in any case |
| phone | a mobile or home number, with or without its country; the last eight digits make the key |
|       | a business number too, where a word of the name is alike: colleagues share a switchboard |
| name | the first and the last word, in any order, and the company |
|      | of a company its name, without A/S, Ltd and the like |

Words are alike where their consonants are: Nørgård is Norgaard, Kristian is Christian.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

EMAILS = ("email", "email_2", "email_3")
SHARED_PHONES = ("phone", "phone_2")
OWN_PHONES = ("mobile_phone", "home_phone")
READ = {*EMAILS, *SHARED_PHONES, *OWN_PHONES, "type", "first_name", "middle_name", "surname", "name", "company_name"}
KEPT_WITH = READ | {"deleted_at"}
DIGITS = 8
LONGEST = 300
LEGAL_FORMS = {
    "ab", "ag", "aps", "as", "bv", "co", "corp", "gmbh", "inc", "is", "ivs", "kg", "llc", "ltd", "nv", "oy", "plc",
    "sa", "sarl", "sl", "spa", "srl",
}  # fmt: skip
SPELLED_OUT = str.maketrans({"ø": "o", "æ": "a", "ß": "ss", "ł": "l", "đ": "d", "þ": "t", "ð": "d"})
SILENT = re.compile("[aeiouyhj]")
DOUBLE = re.compile(r"([^\W\d])\1+")
NO_NUMBER = re.compile("[a-zA-Z,;]")
SAME_SOUND = str.maketrans({"c": "k", "q": "k", "w": "v", "z": "s"})


class Sign(models.TextChoices):
    """What two contacts have in common: the second letter of a key. The first tells people from companies."""

    EMAIL = "e", _("Same e-mail")
    PHONE = "p", _("Same phone")
    NAME = "n", _("Similar name")


class ContactKeyManager(models.Manager["ContactKey"]):
    def keep(self, contacts: Sequence[Any], *, are_new: bool = False) -> None:
        """Store the keys of contacts that were stored just now, in place of their former ones."""
        if contacts and not are_new:
            self.filter(contact__in=contacts).delete()
        alive = [contact for contact in contacts if contact.deleted_at is None]
        self.bulk_create([self.model(contact=contact, key=key) for contact in alive for key in keys_of(contact)])


class ContactKey(models.Model):
    """One thing by which a contact can be recognised."""

    contact = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="keys")
    key = models.CharField(max_length=LONGEST)

    objects = ContactKeyManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "contact"], name="one_of_each_key")]

    def __str__(self) -> str:
        return self.key


class NotDuplicates(models.Model):
    """Somebody said that these two are not the same. `first` is the one with the lower key."""

    first = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="+")
    second = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="said_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="first_before_second"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} is not {self.second_id}"


def keys_of(contact: Any) -> set[str]:
    """The keys of a contact, whatever they are like: the fields of `READ` are all that is looked at."""
    kind = contact.type[0]
    return {f"{kind}{sign}:{value}"[:LONGEST] for sign, value in marks(contact)}


def marks(contact: Any) -> Iterator[tuple[Sign, str]]:
    for name in EMAILS:
        if email := getattr(contact, name).strip().lower():
            yield Sign.EMAIL, email
    is_person = contact.type == "person"
    words = name_words(contact) if is_person else []
    for name in SHARED_PHONES + OWN_PHONES:
        if digits := phone_digits(getattr(contact, name)):
            yield from ((Sign.PHONE, f"{digits} {word}") for word in words)
            if not is_person or name in OWN_PHONES:
                yield Sign.PHONE, digits
    company = company_words(contact.company_name if is_person else contact.name)
    if company and (not is_person or len(words) == 2):
        yield Sign.NAME, " ".join([*sorted(words), "/", *company])


def name_words(contact: Any) -> list[str]:
    """The first and the last word of a person's name, as they are compared."""
    words = list(filter(None, map(skeleton, contact.name.split())))
    return [words[0], words[-1]] if len(words) > 1 else words


@lru_cache(maxsize=4096)
def company_words(name: str) -> list[str]:
    """A company's name as it is compared."""
    words = [word for word in name.split() if letters(word)]
    return [skeleton(word) for word in words if letters(word) not in LEGAL_FORMS] or [skeleton(word) for word in words]


def phone_digits(phone: str) -> str:
    """The last eight digits, which do not differ between notations; '' for a number of fewer."""
    digits = phone_number(phone)
    return digits[-DIGITS:] if len(digits) >= DIGITS else ""


def phone_number(phone: str) -> str:
    """All digits of a number, without the noughts before it and what comes after it."""
    number = NO_NUMBER.split(phone.replace("(0)", ""), maxsplit=1)[0]
    return "".join(str(unicodedata.decimal(character)) for character in number if character.isdecimal()).lstrip("0")


def same_number(one: str, other: str) -> bool:
    """Whether two numbers of eight digits and more are one, written with and without what dials another place."""
    return one.endswith(other) or other.endswith(one)


def letters(word: str) -> str:
    """The letters and digits of a word alone, in lower case, without accents."""
    plain = word.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.translate(SPELLED_OUT))
    return plain if plain.isalnum() else "".join(character for character in plain if character.isalnum())


@lru_cache(maxsize=4096)
def skeleton(word: str) -> str:
    """The first letter, and the consonants after it, with those that sound alike written alike."""
    plain = letters(word).replace("ph", "f").translate(SAME_SOUND)
    return plain[:1] + DOUBLE.sub(r"\1", SILENT.sub("", plain[1:]))
