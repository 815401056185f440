"""Merging contacts: what survives, what the others become, and the way back."""

import pytest
from django.test import Client
from django.utils import timezone

from contacts import merging
from contacts.merge_form import MergeForm
from contacts.models import Contact
from tests.factories import CompanyFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(name="Jonas", code="JR")


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user)
    return client


def add(**fields):
    return Contact().write(fields, by=None)


def fresh(contact):
    return Contact.objects.get(pk=contact.pk)


def url_of(*contacts):
    return "/contacts/merge/?" + "&".join(f"contact={contact.number}" for contact in contacts)


def posted(client, *contacts, **choices):
    """What a browser would post from the merge page, with `choices` picked."""
    form = client.get(url_of(*contacts)).context["form"]
    data = {name: form[name].value() for name in form.fields}
    return data | {"contact": [contact.number for contact in contacts]} | choices


def merge(client, *contacts, **choices):
    return client.post("/contacts/merge/", posted(client, *contacts, **choices), follow=True)


def said(response):
    return " ".join(str(message) for message in response.context["messages"])


def chosen(*contacts):
    """What the form makes of the contacts if nobody picks anything."""
    return MergeForm([fresh(contact) for contact in contacts]).result()


# --- What is proposed ------------------------------------------------------------------------------------------------


def test_the_oldest_contact_s_filled_values_are_proposed_else_the_other_s():
    one = add(first_name="Anne", surname="Holm", city="Aarhus", job_title="")
    two = add(first_name="A.", surname="Holm", city="Odense", job_title="Buyer", home_page="www.x.example")
    result = chosen(one, two)
    assert (result.number, result.name, result.city) == (one.number, "Anne Holm", "Aarhus")
    assert (result.job_title, result.home_page) == ("Buyer", "www.x.example")


def test_an_address_is_taken_whole():
    one = add(first_name="Anne", address="Nygade 4")
    two = add(first_name="Anne", address="Store Torv 1", city="Aarhus", country="DK")
    result = chosen(one, two)
    assert (result.address, result.city, result.country.code) == ("Nygade 4", "", "")


def test_e_mails_and_phones_are_gathered_in_free_fields():
    one = add(first_name="Anne", email="a@x.example", phone="+45 33112233", mobile_phone="+45 20112233")
    two = add(
        first_name="Anne", email="A@x.example", email_2="b@x.example", phone="0045 20 11 22 33",
        mobile_phone="+45 40112233", home_phone="+45 50112233", fax="+45 60112233",
    )  # fmt: skip
    result = chosen(one, two)
    assert (result.email, result.email_2, result.email_3) == ("a@x.example", "b@x.example", "")
    phones = [getattr(result, name) for name in ("phone", "phone_2", "mobile_phone", "home_phone", "fax")]
    assert phones == ["+45 33112233", "+45 40112233", "+45 20112233", "+45 50112233", "+45 60112233"]


def test_what_finds_no_place_is_said_and_can_be_picked(client):
    one = add(first_name="Anne", email="a@x.example", email_2="b@x.example", email_3="c@x.example")
    two = add(first_name="Anne", email="d@x.example")
    assert "Not taken over: d@x.example" in client.get(url_of(one, two)).content.decode()
    merge(client, one, two, email_3="d@x.example")
    assert fresh(one).email_3 == "d@x.example"


def test_notes_are_kept_all_and_a_block_stays_a_block():
    one = add(first_name="Anne", notes="Likes tea.")
    two = add(first_name="Anne", notes="Has a dog.", privacy_blocked=True)
    result = chosen(one, two)
    assert (result.notes, result.privacy_blocked) == ("Likes tea.\n\nHas a dog.", True)


# --- Merging ---------------------------------------------------------------------------------------------------------


def test_what_was_picked_survives_and_the_other_goes_to_the_trash(client, user):
    one = add(first_name="Anne", surname="Holm", city="Aarhus", job_title="Buyer")
    two = add(first_name="Anna", surname="Holm", city="Odense", job_title="Head buyer")
    response = merge(client, one, two, name=str(two.pk), job_title=str(two.pk))
    assert response.redirect_chain == [(f"/contacts/{one.number}/", 302)] and "undo that" in said(response)
    one, two = fresh(one), fresh(two)
    assert (one.name, one.city, one.job_title, one.modified_by) == ("Anna Holm", "Aarhus", "Head buyer", user)
    assert (two.is_trashed, two.merged_into, two.name) == (True, one, "Anna Holm")
    assert {change.source for change in (one.changes.first(), two.changes.first())} == {"merge"}
    assert one.changes.first().reference == two.changes.first().reference


