"""Contacts that are probably the same: found by what they share, and told apart by people."""

import importlib

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts.duplicates import MOST_SHARING, Finder, like
from contacts.likeness import ContactKey, NotDuplicates, keys_of, phone_digits, skeleton
from contacts.models import Contact
from tests.factories import PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    client = Client()
    client.force_login(UserFactory())
    return client


def add(name="", **fields):
    """A contact made by the way that everything takes: "Anne Holm" is a person, with type= a company."""
    if "type" in fields:
        return Contact().write({"name": name, **fields}, by=None)
    first_name, _space, surname = name.rpartition(" ")
    return Contact().write({"first_name": first_name, "surname": surname, **fields}, by=None)


def found():
    """What the finder finds: {names of the group: what they share}."""
    names = dict(Contact.objects.values_list("pk", "name"))
    return {tuple(names[pk] for pk in group.members): group.signs for group in Finder().groups}


# --- What is alike ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"email": "anne@x.example"}, {"email_3": "ANNE@x.example"}),
        ({"mobile_phone": "+45 20 11 22 33"}, {"phone": "0045 (0)20112233 ext. 7"}),
        ({"home_phone": "33-11-22-33"}, {"home_phone": "+45 33112233"}),
    ],
)
def test_an_e_mail_and_a_phone_are_alike_in_any_notation_and_field(one, other):
    add("Anne Holm", **one)
    add("Anne Berg", **other)
    assert list(found()) == [("Anne Holm", "Anne Berg")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"email": "anne@x.example"}, {"email": "anne@y.example"}),
        ({"mobile_phone": "112"}, {"mobile_phone": "112"}),
        ({"fax": "+45 33 11 22 33"}, {"fax": "+45 33 11 22 33"}),
        ({"phone": "+45 33 11 22 33"}, {"phone": "+45 33 11 22 44"}),
        ({"mobile_phone": "+1 617-555-0106"}, {"mobile_phone": "+1 917-555-0106"}),
        ({}, {}),
    ],
)
def test_what_only_looks_alike_is_not(one, other):
    add("Anne Holm", **one)
    add("Bo Chen", **other)
    assert found() == {}


def test_colleagues_share_a_switchboard_but_not_a_name():
    add("Anne Holm", phone="+45 33 11 22 33")
    add("Bo Chen", phone="+45 33 11 22 33")
    assert found() == {}
    add("A. Holm", phone="33112233")
    assert list(found()) == [("Anne Holm", "A. Holm")]


def test_a_mobile_number_is_somebody_s_own():
    add("Anne Holm", mobile_phone="+45 20 11 22 33")
    add("Pernille Berg", mobile_phone="20112233")
    assert list(found()) == [("Anne Holm", "Pernille Berg")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anne Nørgård", "Anna Noergaard"),
        ("Kristian Nielsen", "Christian Nilsen"),
        ("Åse Müller", "Aase Mueller"),
        ("Holm Anne", "anne holm"),
        ("Anne Marie Holm", "Anne Holm"),
        ("波 陈", "波 陈"),
    ],
)
def test_names_are_alike_within_a_company_whatever_its_legal_form(one, other):
    add(one, company_name="Fabrikam A/S")
    add(other, company_name="fabrikam")
    add(other, company_name="Contoso")
    add(other)
    assert len(found()) == 1 and len(next(iter(found()))) == 2


def test_a_company_is_alike_by_its_name_and_never_a_person():
    add("Blåbjerg Møbler ApS", type="company", email="info@x.example")
    add("Blaabjerg Moebler", type="company", city="Odense")
    add("Anne Holm", email="info@x.example")
    assert list(found()) == [("Blåbjerg Møbler ApS", "Blaabjerg Moebler")]


def test_what_a_crowd_shares_tells_nothing():
    for number in range(MOST_SHARING + 1):
        add(f"Person{number} Of{number}", email="info@x.example")
    assert found() == {} and like(Contact.objects.first()) == []


@pytest.mark.parametrize("phone", ["", "ext", "+45", "٠١٢٣", "²²²²²²²²"])
def test_a_number_too_short_to_tell_is_none(phone):
    assert phone_digits(phone) == ""


@pytest.mark.parametrize("word", ["", "-", "'", "ø", "陈", "A/S", "x" * 400])
def test_any_word_has_a_skeleton(word):
    assert len(skeleton(word)) <= len(word)


# --- Keeping up ------------------------------------------------------------------------------------------------------


def test_keys_follow_every_writing():
    anne = add("Anne Holm", email="anne@x.example")
    bo = add("Bo Chen", email="bo@x.example")
    bo.write({"email_2": "anne@x.example"}, by=None)
    assert list(found()) == [("Anne Holm", "Bo Chen")]
    bo.trash(by=None)
    assert found() == {}
    bo.restore(by=None)
    anne.write({"email": ""}, by=None)
    assert found() == {}


def test_a_company_s_new_name_reaches_its_people_s_keys():
    fabrikam = add("Fabrikam", type="company")
    add("Anne Holm", company=fabrikam)
    add("Ane Holm", company_name="Contoso")
    fabrikam.write({"name": "Contoso"}, by=None)
    assert list(found()) == [("Anne Holm", "Ane Holm")]


def test_a_writing_that_changes_nothing_alike_costs_no_query_for_keys():
    anne = add("Anne Holm", email="anne@x.example")
    with CaptureQueriesContext(connection) as captured:
        anne.write({"city": "Odense"}, by=None)
    assert not [query for query in captured if "contacts_contactkey" in query["sql"]]


