"""Importing with a preview: the file, its columns, what it would do row by row, and then doing just that."""

import csv
import importlib
import io

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from contacts.likeness import ContactKey
from contacts.models import Contact, Upload
from contacts.transfer.headings import FIELDS
from contacts.uploads import KEPT
from crmsync.sync.jobs import purge_trash
from tests.factories import PersonFactory, UserFactory

pytestmark = pytest.mark.django_db

PREVIEW = "/contacts/import/preview/"
COLUMNS = "/contacts/import/columns/"


@pytest.fixture
def user():
    return UserFactory(code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def upload(client, content, name="contacts.csv"):
    content = content.encode() if isinstance(content, str) else content
    return client.post("/contacts/import/", {"file": SimpleUploadedFile(name, content)})


def confirm(client, **changes):
    return client.post("/contacts/import/confirm/", {"digest": Upload.objects.get().digest} | changes, follow=True)


def rows(client, tab=""):
    return client.get(f"{PREVIEW}?tab={tab}").context["rows"]


def text_of(response):
    return b"".join(response.streaming_content).decode("utf-8-sig")


def test_the_preview_says_of_every_row_what_becomes_of_it_and_then_just_that_is_done(client, user):
    changing = PersonFactory(first_name="Anne", surname="Berg", city="Aarhus", email="")
    same = PersonFactory(first_name="Bo", surname="Chen", city="Berlin", email="")
    content = (
        f"number,first_name,surname,email,city\n{changing.number},Anne,Berg,anne@x.example,Odense\n"
        f"{same.number},Bo,Chen,,Berlin\n,Carl,Dahl,carl@x.example,\n,Dora,Egg,dora,Vejle\n"
    )
    assert upload(client, content)["Location"] == PREVIEW
    page = client.get(PREVIEW)
    assert [shown.row.kind for shown in page.context["rows"]] == ["changed", "same", "new", "wrong"]
    [change] = rows(client, "changed")
    lines = {line.label: (line.before.changed, line.after.changed) for line in change.lines}
    assert lines == {"E-mail": ("", "anne@x.example"), "City": ("Aarhus", "Odense")}
    [wrong] = rows(client, "wrong")
    assert wrong.mistakes == [("E-mail", "“dora” is not an e-mail address.")]
    assert "1 row is wrong and stays out" in page.content.decode()
    assert Contact.objects.count() == 2
    response = confirm(client)
    assert "1 contact was added, 1 was updated." in response.content.decode()
    changing.refresh_from_db()
    assert (changing.city, changing.modified_by) == ("Odense", user)
    assert set(Contact.objects.values_list("name", flat=True)) == {"Anne Berg", "Bo Chen", "Carl Dahl"}
    assert not Upload.objects.exists()


def test_a_row_that_empties_a_field_is_marked_and_counted(client, django_assert_num_queries):
    anne = PersonFactory(first_name="Anne", surname="Berg", city='Aarhus, ""]', email="anne@x.example")
    bo = PersonFactory(first_name="Bo", surname="Chen", city="", email="", privacy_blocked=True)
    content = "number,first_name,surname,email,city,privacy_blocked\n{},Anne,Berg,{},Odense,\n{},Bo,Chen,,Berlin,no\n"
    upload(client, content.format(anne.number, "", bo.number))
    with django_assert_num_queries(7):  # as for any file: what is emptied is not read from the rows
        page = client.get(PREVIEW).text
    assert "1 row empties a field" in page and page.count("import-empties") == 1
    assert (
        "Row 2, Anne Berg: E-mail. The e-mail goes from Outlook, too; who is not there yet stays out of it.</div>"
        in page
    )
    assert [shown.tone for shown in rows(client)] == ["warn", "info"]
    upload(client, content.format(anne.number, "anne@x.example", bo.number))
    page = client.get(PREVIEW).text
    assert "empties a field" not in page and "Import 2 rows" in page


def test_of_many_rows_that_empty_a_field_the_ones_without_an_e_mail_are_named_first(client):
    people = [
        PersonFactory(first_name=name, surname="Berg", city="Ribe", email=f"{name}@x.example") for name in "ABCDE"
    ]
    lines = [f"{person.number},{person.email if person is not people[4] else ''},\n" for person in people]
    upload(client, "number,email,city\n" + "".join(lines))
    page = client.get(PREVIEW).text
    assert "Row 6, E Berg: E-mail, City. Row 2, A Berg: City. Row 3, B Berg: City. And 2 more." in page
    assert "5 rows empty a field" in page and "The e-mail goes from Outlook, too" in page


def test_the_preview_says_whether_a_row_is_like_a_contact_or_like_an_earlier_row_and_offers_what_is_true(client):
    upload(client, "first_name,email\nBo,bo@x.example\nBo C.,bo@x.example\n")
    page = client.get(PREVIEW).text
    assert "1 row looks like an earlier row of the file" in page and "contact that is here" not in page
    assert "Fill in what is blank in the earlier row</button>" in page and "existing contact" not in page
    _stored, content = duplicates()
    upload(client, content)
    page = client.get(PREVIEW).text
    assert "2 rows look like contacts that are here · 1 row looks like an earlier row of the file" in page
    assert "Fill in what is blank in the existing contact or the earlier row</button>" in page
    upload(client, content.replace("Karl,Dahl,carl@x.example", "Karl,Olsen,karl@x.example"))
    page = client.get(PREVIEW).text
    assert "2 rows look like contacts that are here</h2>" in page
    assert "Fill in what is blank in the existing contact</button>" in page


def test_a_file_that_waited_while_the_crm_was_upgraded_is_looked_at_once_more(client):
    upload(client, "first_name,email\nAnne,anne@x.example\n")
    importlib.import_module("contacts.migrations.0010_import_emptied").Migration.operations[-1].code(apps, None)
    assert client.get(PREVIEW)["Location"] == COLUMNS


def test_the_same_click_twice_imports_once(client):
    upload(client, "first_name,email\nAnne,anne@x.example\n")
    digest = Upload.objects.get().digest
    confirm(client)
    response = client.post("/contacts/import/confirm/", {"digest": digest}, follow=True)
    assert "imported already" in response.content.decode()
    assert Contact.objects.count() == 1


def test_a_crm_that_changed_since_the_preview_is_shown_anew_and_nothing_is_imported(client):
    person = PersonFactory(city="Aarhus")
    upload(client, f"number,city\n{person.number},Odense\n")
    Contact.objects.get().write({"city": "Ribe"}, by=None)
    response = confirm(client)
    assert "The CRM has changed since you looked" in response.content.decode()
    assert Contact.objects.get().city == "Ribe"
    assert "1 was updated" in confirm(client).content.decode()
    assert Contact.objects.get().city == "Odense"


def test_wrong_rows_come_back_as_a_file_that_no_spreadsheet_runs_and_that_can_be_imported_mended(client):
    content = 'first_name;email;notes\nAnne;anne@x.example;\nBo;bo;"=1+1"\nCarl;carl@x.example\n=Dora;d;+45 1\n'
    upload(client, content)
    response = client.get("/contacts/import/mistakes/")
    assert response["Content-Disposition"] == 'attachment; filename="wrong-rows.csv"'
    text = text_of(response)
    found = list(csv.reader(io.StringIO(text)))
    assert found[0] == ["Row", "What is wrong", "first_name", "email", "notes"]
    assert found[1] == ["3", "E-mail: “bo” is not an e-mail address.", "Bo", "bo", "'=1+1"]
    assert found[2] == ["4", "This row has 2 cells; the header has 3.", "Carl", "carl@x.example"]
    assert found[3][2:] == ["'=Dora", "d", "+45 1"]
    confirm(client)
    mended = [*found[:2], found[3]]
    mended[1][3], mended[2][3] = "bo@x.example", "dora@x.example"
    again = io.StringIO()
    csv.writer(again).writerows(mended)
    assert upload(client, again.getvalue())["Location"] == PREVIEW
    confirm(client)
    assert Contact.objects.get(email="bo@x.example").notes == "=1+1"
    assert Contact.objects.get(email="dora@x.example").first_name == "=Dora"


def test_unknown_headings_are_asked_about_and_guesses_can_be_changed(client):
    content = "Navn;Mail;Tlf;Sted;Skostørrelse\nAnne Berg;anne@x.example;33112233;Aarhus;39\n"
    assert upload(client, content)["Location"] == COLUMNS
    form = client.get(COLUMNS).context["form"]
    guesses = {row["field"].label: (row["field"].value(), row["is_guess"]) for row in form.rows}
    assert guesses["Navn"] == ("name", True)
    assert (guesses["Mail"], guesses["Tlf"]) == (("email", True), ("phone", True))
    assert guesses["Skostørrelse"] == ("", False)
    twice = {"column-0": "name", "column-1": "email", "column-2": "email", "column-3": "", "column-4": ""}
    response = client.post(COLUMNS, twice)
    assert response.status_code == 422 and "Another column holds that already" in response.content.decode()
    assert client.post(COLUMNS, {}).status_code == 422
    assert client.post(COLUMNS, twice | {"column-2": "rubbish"}).status_code == 422
    chosen = twice | {"column-2": "mobile_phone", "column-3": "city"}
    assert client.post(COLUMNS, chosen)["Location"] == PREVIEW
    assert "Not used: Skostørrelse." in client.get(PREVIEW).content.decode()
    confirm(client)
    anne = Contact.objects.get()
    assert (anne.first_name, anne.surname, anne.mobile_phone, anne.city) == ("Anne", "Berg", "33112233", "Aarhus")


@pytest.mark.parametrize(("language", "heading"), [("en", "E-mail 2"), ("da", "Mail 2")])
def test_a_heading_that_is_the_caption_of_the_page_is_known_and_in_another_language_a_guess(client, language, heading):
    for spoken in ("en", "da"):
        client.cookies["django_language"] = spoken
        upload(client, f"number,{heading},Sted\n,anne@x.example,Aarhus\n")
        [column] = [each for each in Upload.objects.get().columns if each["heading"] == heading]
        assert (column["name"], column["surety"]) == ("email_2", "known" if spoken == language else "guessed")
        for reader in ("en", "da"):  # who has turned to another language since reads its captions there
            client.cookies["django_language"] = reader
            [row] = [row for row in client.get(COLUMNS).context["form"].rows if row["field"].label == heading]
            assert row["is_guess"] == (reader != language and spoken != language)


def test_everything_that_an_export_calls_its_columns_is_known_or_guessed(client):
    captions = [str(Contact._meta.get_field(name).verbose_name) for name in FIELDS]
    upload(client, ",".join(captions) + "\n" + ",".join("x" for _name in captions) + "\n")
    fields = Upload.objects.get().fields
    # "Company" is Outlook's for the company's name, which our own export has a column of its own for.
    assert {name: field for name, field in zip(FIELDS, fields, strict=True) if name != field} in (
        {},
        {"company": "company_name", "company_name": ""},
    )


def duplicates():
    stored = PersonFactory(
        first_name="Anne", surname="Berg", email="anne@x.example", mobile_phone="+45 20 30 40 50", city="Aarhus"
    )
    ContactKey.objects.keep([stored])
    content = (
        "first_name,surname,email,mobile_phone,company_name,city,job_title,notes\n"
        "A.,Berg,ANNE@x.example,,,Odense,Buyer,Tea\n"
        "Annie,B,,0045 20304050,,,,\n"
        "Carl,Dahl,carl@x.example,,,,,\n"
        "Karl,Dahl,carl@x.example,,,,Chef,\n"
        "Someone,Else,,,,,,\n"
    )
    return stored, content


def test_whoever_switches_the_language_reads_the_preview_in_it(client):
    stored, _content = duplicates()
    content = "first_name,surname,email,birthday\nA.,Berg,anne@x.example,\nDora,Egg,dora,x\nBo,Dahl\n"
    upload(client, content)
    danish = {"accept-language": "da"}
    alike, wrong, short = client.get(PREVIEW, headers=danish).context["rows"]
    with override("da"):
        assert alike.like == f"{stored.number} Anne Berg: samme mail"
        assert [message for _label, message in wrong.mistakes] == [
            "”dora” er ikke en mailadresse.",
            "”x” er ikke en dato. Skriv den som 1980-05-31.",
        ]
        assert short.mistakes == [("", "Denne række har 2 celler; overskriftsrækken har 4.")]
    assert "er ikke en mailadresse" in client.get(PREVIEW, headers=danish).text
    assert "er ikke en mailadresse" in text_of(client.get("/contacts/import/mistakes/", headers=danish))


def test_what_was_kept_as_plain_text_is_still_shown(client):
    upload(client, "first_name,email\nDora,dora\nBo,bo@x.example\n")
    found = Upload.objects.get().rows
    found.filter(row=2).update(mistakes=[["email", "This is wrong."]])
    found.filter(row=3).update(like="Row 2: same phone", reason="Erased.")
    wrong, alike = rows(client)
    assert wrong.mistakes == [("E-mail", "This is wrong.")] and "This is wrong." in client.get(PREVIEW).text
    assert (alike.like, alike.reason) == ("Row 2: same phone", "Erased.")


def test_rows_that_look_like_somebody_are_left_out_unless_one_says_otherwise(client):
    stored, content = duplicates()
    upload(client, content)
    found = rows(client, "like")
    assert [(shown.row.row, shown.row.kind) for shown in found] == [(2, "left_out"), (3, "left_out"), (5, "left_out")]
    assert found[0].like == f"{stored.number} Anne Berg: same e-mail"
    assert found[1].like == f"{stored.number} Anne Berg: same phone"
    assert (found[0].row.contact, found[2].like) == (stored, "Row 4: same e-mail")
    confirm(client)
    assert set(Contact.objects.persons().values_list("name", flat=True)) == {"Anne Berg", "Carl Dahl", "Someone Else"}
    upload(client, content)
    assert client.get(PREVIEW).context["to_do"] == 0


def test_rows_that_look_like_somebody_can_fill_in_what_is_blank_there(client):
    stored, content = duplicates()
    upload(client, content)
    client.post("/contacts/import/duplicates/", {"duplicates": "fill"})
    assert [(shown.row.row, shown.row.kind) for shown in rows(client, "like")] == [
        (2, "changed"), (3, "same"), (5, "changed"),
    ]  # fmt: skip
    confirm(client)
    stored.refresh_from_db()
    assert (stored.name, stored.city, stored.job_title, stored.notes) == ("Anne Berg", "Aarhus", "Buyer", "Tea")
    assert (stored.email, stored.email_2, stored.version) == ("anne@x.example", "", 2)
    assert Contact.objects.get(name="Carl Dahl").job_title == "Chef"
    assert Contact.objects.persons().count() == 3


def test_rows_that_look_like_somebody_can_be_added_anyway(client):
    _stored, content = duplicates()
    upload(client, content)
    client.post("/contacts/import/duplicates/", {"duplicates": "add"})
    confirm(client)
    assert Contact.objects.persons().count() == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n\0\0", "no CSV file but a picture"),
        (b"PK\x03\x04\x14\0\x06\0xl", "no CSV file but a workbook"),
        (b"just words\n", "no table of contacts"),
        (b"first_name\n" + b"Anne\n" * 10_001, "more than 10000 rows"),
    ],
)
def test_what_is_no_table_says_why_and_is_not_kept(client, content, message):
    response = upload(client, content, "picture.csv")
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Upload.objects.exists()


