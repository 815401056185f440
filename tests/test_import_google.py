"""Google's own CSV exports: the older headings, and those of today."""

import io

import pytest

from contacts.models import Contact
from contacts.transfer.importing import import_contacts
from contacts.transfer.sheet import look_at

pytestmark = pytest.mark.django_db

TODAY = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Phone 2 - Label,Phone 2 - Value,Phone 3 - Label,Phone 3 - Value,Address 1 - Label,Address 1 - Formatted,"
    "Address 1 - Street,Address 1 - City,Address 1 - PO Box,Address 1 - Region,Address 1 - Postal Code,"
    "Address 1 - Country,Address 1 - Extended Address,Address 2 - Label,Address 2 - Street,Address 2 - City,"
    "Website 1 - Label,Website 1 - Value\r\n"
)
OLDER = (
    "Name,Given Name,Additional Name,Family Name,Yomi Name,Name Prefix,Name Suffix,Initials,Nickname,Birthday,Gender,"
    "Location,Sensitivity,Notes,Language,Photo,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,"
    "Phone 1 - Value,Phone 2 - Type,Phone 2 - Value,Address 1 - Type,Address 1 - Street,Address 1 - City,"
    "Address 1 - Postal Code,Address 1 - Country,Organization 1 - Type,Organization 1 - Name,Organization 1 - Title,"
    "Organization 1 - Department,Website 1 - Type,Website 1 - Value\r\n"
)


def read(text):
    return import_contacts(io.BytesIO(text.encode()), by=None)


def facts(contact, *names):
    return tuple(str(getattr(contact, name)) for name in names)


def test_an_export_of_today_fills_the_fields_by_its_labels():
    report = read(
        TODAY + "Anne,van,Nørgård,,,,Dr,,,,Fabrikam A/S,Buyer,Sales,1980-05-31,A note,,* myContacts,"
        "Home,anne@home.example,* Work,anne@x.example,Mobile,+45 20,Work,+45 33,Work Fax,+45 44,"
        "Home,,Hjemvej 1,Ribe,,,6760,DK,,Work,Store Torv 1,Aarhus,Profile,https://x.example\r\n"
    )
    assert (report.created, report.mistakes) == (1, 0)
    anne = Contact.objects.get()
    assert facts(anne, "name", "title", "company_name", "job_title", "department") == (
        "Anne van Nørgård", "Dr", "Fabrikam A/S", "Buyer", "Sales",
    )  # fmt: skip
    assert facts(anne, "email", "email_2", "phone", "mobile_phone", "fax") == (
        "anne@x.example", "anne@home.example", "+45 33", "+45 20", "+45 44",
    )  # fmt: skip
    assert facts(anne, "address", "city", "home_page", "birthday", "notes") == (
        "Store Torv 1", "Aarhus", "https://x.example", "1980-05-31", "A note",
    )  # fmt: skip


def test_an_older_export_is_understood_too():
    read(
        OLDER + "Bo Chen,Bo,,Chen,,,,BC,,--05-31,,,,,,,* myContacts,* Home,bo@x.example ::: bo2@x.example,"
        "Main,+45 1,Work,+45 2 ::: +45 3,Work,Torvet 1,Odense,5000,Danmark,,Firma ApS,Chef,Salg,Home Page,"
        "www.x.example\r\n"
        "Madonna,,,,,,,,,,,,,,,,,,m@x.example,,,,,,,,,,,,,,,\r\n"
        "Firma ApS,,,,,,,,,,,,,,,,,,info@x.example,Work,+45 9,,,,,,,,,Firma ApS,,,,\r\n"
        "Eva,Eva,,,,,,,,,,,Private,,,,,,eva@x.example,,,,,,,,,,,,,,,\r\n"
    )
    firma = Contact.objects.companies().get()
    assert facts(firma, "name", "email", "phone") == ("Firma ApS", "info@x.example", "+45 9")
    bo = Contact.objects.get(first_name="Bo")
    assert (bo.company, bo.birthday, str(bo.country)) == (firma, None, "DK")
    assert facts(bo, "email", "email_2", "phone", "phone_2", "notes", "home_page") == (
        "bo@x.example", "bo2@x.example", "+45 1", "+45 2", "Phone: +45 3", "www.x.example",
    )  # fmt: skip
    assert set(Contact.objects.persons().values_list("name", flat=True)) == {"Bo Chen", "Madonna"}


@pytest.mark.parametrize(
    ("header", "origin"), [(TODAY, "google"), (OLDER, "google"), ("Name,Notes\r\n", "ours"), ("Navn;Mail\r\n", "other")]
)
def test_google_is_known_by_its_numbered_headings(header, origin):
    assert look_at(io.BytesIO(header.encode())).columns.origin == origin