def test_the_keys_of_contacts_that_were_there_before_are_filled_in():
    anne, gone = PersonFactory(company_name="X"), PersonFactory(deleted_at="2026-01-01T00:00Z")
    assert not ContactKey.objects.exists()
    importlib.import_module("contacts.migrations.0004_fill_keys").fill(apps, None)
    assert set(anne.keys.values_list("key", flat=True)) == keys_of(anne)
    assert not gone.keys.exists()


def test_e_mails_that_were_there_before_are_put_in_lower_case_where_a_letter_is_beyond_ascii():
    anne = PersonFactory(version=3)
    Contact.objects.filter(pk=anne.pk).update(email="ÅSE@X.example", email_2="Bo@X.example", email_3="SØREN@x.example")
    bo = PersonFactory(email="Bo@Y.example")
    (step,) = importlib.import_module("contacts.migrations.0008_emails_in_lower_case").Migration.operations
    step.code(apps, None)
    anne.refresh_from_db()
    assert (anne.email, anne.email_2, anne.email_3) == ("åse@x.example", "Bo@X.example", "søren@x.example")
    assert Contact.objects.get(pk=bo.pk).email == "Bo@Y.example"
    assert list(Contact.objects.with_email(["åse@x.example"])) == [anne]


def test_whoever_has_an_email_in_any_place_is_found_by_the_indexes():
    if connection.vendor == "postgresql":  # the few that there are it would read
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Contact.objects.with_email(["a@x.example"]).explain()
    assert all(f"contact_{name}_lower" in plan for name in ("email", "email_2", "email_3")), plan


# --- The finder ------------------------------------------------------------------------------------------------------


def test_groups_grow_together_and_the_surest_come_first():
    add("Anne Holm", company_name="Fabrikam", mobile_phone="+45 20 11 22 33")
    add("Anna Holm", company_name="Fabrikam")
    add("A. Holm", mobile_phone="20112233")
    add("Bo Chen", email="bo@x.example")
    add("Bo C", email="bo@x.example")
    assert [(names, [sign.label for sign in signs]) for names, signs in found().items()] == [
        (("Bo Chen", "Bo C"), ["Same e-mail"]),
        (("Anne Holm", "Anna Holm", "A. Holm"), ["Same phone", "Similar name"]),
    ]


def test_the_finder_asks_three_times_however_many_there_are(django_assert_num_queries):
    for number in range(15):
        add(f"Anne{number} Holm", email=f"a{number // 2}@x.example")
        add(f"Bo{number} Chen", mobile_phone=f"2011223{number // 2}")
    with django_assert_num_queries(3):  # keys, numbers, who was told apart
        assert len(Finder().groups) == 14


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_shows_each_group_with_what_it_shares(client):
    anne, anna = add("Anne Holm", email="anne@x.example"), add("Anna Holm", email="ANNE@x.example")
    page = client.get("/contacts/duplicates/").content.decode()
    assert "<mark>anne@<wbr>x.example</mark>" in page and "<mark>ANNE@<wbr>x.example</mark>" in page
    assert anne.number in page and anna.number in page and "Same e-mail" in page
    assert "No duplicates found" in client.get("/contacts/duplicates/?sign=p").content.decode()
    assert "/contacts/duplicates/" in client.get("/contacts/").content.decode()


def test_the_page_costs_the_same_queries_whatever_it_shows(client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get("/contacts/duplicates/")
        return len(captured)

    for number in range(4):
        add(f"Anne{number} Holm", email=f"a{number // 2}@x.example")
    few = queries()
    for number in range(60):
        add(f"Bo{number} Chen", email=f"b{number // 2}@x.example")
    assert queries() == few


def test_those_told_apart_are_not_listed_until_they_are_considered_again(client):
    anne, anna = add("Anne Holm", email="anne@x.example"), add("Anna Holm", email="anne@x.example")
    both = {"contact": [anne.number, anna.number]}
    for _twice in range(2):
        assert client.post("/contacts/duplicates/not/", both).status_code == 302
    assert found() == {} and like(anne) == [] and NotDuplicates.objects.count() == 1
    assert anne.number in client.get("/contacts/duplicates/?aside=1").content.decode()
    client.post("/contacts/duplicates/again/", both)
    assert len(found()) == 1


def test_telling_apart_takes_the_group_off_the_page_at_once(client):
    anne, anna = add("Anne Holm", email="anne@x.example"), add("Anna Holm", email="anne@x.example")
    both = {"contact": [anne.number, anna.number]}
    answer = client.post("/contacts/duplicates/not/", both, headers={"HX-Request": "true"}).content.decode()
    assert "not listed as duplicates" in answer and "/contacts/duplicates/again/" in answer


def test_the_card_says_who_is_probably_the_same(client):
    anne = add("Anne Holm", email="anne@x.example", company_name="Fabrikam")
    anna = add("Anna Holm", email="anne@x.example", company_name="Fabrikam")
    card = client.get(f"/contacts/{anne.number}/").content.decode()
    assert f"({anna.number}): same e-mail, similar name." in card
    posted = {"contact": [anne.number, anna.number], "back": anne.number}
    response = client.post("/contacts/duplicates/not/", posted, follow=True)
    assert response.redirect_chain[-1][0] == f"/contacts/{anne.number}/"
    assert "Probably the same" not in response.content.decode()


def test_only_those_who_are_signed_in_may_look_or_say_anything():
    for path in ("/contacts/duplicates/", "/contacts/merge/"):
        assert Client().get(path)["Location"].startswith("/accounts/login/")
    assert Client().post("/contacts/duplicates/not/")["Location"].startswith("/accounts/login/")