def test_the_younger_one_may_survive_and_keeps_its_number(client):
    one, two = add(first_name="Anne", city="Aarhus"), add(first_name="Anne", city="Odense")
    merge(client, one, two, survivor=str(two.pk))
    assert (fresh(two).city, fresh(one).merged_into) == ("Aarhus", two)


def test_three_become_one(client):
    contacts = [add(first_name="Anne", email=f"a{number}@x.example") for number in range(3)]
    merge(client, *contacts)
    one = fresh(contacts[0])
    assert [one.email, one.email_2, one.email_3] == ["a0@x.example", "a1@x.example", "a2@x.example"]
    assert set(one.merged.all()) == set(contacts[1:])


def test_the_people_of_a_merged_company_belong_to_the_survivor(client):
    one, two = add(type="company", name="Fabrikam A/S"), add(type="company", name="Fabrikam")
    anne, bo = add(first_name="Anne", company=one), add(first_name="Bo", company=two)
    merge(client, one, two)
    assert [(fresh(person).company, fresh(person).company_name) for person in (anne, bo)] == [(one, "Fabrikam A/S")] * 2
    assert bo.changes.first().source == "merge"


def test_the_result_is_shown_before_anything_is_stored(client):
    one, two = add(first_name="Anne", city="Aarhus"), add(first_name="Anne", city="Odense")
    data = posted(client, one, two, address=str(two.pk)) | {"preview": "1"}
    fragment = client.post("/contacts/merge/", data, headers={"HX-Request": "true"}).content.decode()
    assert "Odense" in fragment and "Aarhus" not in fragment and "<html" not in fragment
    assert "<html" in client.post("/contacts/merge/", data).content.decode()
    assert not fresh(two).is_trashed and fresh(one).version == 1


def test_when_somebody_saved_meanwhile_both_are_shown_again_with_the_choices(client):
    one, two = add(first_name="Anne", city="Aarhus"), add(first_name="Anna", city="Odense")
    data = posted(client, one, two, name=str(two.pk))
    two.write({"city": "Vejle"}, by=None)
    response = client.post("/contacts/merge/", data)
    assert response.status_code == 409 and "Vejle" in response.content.decode()
    assert response.context["form"]["name"].value() == str(two.pk)
    assert not fresh(two).is_trashed
    client.post("/contacts/merge/", posted(client, one, two))
    assert fresh(two).is_trashed


def test_a_second_click_changes_nothing_more(client):
    one, two = add(first_name="Anne"), add(first_name="Anna")
    data = posted(client, one, two)
    client.post("/contacts/merge/", data)
    version = fresh(one).version
    assert "in the trash by now" in said(client.post("/contacts/merge/", data, follow=True))
    assert fresh(one).version == version


def test_the_same_value_is_not_put_in_two_fields(client):
    one, two = add(first_name="Anne", email="a@x.example"), add(first_name="Anne", email="b@x.example")
    response = merge(client, one, two, email_2="a@x.example")
    assert response.status_code == 422 and "chosen twice" in response.content.decode()


@pytest.mark.parametrize(
    "broken", [{"versions": "x"}, {"versions": ""}, {"survivor": "999"}, {"email": "new@x.example"}]
)
def test_what_no_page_offers_is_refused(client, broken):
    one, two = add(first_name="Anne", email="a@x.example"), add(first_name="Anne", email="b@x.example")
    assert merge(client, one, two, **broken).status_code == 422
    assert not fresh(two).is_trashed


def test_what_cannot_be_merged_is_said(client):
    anne, fabrikam = add(first_name="Anne"), CompanyFactory()
    assert "A person and a company" in said(client.get(url_of(anne, fabrikam), follow=True))
    many = [add(first_name="Bo") for _number in range(6)]
    assert "At most 5" in said(client.get(url_of(*many), follow=True))
    many[0].trash(by=None)
    assert "in the trash" in said(client.get(url_of(many[0], anne), follow=True))
    assert client.get("/contacts/merge/", follow=True).redirect_chain[-1][0] == "/contacts/duplicates/"


def test_with_one_contact_the_page_looks_for_the_other(client):
    anne, bo = add(first_name="Anne", email="a@x.example"), add(first_name="Bo", email="a@x.example")
    carl = add(first_name="Carl")
    page = client.get(url_of(anne)).content.decode()
    assert f"contact={bo.number}" in page and f"contact={carl.number}" not in page
    found = client.get(url_of(anne) + "&q=carl").content.decode()
    assert f"contact={anne.number}&amp;contact={carl.number}" in found
    assert "No contact fits" in client.get(url_of(anne) + "&q=anne").content.decode()


