"""Every field survives the way to Outlook and back; what we do not map is never sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.models import Contact
from crmsync.sync.choices import Reason
from crmsync.sync.fields import EMPTY, FIELDS, NAMES, complete, fingerprint, normalise, normalised
from crmsync.sync.mapping import (
    LIMITS,
    contact_fields,
    contact_values,
    item_body,
    read_item,
    split_name,
    stamped,
)
from crmsync.sync.slots import Broken

FULL = {
    "first_name": "Anne",
    "middle_name": "B.",
    "surname": "Nørgård",
    "initials": "ABN",
    "title": "Dr",
    "job_title": "Head of buying",
    "department": "Buying",
    "company_name": "Fabrikam A/S",
    "email": "anne@fabrikam.example",
    "email_2": "anne.n@fabrikam.example",
    "email_3": "a@home.example",
    "phone": "+45 33 11 22 33",
    "phone_2": "33 11 22 34 lok. 5",
    "mobile_phone": "(+45) 20-20-20-20",
    "home_phone": "33445566",
    "fax": "+45 33 11 22 39",
    "home_page": "https://fabrikam.example",
    "address": "Nørregade 12",
    "address_2": "3. sal\nBagbygningen\nc/o Hansen",
    "city": "København K",
    "county": "Region H",
    "post_code": "1165",
    "country": "DK",
    "birthday": "1974-07-22",
    "notes": "Likes tea.\nCalls on Fridays.",
}


def item(**properties):
    return {
        "id": "AAkALg1",
        "changeKey": "EQ1",
        "parentFolderId": "folder",
        "displayName": "Anne Nørgård",
        **properties,
    }


def as_item(body):
    return item(**{key: value for key, value in body.items() if key != "displayName"})


def test_every_field_of_the_table_is_in_the_example():
    assert set(FULL) == set(NAMES)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_each_field_goes_to_outlook_and_comes_back_as_it_was(field):
    values = complete({field.name: FULL[field.name]}) | {
        "email": FULL["email"],
        "phone": FULL["phone"],
        "address": FULL["address"],
    }
    if field.name == "email_3":
        values["email_2"] = FULL["email_2"]
    body = item_body([name for name in NAMES if values[name]], values, {})
    assert read_item(as_item(body)).fields == values


def test_a_whole_contact_goes_to_outlook_and_comes_back_as_it_was():
    read = read_item(as_item(item_body(NAMES, FULL, {})))
    assert read.fields == FULL
    assert not read.kept_out


def test_the_crm_holds_and_gives_the_same_fields():
    contact = Contact(**contact_values(FULL))
    assert contact_fields(contact) == FULL


def test_only_changed_properties_are_sent_and_lists_are_sent_whole():
    raw = {
        "businessPhones": ["1", "2"],
        "homePhones": ["3", "4"],
        "emailAddresses": [{"address": "a@b.example", "name": "Ann"}],
    }
    held = complete({"phone": "1", "phone_2": "2", "home_phone": "3", "email": "a@b.example"})
    assert item_body(["job_title"], held | {"job_title": "Boss"}, raw) == {"jobTitle": "Boss"}
    assert item_body(["phone_2"], held | {"phone_2": "5"}, raw) == {"businessPhones": ["1", "5"]}
    assert item_body(["home_phone"], held | {"home_phone": "6"}, raw) == {"homePhones": ["6", "4"]}
    changed = item_body(["email_2"], held | {"email_2": "new@b.example"}, raw)
    assert changed["emailAddresses"][0] == {"address": "a@b.example", "name": "Ann"}


def test_a_name_change_sends_the_display_name_too():
    body = item_body(["surname"], complete({"first_name": "Anne", "surname": "Holm"}), {})
    assert body == {"surname": "Holm", "displayName": "Anne Holm"}


def test_clearing_a_field_sends_an_explicit_null():
    assert item_body(["job_title", "birthday"], EMPTY, {}) == {"jobTitle": None, "birthday": None}


def test_an_address_is_sent_with_all_its_five_parts():
    raw = {"businessAddress": {"street": "Gade 1", "countryOrRegion": "Danmark"}}
    body = item_body(["city"], complete({"address": "Gade 1", "city": "Odense", "country": "DK"}), raw)
    assert body["businessAddress"] == {
        "street": "Gade 1",
        "city": "Odense",
        "state": None,
        "postalCode": None,
        "countryOrRegion": "Danmark",
    }


@pytest.mark.parametrize(
    ("birthday", "expected"),
    [("1974-07-22T11:59:00Z", "1974-07-22"), ("0001-01-01T08:00:00Z", ""), (None, ""), ("1974-07-22", "1974-07-22")],
)
def test_a_birthday_is_a_date_whatever_the_time_says(birthday, expected):
    assert read_item(item(birthday=birthday)).fields["birthday"] == expected


@pytest.mark.parametrize("text", ["Denmark", "DANMARK", "dk", "Danmark"])
def test_a_country_is_understood_by_code_and_by_name(text):
    assert read_item(item(businessAddress={"countryOrRegion": text})).fields["country"] == "DK"


def test_a_country_that_nobody_knows_is_kept_out_and_reported():
    read = read_item(item(businessAddress={"countryOrRegion": "Narnia"}))
    assert read.fields["country"] == ""
    assert read.kept_out["country"] == (Reason.NOT_UNDERSTOOD, "Narnia")


def test_a_value_that_is_too_long_is_kept_out_and_reported():
    read = read_item(item(jobTitle="x" * 10_000))
    assert read.fields["job_title"] == ""
    assert read.kept_out["job_title"] == (Reason.TOO_LONG, f"10000 > {LIMITS['job_title']}")


PERSON = {"givenName": "Anne", "emailAddresses": [{"address": "anne@fabrikam.example"}]}


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        (PERSON, ""),
        ({**PERSON, "givenName": None}, ""),
        ({**PERSON, "givenName": None, "displayName": "anne@fabrikam.example"}, Reason.NO_NAME),
        ({**PERSON, "givenName": None, "displayName": ""}, Reason.NO_NAME),
        ({**PERSON, "emailAddresses": []}, Reason.NO_EMAIL),
        ({**PERSON, "emailAddresses": [{"name": "Anne"}]}, Reason.NO_EMAIL),
        ({**PERSON, "emailAddresses": [{"address": "anne at fabrikam"}]}, Reason.BAD_EMAIL),
        ({**PERSON, "givenName": None, "companyName": "Fabrikam A/S"}, Reason.NOT_A_PERSON),
        ({**PERSON, "givenName": "x" * 5000}, Reason.TOO_LONG),
        ({**PERSON, "givenName": None, "displayName": f"{'Anne ' * 20}Holm"}, ""),
        ({**PERSON, "givenName": None, "displayName": f"{'Annelise ' * 15}Holm"}, Reason.TOO_LONG),
        ({**PERSON, "givenName": None, "displayName": f"Anne {'x' * 101}"}, Reason.TOO_LONG),
        ({**PERSON, "singleValueExtendedProperties": [{"id": "integer 0x36", "value": "2"}]}, Reason.PRIVATE),
    ],
)
def test_what_may_enter_the_crm(properties, problem):
    assert read_item(item(**properties)).problem == problem


@pytest.mark.parametrize(
    "properties",
    [
        {"givenName": 7},
        {"emailAddresses": "anne@fabrikam.example"},
        {"emailAddresses": ["anne@fabrikam.example"]},
        {"businessPhones": [1]},
        {"businessAddress": []},
        {"singleValueExtendedProperties": {"id": "x"}},
        {"displayName": {}},
    ],
)
def test_a_broken_item_says_so(properties):
    with pytest.raises(Broken):
        read_item(item(**properties))


def test_holes_in_lists_are_closed():
    read = read_item(item(businessPhones=["", "2"], emailAddresses=[{}, {"address": "a@b.example"}]))
    assert (read.fields["phone"], read.fields["phone_2"], read.fields["email"]) == ("2", "", "a@b.example")
    assert normalised({"phone": "", "phone_2": "2"})["phone"] == "2"


def test_an_address_that_cannot_be_one_is_left_where_it_is():
    raw = {"emailAddresses": [{"address": "a@b.example"}, {"address": "broken,"}, {"address": "c@b.example"}]}
    read = read_item(item(**raw))
    body = item_body(["email"], {**read.fields, "email": "new@b.example"}, raw, read.kept_out)
    assert [entry["address"] for entry in body["emailAddresses"]] == ["new@b.example", "broken,", "c@b.example"]


def test_our_category_is_added_and_the_users_own_stay():
    assert stamped(["Friends", "Golf"]) == ["Friends", "Golf", "CRM"]
    assert stamped(["CRM", "Golf"]) == ["Golf", "CRM"]


def test_a_name_in_one_piece_is_split_at_its_last_word():
    assert split_name("Anne Marie Holm") == {"first_name": "Anne Marie", "surname": "Holm"}
    assert split_name("Anne") == {"first_name": "Anne", "surname": ""}


@given(st.text())
def test_normalising_is_stable_and_always_storable(text):
    once = normalise(text, multiline=True)
    assert normalise(once, multiline=True) == once
    assert "\x00" not in once
    once.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([field.slot.property for field in FIELDS] + ["displayName", "changeKey", "categories"]),
        json_values,
    )
)
def test_whatever_graph_sends_is_read_or_called_broken(properties):
    try:
        read = read_item(item(**properties))
    except Broken:
        return
    assert set(read.fields) == set(NAMES)
    json.dumps(read.fields).encode()
    assert fingerprint(read.fields) == fingerprint(dict(reversed(read.fields.items())))


safe_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)


@given(
    st.dictionaries(
        st.sampled_from([name for name in NAMES if name not in ("birthday", "country", "email", "email_2", "email_3")]),
        safe_text,
    )
)
def test_any_text_survives_the_way_there_and_back(values):
    wanted = normalised(values)
    read = read_item(as_item(item_body([name for name in NAMES if wanted[name]], wanted, {})))
    assert read.fields == wanted
