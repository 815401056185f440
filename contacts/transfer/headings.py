"""Which heading means which field: our own names, Outlook's and Google's exports, and what people write themselves.

Headings of the first three are known. The rest are guesses, which the page asks to look at.
"""

import unicodedata
from functools import cache

from django.utils.translation import get_language, gettext, override

from contacts.models import Contact

# The header of our own files, in this order.
FIELDS = [
    "number", "type", "name", "first_name", "middle_name", "surname", "initials", "title", "job_title", "department",
    "company", "company_name", "email", "email_2", "email_3", "phone", "phone_2", "mobile_phone", "home_phone", "fax",
    "home_page", "address", "address_2", "city", "county", "post_code", "country", "territory", "salesperson",
    "birthday", "notes", "privacy_blocked",
]  # fmt: skip

# Columns of Outlook's that are no field of ours by themselves.
STREETS = ["street", "street_2", "street_3"]
PRIVATE = "private"

OUTLOOK = {
    "title": ["Title", "Titel"],
    "first_name": ["First Name", "Fornavn"],
    "middle_name": ["Middle Name", "Mellemnavn"],
    "surname": ["Last Name", "Efternavn"],
    "initials": ["Initials", "Initialer"],
    "company_name": ["Company", "Firma"],
    "department": ["Department", "Afdeling"],
    "job_title": ["Job Title", "Stilling"],
    "street": ["Business Street", "Gade (arbejde)", "Gade (firma)"],
    "street_2": ["Business Street 2", "Gade 2 (arbejde)", "Gade 2 (firma)"],
    "street_3": ["Business Street 3", "Gade 3 (arbejde)", "Gade 3 (firma)"],
    "city": ["Business City", "By (arbejde)"],
    "county": ["Business State", "Område (arbejde)"],
    "post_code": ["Business Postal Code", "Postnummer (arbejde)"],
    "country": ["Business Country/Region", "Business Country", "Land/område (arbejde)"],
    "email": ["E-mail Address", "E-mail-adresse"],
    "email_2": ["E-mail 2 Address", "E-mail 2-adresse"],
    "email_3": ["E-mail 3 Address", "E-mail 3-adresse"],
    "phone": ["Business Phone", "Telefon (arbejde)"],
    "phone_2": ["Business Phone 2", "Telefon 2 (arbejde)"],
    "mobile_phone": ["Mobile Phone", "Mobiltelefon"],
    "home_phone": ["Home Phone", "Telefon (privat)"],
    "fax": ["Business Fax", "Fax (arbejde)"],
    "home_page": ["Web Page", "Webside"],
    "birthday": ["Birthday", "Fødselsdag"],
    "notes": ["Notes", "Notater"],
    PRIVATE: ["Sensitivity", "Følsomhed"],
}
# Headings that only Outlook writes; "Title" or "Notes" may well be somebody's own.
SURE_SIGNS = {"First Name", "Last Name", "E-mail Address", "Fornavn", "Efternavn", "E-mail-adresse"}

# Google's, both the older ones and today's. Those with a number are read by contacts/transfer/google.py.
GOOGLE = {
    "name": ["Name"],
    "first_name": ["Given Name", "First Name"],
    "middle_name": ["Additional Name", "Middle Name"],
    "surname": ["Family Name", "Last Name"],
    "title": ["Name Prefix"],
    "initials": ["Initials"],
    "company_name": ["Organization Name"],
    "job_title": ["Organization Title"],
    "department": ["Organization Department"],
    "birthday": ["Birthday"],
    "notes": ["Notes"],
    PRIVATE: ["Sensitivity"],
}

