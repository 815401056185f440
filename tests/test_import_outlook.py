"""Outlook's own CSV exports, in English and Danish."""

import datetime
import io

import pytest

from contacts.models import Contact
from contacts.transfer.importing import import_contacts
from tests.factories import CompanyFactory

pytestmark = pytest.mark.django_db

ENGLISH = (
    '"Title","First Name","Middle Name","Last Name","Suffix","Company","Department","Job Title","Business Street",'
    '"Business Street 2","Business Street 3","Business City","Business State","Business Postal Code",'
    '"Business Country/Region","Business Fax","Business Phone","Business Phone 2","Home Phone","Mobile Phone",'
    '"Birthday","E-mail Address","E-mail Type","E-mail 2 Address","E-mail 3 Address","Initials","Notes","Private",'
    '"Sensitivity","Web Page"\r\n'
)
DANISH = (
    "Titel;Fornavn;Mellemnavn;Efternavn;Firma;Afdeling;Stilling;Gade (arbejde);Gade 2 (firma);By (arbejde);"
    "Område (arbejde);Postnummer (arbejde);Land/område (arbejde);Fax (arbejde);Telefon (arbejde);Telefon 2 (arbejde);"
    "Telefon (privat);Mobiltelefon;Fødselsdag;E-mail-adresse;E-mail 2-adresse;Initialer;Notater;Følsomhed;webside\r\n"
)


def read(text, encoding="cp1252"):
    return import_contacts(io.BytesIO(text.encode(encoding)), by=None)


def test_an_english_export_fills_every_field():
    fabrikam = CompanyFactory(name="Fabrikam A/S")
    report = read(
        ENGLISH
        + '"Dr","Anne","van","Nørgård","","Fabrikam A/S","Sales","Buyer","Store Torv 1","2nd floor","c/o Bo","Aarhus",'
        '"Jutland","8000","Denmark","+45 1","+45 2","+45 3","+45 4","+45 5","31/05/1980","anne@x.example","SMTP",'
        '"anne2@x.example","anne3@x.example","AvN","A note","False","Normal","http://www.x.example"\r\n'
    )
    assert (report.created, report.mistakes) == (1, 0)
    assert report.unused == ["Suffix", "E-mail Type", "Private"]
    person = Contact.objects.persons().get()
    expected = {
        "title": "Dr", "name": "Anne van Nørgård", "company": fabrikam, "department": "Sales", "job_title": "Buyer",
        "address": "Store Torv 1", "address_2": "2nd floor\nc/o Bo", "city": "Aarhus", "county": "Jutland",
        "post_code": "8000", "country": "DK", "fax": "+45 1", "phone": "+45 2", "phone_2": "+45 3",
        "home_phone": "+45 4", "mobile_phone": "+45 5", "birthday": datetime.date(1980, 5, 31),
        "email": "anne@x.example", "email_2": "anne2@x.example",
        "email_3": "anne3@x.example", "initials": "AvN", "notes": "A note", "home_page": "http://www.x.example",
    }  # fmt: skip
    assert {name: getattr(person, name) for name in expected} == expected


def test_a_danish_export_is_understood():
    read(
        DANISH
        + "Dr;Åse;;Østergård;Firma ApS;Salg;Chef;Torvet 1;2. sal;Ærøskøbing;Fyn;5970;Danmark;1;2;3;4;5;31-05-1980;"
        "aase@x.example;;ÅØ;Note;Normal;www.x.example\r\n"
    )
    person = Contact.objects.get()
    assert (person.name, person.city, str(person.country), person.address_2) == (
        "Åse Østergård",
        "Ærøskøbing",
        "DK",
        "2. sal",
    )
    assert (person.birthday, person.company_name, person.company) == (datetime.date(1980, 5, 31), "Firma ApS", None)


def test_what_is_private_in_outlook_stays_out():
    report = read("First Name,Last Name,Sensitivity\nAnne,Berg,Private\nBo,Chen,Normal\n")
    assert (report.created, report.left_out) == (1, 1)
    assert str(report.notes_on_left_out[0]) == "Row 2: It is marked as private in Outlook."
    read("Fornavn;Efternavn;Følsomhed\nCarl;Dahl;Privat\n")
    assert Contact.objects.get().name == "Bo Chen"


def test_an_item_with_a_company_and_no_name_is_a_company_and_a_second_import_adds_nothing():
    header = "First Name,Last Name,Company,E-mail Address\n"
    text = header + ",,Fabrikam A/S,info@x.example\nAnne,Berg,Fabrikam A/S,anne@x.example\n"
    assert read(text).created == 2
    company, person = Contact.objects.order_by("pk")
    assert (company.type, company.name, person.company) == ("company", "Fabrikam A/S", company)
    assert read(text).left_out == 2


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["3/4/1980", "13/1/1980"], ["1980-04-03", "1980-01-13"]),
        (["3/4/1980", "1/13/1980"], ["1980-03-04", "1980-01-13"]),
        (["4/4/1980", "0/0/00"], ["1980-04-04", None]),
        (["1980-04-03", "3.4.1980"], ["1980-04-03", "1980-04-03"]),
    ],
)
def test_the_order_of_day_and_month_is_told_by_the_whole_file(dates, expected):
    read("First Name,Birthday\n" + "".join(f"P{n},{day}\n" for n, day in enumerate(dates)))
    found = Contact.objects.order_by("pk").values_list("birthday", flat=True)
    assert [day and day.isoformat() for day in found] == expected


def test_a_date_that_may_be_either_of_two_days_is_asked_about():
    report = read("First Name,Birthday\nAnne,3/4/1980\n")
    assert [note.name for note in report.notes_on_mistakes] == ["birthday"]
    report = read("First Name,Birthday\nAnne,3/4/1980\nBo,13/1/1980\nCarl,1/13/1980\n")
    assert report.mistakes == 1
    assert read("Fornavn;Fødselsdag\nAnne;3/4/1980\n").created == 1
    assert Contact.objects.get().birthday == datetime.date(1980, 4, 3)
