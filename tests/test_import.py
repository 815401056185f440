"""Contacts from files: what is understood, what is refused, and that nothing is ever half imported."""

import codecs
import datetime
import io

import pytest

from contacts.models import Contact
from contacts.transfer.importing import Choices, import_contacts
from contacts.transfer.report import Report
from contacts.transfer.sheet import UnreadableFile
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


def read(text, encoding="utf-8", dry_run=False, **choices):
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode(encoding))
    return import_contacts(file, by=None, choices=Choices(**choices), report=Report(is_dry_run=dry_run))


def mistakes(text, **options):
    report = read(text, **options)
    assert not report.is_done
    return [(note.row, note.name) for note in report.notes_on_mistakes]


def test_our_own_names_are_the_header():
    user = UserFactory(code="JR")
    report = read(
        "type,name,first_name,surname,company,email,phone,country,salesperson,birthday,privacy_blocked,notes\r\n"
        'person,,Anne,Nørgård,Fabrikam A/S,anne@x.example,+45 33,Danmark,jr,1980-05-31,yes,"two\r\nlines"\r\n'
        "company,Fabrikam A/S,,,,,,DE,,,no,\r\n"
    )
    assert (report.rows, report.created, report.mistakes, report.is_done) == (2, 2, 0, True)
    company, person = Contact.objects.order_by("pk")
    assert (company.name, company.company_name, str(company.country)) == ("Fabrikam A/S", "Fabrikam A/S", "DE")
    assert (person.name, person.company, person.company_name) == ("Anne Nørgård", company, "Fabrikam A/S")
    assert (person.phone, str(person.country), person.salesperson) == ("+45 33", "DK", user)
    assert (person.birthday, person.privacy_blocked) == (datetime.date(1980, 5, 31), True)
    assert person.notes == "two\r\nlines"


def test_rows_with_a_known_number_change_that_contact_and_leave_other_columns_alone():
    person = PersonFactory(city="Aarhus", job_title="Buyer", phone="1")
    report = read(f"number,city,phone\n{person.number.lower()},Odense,\n")
    assert (report.updated, report.created) == (1, 0)
    person.refresh_from_db()
    assert (person.city, person.phone, person.job_title, person.version) == ("Odense", "", "Buyer", 2)
    report = read(f"number,city,phone\n{person.number},Odense,\n")
    assert (report.updated, report.unchanged) == (0, 1)
    person.refresh_from_db()
    assert person.version == 2


def test_a_number_that_is_not_known_is_kept_and_never_given_again():
    read("number,first_name\nCT000041,Anne\nB-77,Bo\n,Carl\n")
    assert set(Contact.objects.values_list("number", "name")) == {
        ("CT000041", "Anne"),
        ("B-77", "Bo"),
        ("CT000042", "Carl"),
    }


def test_one_mistake_anywhere_and_nothing_is_stored():
    person = PersonFactory(city="Aarhus")
    text = f"number,first_name,email,city\n{person.number},Anne,anne@x.example,Odense\n,Bo,bo@x.example,\n,Carl,carl,\n"
    assert mistakes(text) == [(4, "email")]
    assert Contact.objects.count() == 1
    person.refresh_from_db()
    assert person.city == "Aarhus"
    read("first_name\nDorte\n")
    assert Contact.objects.get(name="Dorte").number == "CT000002"