def test_a_waiting_file_is_its_owners_alone_and_waits_a_day(client):
    upload(client, "first_name\nAnne\n")
    digest = Upload.objects.get().digest
    other = Client()
    other.force_login(UserFactory())
    for path in (PREVIEW, COLUMNS, "/contacts/import/mistakes/"):
        assert other.get(path)["Location"] == "/contacts/import/"
        assert Client().get(path).status_code == 302
    other.post("/contacts/import/confirm/", {"digest": digest})
    other.post("/contacts/import/cancel/")
    assert not Contact.objects.exists() and Upload.objects.count() == 1
    for path in ("confirm", "cancel", "duplicates"):
        assert client.get(f"/contacts/import/{path}/").status_code == 405
    Upload.objects.update(created_at=timezone.now() - KEPT)
    assert client.get(PREVIEW)["Location"] == "/contacts/import/"
    client.post("/contacts/import/confirm/", {"digest": digest})
    assert not Contact.objects.exists()


def test_cancelling_forgets_the_file(client):
    upload(client, "first_name\nAnne\n")
    client.post("/contacts/import/cancel/")
    assert not Upload.objects.exists() and not Contact.objects.exists()


def test_ten_times_the_rows_take_no_more_queries_to_show_and_only_more_batches_to_look_at(
    client, django_assert_num_queries, django_assert_max_num_queries
):
    def content(count):
        return "first_name,email,mobile_phone\n" + "".join(
            f"P{number},p{number}@x.example,{20_000_000 + number}\n" for number in range(count)
        )

    upload(client, content(50))
    with django_assert_num_queries(7):  # session, user, upload, counts, those alike, count of rows, rows
        client.get(PREVIEW)
    with django_assert_max_num_queries(160):  # SQLite takes some 27 contacts in one insert
        upload(client, content(1_500))
    with django_assert_num_queries(7):
        response = client.get(PREVIEW)
    assert response.context["total"] == 1_500 and len(response.content) < 60_000


def test_a_file_that_nobody_came_back_for_goes_with_the_trash(client):
    waiting = Upload.keep([b"first_name\nAnne\n"], user=UserFactory(), name="old.csv")
    Upload.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - 2 * KEPT)
    purge_trash()
    assert not Upload.objects.exists()
