"""Contacts out, and back in again; the two commands; and the page that exports."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from contacts.models import Contact
from contacts.transfer.cells import quoted, unquoted
from contacts.transfer.exporting import as_csv, as_json
from contacts.transfer.importing import import_contacts
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def everybody(user):
    """Contacts whose fields hold what is hard to carry over."""
    late_company = CompanyFactory.build(number="ZZ-9", name='Quote "&" Søn; A/S, 陈')
    person = PersonFactory(
        first_name="  Anne ", surname="'=Berg", name="Anne '=Berg", notes='line 1\r\nline 2\n\n"quoted", and;\ttabs',
        phone="+45 33 11 22 33", phone_2="-1 555", mobile_phone="@home", fax="+HYPERLINK()", home_phone="''+1",
        job_title='=HYPERLINK("http://evil.example")', city="\tAarhus", county="\rx", department="'quoted'",
        country="DK", salesperson=user, birthday="1980-05-31", email="anne@x.example", privacy_blocked=True,
        home_page="javascript:x", company_name="Not in the CRM", address_2="1\n2\n3", territory="+", title="-",
        initials="@",
    )  # fmt: skip
    late_company.company_name = late_company.name
    late_company.save()
    PersonFactory(
        first_name="محمد", company=late_company, company_name=late_company.name, salesperson=UserFactory(code=None)
    )
    PersonFactory(first_name="Gone").trash(by=None)
    return person


def exported():
    return "".join(as_csv(Contact.objects.alive()))


def test_a_round_trip_changes_not_one_byte(everybody):
    first = exported()
    Contact.objects.filter(company__isnull=False).update(company=None)
    Contact.objects.all().delete()
    report = import_contacts(io.BytesIO(first.encode()), by=None)
    assert [str(note) for note in report.notes_on_mistakes] == []
    assert report.created == 3
    assert exported() == first


def test_importing_an_export_changes_nothing(everybody):
    versions = dict(Contact.objects.values_list("number", "version"))
    report = import_contacts(io.BytesIO(exported().encode("utf-8-sig")), by=None)
    assert (report.unchanged, report.updated, report.created, report.mistakes) == (3, 0, 0, 0)
    assert dict(Contact.objects.values_list("number", "version")) == versions


def test_no_cell_begins_like_a_formula(everybody):
    for row in csv.reader(io.StringIO(exported())):
        for cell in row:
            assert not cell.startswith(("=", "-", "@", "\t", "\r")), cell
            assert not cell.startswith("+") or cell.lstrip("+").replace(" ", "").isdigit() or cell == "+", cell


@pytest.mark.parametrize(
    "text", ["", "a", "=1", "'=1", "''=1", "'", "''", "+45 33", "+SUM(A1)", "'+45", "-", "@x", "\t", "'a", "a=1"]
)
def test_quoting_is_undone_exactly(text):
    assert unquoted(quoted(text)) == text


def test_json_has_the_same_fields(everybody, user):
    rows = json.loads("".join(as_json(Contact.objects.alive())))
    assert len(rows) == 3
    assert rows[0]["phone_2"] == "-1 555"
    assert (rows[0]["salesperson"], rows[0]["birthday"], rows[0]["privacy_blocked"]) == ("JR", "1980-05-31", True)
    assert json.loads("".join(as_json(Contact.objects.none()))) == []


def test_export_reads_contacts_in_one_query(everybody, django_assert_num_queries):
    with django_assert_num_queries(1):
        exported()


# --- The commands ----------------------------------------------------------------------------------------------------


def test_the_commands_carry_contacts_over(everybody, tmp_path, capsys):
    out = io.StringIO()
    call_command("export_contacts", stdout=out)
    file = tmp_path / "contacts.csv"
    file.write_text(out.getvalue(), newline="")
    Contact.objects.filter(first_name="محمد").update(city="Elsewhere")
    out = io.StringIO()
    call_command("import_contacts", str(file), "--dry-run", stdout=out)
    assert "0 would be created, 1 would be updated, 2 would be unchanged" in out.getvalue()
    assert Contact.objects.filter(city="Elsewhere").exists()
    call_command("import_contacts", str(file), stdout=out)
    assert not Contact.objects.filter(city="Elsewhere").exists()
    out = io.StringIO()
    call_command("export_contacts", "--format", "json", stdout=out)
    assert len(json.loads(out.getvalue())) == 3


def test_the_import_command_names_every_mistake_and_fails(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("first_name,email\nAnne,bad\nBo,bo@x.example\n")
    err = io.StringIO()
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_contacts", str(file), stderr=err)
    assert "Row 2, E-mail: “bad” is not an e-mail address." in err.getvalue()
    assert not Contact.objects.exists()
    for wrong in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_contacts", str(wrong))
    file.write_bytes(b"\x89PNG\0\0")
    with pytest.raises(CommandError, match="no CSV file"):
        call_command("import_contacts", str(file))


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_export_page_gives_what_the_list_shows(client):
    PersonFactory(first_name="Anne", city="Aarhus")
    PersonFactory(first_name="Bo", city="Berlin")
    response = client.get("/contacts/export/?f-city=A*")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert [row["first_name"] for row in csv.DictReader(io.StringIO(text))] == ["Anne"]
    assert response["Content-Disposition"].startswith('attachment; filename="contacts-')
    response = client.get("/contacts/export/?format=json&q=bo")
    assert [row["city"] for row in json.loads(b"".join(response.streaming_content))] == ["Berlin"]
    assert client.get("/contacts/export/?format=exe").status_code == 400
    assert client.get("/contacts/export/?f-city=(").status_code == 400
    assert Client().get("/contacts/export/").status_code == 302