# What people, and other programs, call them. The captions of our own pages, in both languages, come to these.
OFTEN = {
    "number": ["Contact no.", "Kontaktnr.", "Nr."],
    "name": ["Full name", "Contact", "Contact name", "Display name", "Navn", "Fulde navn", "Kontakt"],
    "first_name": ["Forename", "Given name", "First", "Fornavne"],
    "middle_name": ["Mellemnavne"],
    "surname": ["Family name", "Last", "Lastname"],
    "title": ["Salutation", "Name prefix"],
    "job_title": ["Position", "Function", "Role", "Jobtitel", "Titel"],
    "company_name": [
        "Organisation", "Organization", "Account", "Account name", "Customer", "Employer", "Virksomhed", "Firmanavn",
        "Kunde", "Organization name",
    ],
    "email": ["Mail", "E-mail address", "Email address", "E-post", "Mailadresse", "Primary email", "Work email"],
    "email_2": ["Email 2", "Secondary email", "Other email"],
    "phone": [
        "Phone", "Telephone", "Phone number", "Tel", "Work phone", "Office phone", "Direct", "Telefon", "Tlf",
        "Tlf.nr.", "Telefonnr.", "Telefonnummer", "Arbejdstelefon",
    ],
    "phone_2": ["Phone 2", "Telefon 2", "Other phone"],
    "mobile_phone": ["Mobile", "Cell", "Cell phone", "Mobile number", "Mobil", "Mobilnr.", "Mobilnummer", "Mobiltlf"],
    "home_phone": ["Private phone", "Privattelefon", "Telefon privat"],
    "fax": ["Fax number", "Faxnr.", "Faxnummer"],
    "home_page": ["Website", "Web", "URL", "Web site", "Homepage", "Hjemmeside", "Internet"],
    "address": ["Street", "Street address", "Address 1", "Address line 1", "Adresse", "Gade", "Vej", "Adresse 1"],
    "address_2": ["Address line 2", "Adresse 2"],
    "city": ["Town", "By", "Bynavn"],
    "county": ["State", "Region", "Province", "Område"],
    "post_code": ["Zip", "Zip code", "Postal code", "Postcode", "Postnr.", "Postnummer"],
    "country": ["Country", "Region/Country", "Land"],
    "salesperson": ["Owner", "Account manager", "Sælger", "Ansvarlig"],
    "birthday": ["Date of birth", "Birth date", "Fødselsdato"],
    "notes": ["Note", "Comment", "Comments", "Remarks", "Bemærkninger", "Kommentar", "Noter"],
}  # fmt: skip
LANGUAGES = ("en", "da")


def key(heading: str) -> str:
    """Headings that differ in case, spaces or the way that letters are composed are the same."""
    return " ".join(unicodedata.normalize("NFC", heading).casefold().split())


def loose(heading: str) -> str:
    """The same for guessing: without anything but letters and digits."""
    return "".join(character for character in key(heading) if character.isalnum())


@cache
def guesses() -> dict[str, str]:
    """Field by loose heading, the surest first."""
    found = {loose(name): name for name in FIELDS}
    for name, headings in OFTEN.items():
        for heading in headings:
            found.setdefault(loose(heading), name)
    for language in LANGUAGES:
        with override(language):
            for name in FIELDS:
                found.setdefault(loose(str(Contact._meta.get_field(name).verbose_name)), name)
    for table in (OUTLOOK, GOOGLE):
        for name, headings in table.items():
            for heading in headings:
                found.setdefault(loose(heading), name)
    return found


@cache
def captions(language: str) -> dict[str, str]:
    """Field by heading that is letter for letter its caption in a language."""
    with override(language):
        return {key(str(Contact._meta.get_field(name).verbose_name)): name for name in reversed(FIELDS)}


def is_caption(heading: str, name: str) -> bool:
    """Whether the heading is, letter for letter, what the page calls the field in the language of now."""
    return captions(get_language() or "en").get(key(heading)) == name


def of_wrong_rows() -> list[str]:
    """The two columns that the file of wrong rows begins with."""
    return [gettext("Row"), gettext("What is wrong")]


@cache
def passed_over() -> set[str]:
    """Loose headings of columns that are ours and hold nothing."""
    found = set()
    for language in LANGUAGES:
        with override(language):
            found |= set(map(loose, of_wrong_rows()))
    return found


OUR_OWN = {name: name for name in FIELDS}
OUTLOOK_BY_KEY = {key(heading): name for name, headings in OUTLOOK.items() for heading in headings}
GOOGLE_BY_KEY = {key(heading): name for name, headings in GOOGLE.items() for heading in headings}
KEYS_OF_SURE_SIGNS = {key(heading) for heading in SURE_SIGNS}