def test_a_dry_run_tells_the_same_and_stores_nothing():
    person = PersonFactory()
    report = read(f"number,first_name\n{person.number},Changed\n,New\n", dry_run=True)
    assert (report.created, report.updated, report.is_done) == (1, 1, False)
    assert Contact.objects.count() == 1
    person.refresh_from_db()
    assert person.version == 1


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("email=anne.example", "email"), ("email=a@b@c.example", "email"), ("country=Atlantis", "country"),
        ("salesperson=NOBODY", "salesperson"), ("birthday=31-02-1980", "birthday"), ("birthday=soon", "birthday"),
        ("birthday=2999-01-01", "birthday"), ("type=robot", "type"), ("privacy_blocked=perhaps", "privacy_blocked"),
        ("number=CT 1", "number"), ("number=" + "9" * 21, "number"), ("company=Nowhere Ltd", "company"),
        ("city=" + "x" * 500, "city"), ("notes=" + "x" * 30_001, "notes"), ("first_name=", "first_name"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named_by_row_and_column(row, field):
    name, value = row.split("=", 1)
    columns = {"first_name": "Anne", "title": "Dr", name: value}
    assert mistakes(f"{','.join(columns)}\n{','.join(columns.values())}\n") == [(2, field)]
    assert not Contact.objects.exists()


def test_broken_rows_are_named_and_the_rest_is_still_read():
    text = 'first_name,city\nAnne,Aarhus\n\nBo\nCarl,Odense,x\n"Dor"te,Vejle\nErik,bad\nFie,"open\n'
    assert mistakes(text) == [(4, ""), (5, ""), (6, ""), (8, "")]


def test_a_cell_of_ten_megabytes_is_a_mistake_and_no_crash():
    assert mistakes("first_name,notes\nAnne," + "x" * 10_000_000 + "\nBo,\n") == [(2, "")]


def test_every_row_has_its_mistakes_and_only_the_first_few_hundred_are_kept():
    report = read("first_name,email\n" + "Anne,bad\n" * 1000)
    assert (report.mistakes, len(report.notes_on_mistakes)) == (1000, 200)
    assert str(report.notes_on_mistakes[0]) == "Row 2, E-mail: “bad” is not an e-mail address."


def test_a_number_may_stand_in_the_file_once():
    assert mistakes("number,first_name\nA1,Anne\na1,Bo\n") == [(3, "number")]
    person = PersonFactory()
    rows = f"{person.number},x\n" + "\n".join(f"N{n},y" for n in range(600)) + f"\n{person.number},z\n"
    assert mistakes(f"number,first_name\n{rows}") == [(603, "number")]


def test_contacts_in_the_trash_are_not_changed():
    person = PersonFactory()
    person.trash(by=None)
    assert mistakes(f"number,first_name\n{person.number},Anne\n") == [(2, "number")]


def test_a_company_with_people_stays_a_company():
    company = CompanyFactory()
    PersonFactory(company=company)
    assert mistakes(f"number,type,first_name\n{company.number},person,Anne\n") == [(2, "type")]


def test_renaming_a_company_reaches_its_people_who_may_stand_in_the_same_file():
    company = CompanyFactory(name="Old")
    person = PersonFactory(company=company, company_name="Old")
    read(f"number,type,name,city\n{company.number},company,New,\n{person.number},person,,Aarhus\n")
    person.refresh_from_db()
    assert (person.company_name, person.city, person.company) == ("New", "Aarhus", company)


def test_a_company_that_several_have_the_name_of_must_be_given_by_number():
    one, _two = CompanyFactory(name="Twins"), CompanyFactory(name="Twins")
    assert mistakes("first_name,company\nAnne,Twins\n") == [(2, "company")]
    read(f"first_name,company\nAnne,{one.number}\n")
    assert Contact.objects.get(first_name="Anne").company == one
    read("first_name,company_name\nBo,Twins\n")
    bo = Contact.objects.get(first_name="Bo")
    assert (bo.company, bo.company_name) == (None, "Twins")


def test_people_whom_the_crm_has_already_are_left_out():
    person = PersonFactory(first_name="Anne", surname="Berg", email="Anne@X.example")
    report = read(
        "first_name,surname,email\nAnne,Berg,anne@x.example\nBo,Chen,bo@x.example\nBo,Chen,BO@x.example\nOther,Berg,anne@x.example\n"
    )
    assert (report.created, report.left_out) == (2, 2)
    assert [str(note) for note in report.notes_on_left_out] == [
        f"Row 2: {person.number} Anne Berg: same e-mail",
        "Row 4: Row 3: same e-mail",
    ]


def test_a_whole_name_is_taken_apart_where_the_file_has_no_parts():
    read("name,email\nAnne van Berg,anne@x.example\nMadonna,\n")
    assert set(Contact.objects.values_list("first_name", "surname")) == {("Anne van", "Berg"), ("", "Madonna")}


# --- The file --------------------------------------------------------------------------------------------------------

NAMES = "first_name;surname\nÅse;Nørgård\n"


@pytest.mark.parametrize(
    "data",
    [
        NAMES.encode(), NAMES.encode("utf-8-sig"), NAMES.encode("utf-16"), NAMES.encode("utf-16-le"),
        NAMES.encode("cp1252"), codecs.BOM_UTF16_BE + NAMES.encode("utf-16-be"), NAMES.replace(";", ",").encode(),
        NAMES.replace(";", "\t").encode(), NAMES.replace(";", "|").encode(), f"sep=;\n{NAMES}".encode(),
        NAMES.replace("\n", "\r\n").encode(), NAMES.replace("\n", "\r").encode(), f"\n\n{NAMES}".encode(),
        "SURNAME ; First_Name\nNørgård;Åse".encode(),
    ],
)  # fmt: skip
def test_encoding_delimiter_and_line_ends_are_found_out(data):
    assert read(data).created == 1
    assert Contact.objects.get().name == "Åse Nørgård"


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00" + bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (PICTURE, "no CSV file"),
        (b"PK\x03\x04\x14\x00\x06\x00xl/workbook", "no CSV file"),
        (b"\xff\xfeh\x00\x00\xd8", "no CSV file"),
        (b"first_name\nAnne\x81\x8d", "no CSV file"),
        (b"a,b,c\n1,2,3\n", "None of the columns"),
        (b"just words", "None of the columns"),
        (b"email,E-mail Address\na@b.example,c@d.example\n", "mean the same field"),
        (b'"first_name\nAnne', "None of the columns"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data, message):
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_a_header_alone_is_no_mistake():
    assert read("first_name,email\n").rows == 0


def test_the_web_takes_only_so_many_rows():
    with pytest.raises(UnreadableFile, match="more than 3 rows"):
        read("first_name\n" + "Anne\n" * 4, most_rows=3)