# --- Undoing ---------------------------------------------------------------------------------------------------------


def undo(client, survivor):
    reference = survivor.changes.filter(source="merge").first().reference
    return client.post(f"/contacts/merge/{reference}/undo/", follow=True)


def test_undoing_brings_both_back_as_they_were(client):
    one = add(first_name="Anne", surname="Holm", city="Aarhus", birthday="1980-02-29")
    two = add(first_name="Anna", surname="Holm", city="Odense", country="DK", salesperson=UserFactory())
    before = [as_it_is(one), as_it_is(two)]
    merge(client, one, two, name=str(two.pk), address=str(two.pk))
    response = undo(client, one)
    assert "undone" in said(response) and response.redirect_chain[-1][0] == f"/contacts/{one.number}/"
    assert [as_it_is(one), as_it_is(two)] == before


def as_it_is(contact):
    names = [field.attname for field in Contact.recorded_fields()]
    return Contact.objects.filter(pk=contact.pk).values(*names).get()


def test_undoing_a_merge_of_companies_moves_their_people_back(client):
    one, two = add(type="company", name="Fabrikam A/S"), add(type="company", name="Fabrikam")
    anne, bo, carl = (
        add(first_name=name, company=company) for name, company in zip("ABC", (one, two, two), strict=True)
    )
    merge(client, one, two, name=str(two.pk))
    assert fresh(anne).company_name == "Fabrikam"
    fresh(carl).write({"company": CompanyFactory()}, by=None)
    undo(client, one)
    assert [fresh(anne).company, fresh(bo).company] == [one, two]
    assert fresh(anne).company_name == "Fabrikam A/S"
    assert fresh(carl).company not in (one, two)


def test_an_edit_since_is_not_lost_by_undoing(client):
    one, two = add(first_name="Anne"), add(first_name="Anne", job_title="Buyer")
    merge(client, one, two)
    fresh(one).write({"city": "Odense"}, by=None)
    fresh(one).write({"job_title": "Head buyer"}, by=None)
    assert "has changed: Job title" in said(undo(client, one))
    assert fresh(two).is_trashed and fresh(one).job_title == "Head buyer"
    fresh(one).write({"job_title": "Buyer"}, by=None)
    undo(client, one)
    assert (fresh(one).city, fresh(one).job_title, fresh(two).job_title) == ("Odense", "", "Buyer")


def test_what_cannot_be_undone_says_why(client):
    one, two = add(first_name="Anne"), add(first_name="Anne")
    merge(client, one, two)
    fresh(one).trash(by=None)
    assert "is in the trash" in said(undo(client, one))
    fresh(one).restore(by=None)
    fresh(two).restore(by=None)
    assert fresh(two).merged_into is None
    assert "out of the trash already" in said(undo(client, one))
    Contact.objects.filter(pk=two.pk).delete()
    assert "no longer in the trash" in said(undo(client, one))
    assert client.post("/contacts/merge/nothing/undo/").status_code == 302
    assert client.get("/contacts/merge/nothing/undo/").status_code == 405


def test_a_merge_is_undone_once(client):
    one, two = add(first_name="Anne"), add(first_name="Anne", job_title="Buyer")
    merge(client, one, two)
    undo(client, one)
    version = fresh(two).version
    assert "out of the trash already" in said(undo(client, one))
    assert fresh(two).version == version


def test_the_history_tells_of_the_merge_on_both_cards(client):
    one, two = add(first_name="Anne", surname="Holm"), add(first_name="Bo", surname="Chen", city="Odense")
    merge(client, one, two)
    history = client.get(f"/contacts/{one.number}/history/").content.decode()
    assert f'Merged with <a href="/contacts/{two.number}/">Bo Chen</a> ({two.number})' in history
    assert "Undo the merge" in history
    card = client.get(f"/contacts/{two.number}/").content.decode()
    assert f'Merged into <a href="/contacts/{one.number}/">Anne Holm</a>' in card
    assert "This contact was merged" in card and "Undo the merge" in card
    undo(client, one)
    history = client.get(f"/contacts/{one.number}/history/").content.decode()
    assert "Merge undone:" in history and "Undo the merge" not in history


def test_only_what_is_in_the_trash_is_merged_into_anybody():
    one, two = add(first_name="Anne"), add(first_name="Anne")
    merging.merge(one, [two], {}, by=None)
    two = fresh(two).restore(by=None)
    assert (two.merged_into, fresh(two).merged_into) == (None, None)
    two.write({"deleted_at": timezone.now(), "merged_into": one}, by=None)
    assert fresh(two).merged_into == one
