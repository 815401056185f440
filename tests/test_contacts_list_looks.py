"""How the list looks to a person: columns, density, saved views, and the size of its page."""

from datetime import date

import pytest
from django.http import QueryDict
from django.test import Client

from contacts.columns import COLUMNS, MOST
from contacts.models import Contact
from contacts.saved_views import ListLayout, SavedView
from tests.factories import (
    AdministratorFactory,
    ChangeFactory,
    CompanyFactory,
    LinkFactory,
    PersonFactory,
    RunFactory,
    SetupFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"


@pytest.fixture
def user():
    return UserFactory(code="JR")


@pytest.fixture
def client(user):
    return signed_in(user)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def shown(client, query=""):
    response = client.get(f"/contacts/{query}", follow=True)
    return [column.name for column in response.context["listing"].columns]


def tabs(client, query=""):
    listing = client.get(f"/contacts/{query}").context["listing"]
    return {tab.view.name: "changed" if tab.is_changed else "here" if tab.is_here else "" for tab in listing.tabs}


def save(client, query, name="Mine", **fields):
    return client.post("/contacts/views/new/", {"query": query, "name": name, **fields})


# --- Size ---


def test_a_page_of_fifty_long_names_is_at_most_60_kb(client, user):
    setup = SetupFactory(user=user)
    setup.enable()
    for number in range(60):
        person = PersonFactory(
            first_name=f"Anne{number}", surname=LONG, company_name=LONG * 2, city="København V", salesperson=user,
            phone="+45 33 11 22 33", email=f"anne{number}.{LONG}@fabrikam.example".lower(),
        )  # fmt: skip
        LinkFactory(setup=setup, contact=person, problem="" if number % 5 else "company_not_unique")
    for name in ("My customers", "Without e-mail", "Berlin"):
        SavedView.objects.create(owner=user, name=name, query="f-city=A*&columns=name,city")
    for query in ("", "?f-salesperson=%25me&f-city=K*", f"?columns={','.join(list(COLUMNS)[:MOST])}"):
        assert len(client.get(f"/contacts/{query}").content) <= 60_000


# --- Columns and density ---


def test_a_number_that_could_be_any_says_what_it_is(client, user):
    PersonFactory(phone="+45 33 11 22 33", mobile_phone="+45 20 30 40 50", birthday=date(1980, 5, 31))
    page = client.get("/contacts/?columns=name,phone,mobile,birthday").content.decode()
    assert (
        '<td data-label="Phone no.">+45 33 11 22 33</td>' in page
        and '<td data-label="Mobile phone no.">+45 20 30 40 50</td>' in page
    )
    assert '<td data-label="Birthday">' in page
    assert "<td>+45 33 11 22 33</td>" in client.get("/contacts/").content.decode()
    Contact.objects.update(phone="")
    page = client.get("/contacts/?columns=name,phone,mobile").content.decode()
    assert page.count("+45 20 30 40 50") == 1 and "+45 20 30 40 50" in client.get("/contacts/").content.decode()


def test_the_list_is_sorted_by_the_phone_beside_the_mobile_phone(client):
    PersonFactory(phone="1")
    headings = client.get("/contacts/?columns=name,phone,mobile&sort=phone").context["listing"].headings
    assert [heading.direction for heading in headings] == ["", "ascending", ""]


def test_a_column_that_is_filtered_on_is_marked_so_that_it_stays(client):
    PersonFactory(city="Aarhus")
    assert "is-standard by-city" in client.get("/contacts/?f-city=A*").content.decode()


def test_columns_are_chosen_in_the_address_in_their_order(client):
    PersonFactory(first_name="Anne", job_title="Buyer", city="Aarhus")
    assert shown(client) == ["name", "company", "email", "phone", "city", "salesperson"]
    assert shown(client, "?columns=city,job_title") == ["name", "city", "job_title"]
    page = client.get("/contacts/?columns=name,city,job_title").content.decode()
    assert page.index("<td>Aarhus</td>") < page.index("<td>Buyer</td>")
    assert shown(client, "?columns=password,city,city,name") == ["name", "city"]
    assert client.get("/contacts/?columns=password")["Location"] == "/contacts/"


def test_every_column_can_be_shown_and_sorted_by(client, user):
    person = PersonFactory(birthday="1980-05-31", country="DK", mobile_phone="12", salesperson=user)
    for name in COLUMNS:
        response = client.get(f"/contacts/?sort=-{name}&columns=name,{name}", follow=True)
        assert list(response.context["page"].object_list) == [person]
        assert 'aria-sort="descending"' in response.content.decode()


def test_my_columns_are_kept_for_me_alone(client, user):
    page = client.get("/contacts/columns/", {"query": "sort=city"}).content.decode()
    assert 'value="city" id="column-city" checked' in page
    order = ["city", "phone", "company"]
    response = client.post("/contacts/columns/", {"query": "sort=city", "order": order, "column": ["phone", "city"]})
    assert response["Location"] == "/contacts/?sort=city"
    assert shown(client) == ["name", "city", "phone"]
    assert shown(signed_in(UserFactory())) == ["name", "company", "email", "phone", "city", "salesperson"]
    client.post("/contacts/columns/", {"query": "", "order": order, "standard": "1"})
    assert ListLayout.objects.get(user=user).columns == ""


def test_columns_of_an_address_are_changed_in_the_address(client, user):
    fields = {"query": "columns=name,city", "order": ["city", "phone"], "column": ["phone", "city"]}
    assert client.post("/contacts/columns/", fields)["Location"] == "/contacts/?columns=name,city,phone"
    assert not ListLayout.objects.exists()


def test_a_column_moves_up_without_anything_being_stored(client):
    fields = {"query": "", "order": ["company", "email", "city"], "column": ["city"], "move": "city:up"}
    rows = client.post("/contacts/columns/", fields).context["choice"].rows
    assert [(column.name, is_shown) for column, is_shown in rows[:3]] == [
        ("company", False), ("city", True), ("email", False)
    ]  # fmt: skip
    assert not ListLayout.objects.exists()


def test_the_density_is_remembered(client):
    PersonFactory()
    assert "is-compact" not in client.get("/contacts/").content.decode()
    response = client.post("/contacts/density/", {"density": "compact", "query": "q=a&page=2"})
    assert response["Location"] == "/contacts/?q=a&page=2"
    assert "is-compact" in client.get("/contacts/").content.decode()
    client.post("/contacts/density/", {"density": "enormous"})
    assert ListLayout.objects.get().density == "compact"


# --- Saved views ---


def test_a_view_keeps_the_list_without_its_page_and_shows_that_it_is_in_use(client, user):
    response = save(client, "f-city=A*&sort=-modified&page=3")
    view = SavedView.objects.get()
    columns = "columns=name,company,email,phone,city,salesperson"
    assert (view.owner, view.query) == (user, f"f-city=A*&sort=-modified&{columns}")
    address = QueryDict(response["Location"].partition("?")[2])
    assert address == QueryDict(f"f-city=A*&sort=-modified&page=3&{columns}&view={view.pk}")
    assert tabs(client, f"?view={view.pk}&{view.query}") == {"Mine": "here"}
    assert tabs(client, f"?view={view.pk}&{view.query}&page=2") == {"Mine": "here"}
    changed = f"?view={view.pk}&f-city=B*&{columns}"
    assert tabs(client, changed) == {"Mine": "changed"}
    page = client.get(f"/contacts/{changed}").text
    assert "Save changes" in page and "Save as new view" in page and "Save view" in client.get("/contacts/").text
    assert tabs(client) == {"Mine": ""}


def test_a_changed_view_is_kept_renamed_and_deleted(client):
    save(client, "f-city=A*")
    view = SavedView.objects.get()
    client.post(f"/contacts/views/{view.pk}/keep/", {"query": f"view={view.pk}&q=bo&columns=name,city"})
    view.refresh_from_db()
    assert view.query == "q=bo&columns=name,city"
    client.post(f"/contacts/views/{view.pk}/", {"query": "q=x", "name": "Bo's"})
    view.refresh_from_db()
    assert (view.name, view.query) == ("Bo's", "q=bo&columns=name,city")
    response = client.post(f"/contacts/views/{view.pk}/delete/", {"query": f"view={view.pk}&q=bo"})
    assert response["Location"] == "/contacts/?q=bo"
    assert not SavedView.objects.exists()


def test_only_administrators_share_views_and_everybody_can_pick_them(client):
    save(client, "q=a", is_shared="on")
    assert not SavedView.objects.get().is_shared
    administrator, other = AdministratorFactory(), signed_in(UserFactory())
    save(signed_in(administrator), "q=b", "Key accounts", is_shared="on")
    shared = SavedView.objects.get(name="Key accounts")
    assert tabs(other) == {"Key accounts": ""}
    for path in ("", "keep/", "delete/"):
        assert other.post(f"/contacts/views/{shared.pk}/{path}", {"name": "Mine now"}).status_code == 404
    second = signed_in(AdministratorFactory())
    assert second.post(f"/contacts/views/{shared.pk}/", {"name": "Keys", "is_shared": "on"}).status_code == 302
    assert tabs(other) == {"Keys": ""}


def test_views_of_others_are_out_of_reach(client):
    save(client, "q=a")
    view = SavedView.objects.get()
    for somebody in (UserFactory(), AdministratorFactory()):
        other = signed_in(somebody)
        assert tabs(other, f"?view={view.pk}") == {}
        for path in ("", "keep/", "delete/"):
            assert other.post(f"/contacts/views/{view.pk}/{path}", {"name": "x"}).status_code == 404
    assert SavedView.objects.get().name == "Mine"


def test_a_view_needs_a_name_of_its_own(client):
    assert save(client, "q=a", name=" ").status_code == 422
    assert save(client, "q=a").status_code == 302
    again = save(client, "q=b")
    assert again.status_code == 422
    assert "You have a view of this name already." in again.content.decode()


# --- Where each contact stands with my Outlook ---


def test_each_contact_says_how_it_stands_with_my_outlook(client, user):
    def words():
        column = client.get("/contacts/").context["listing"].extra_column
        return {contact.name: str(column.marks[contact.pk].text) for contact in Contact.objects.alive()}

    assert client.get("/contacts/").context["listing"].extra_column is None
    setup = SetupFactory(user=user, contact_filter={"city": "A*"})
    setup.enable()
    LinkFactory(setup=setup, contact=PersonFactory(name="In", city="Aarhus"), contact_version=1)
    LinkFactory(setup=setup, contact=PersonFactory(name="Behind", city="Aarhus", version=2), contact_version=1)
    LinkFactory(setup=setup, contact=PersonFactory(name="Partly"), contact_version=1, problem="company_not_found")
    LinkFactory(setup=setup, contact=PersonFactory(name="Taken out", city="Aarhus"), state="removed")
    LinkFactory(contact=PersonFactory(name="With a colleague"))
    CompanyFactory(name="Firm", city="Aarhus")
    PersonFactory(name="New", city="Aarhus")
    PersonFactory(name="Silent", city="Aarhus", email="")
    assert words() == {
        "In": "In Outlook", "Behind": "Next sync", "Partly": "Incomplete", "Taken out": "Removed",
        "With a colleague": "Not in filter", "Firm": "Company", "New": "Next sync", "Silent": "No e-mail",
    }  # fmt: skip
    setup.contact_filter = {"city": "A>"}
    setup.save()
    assert words()["New"] == "Left out"


@pytest.mark.parametrize("outcome", ["planned", "parked"])
def test_what_a_held_sync_would_do_is_held_not_next(client, user, django_assert_max_num_queries, outcome):
    setup = SetupFactory(user=user)
    setup.enable()
    planned, other = PersonFactory(), PersonFactory()
    run = RunFactory(setup=setup, outcome="held")
    ChangeFactory(run=run, contact=planned, outcome=outcome)
    with django_assert_max_num_queries(12):
        column = client.get("/contacts/").context["listing"].extra_column
    mark = column.marks[planned.pk]
    assert (mark.icon, str(mark.text)) == ("hand", "Held") and str(column.marks[other.pk].text) == "Next sync"
    run.outcome = "done"
    run.save()
    assert str(client.get("/contacts/").context["listing"].extra_column.marks[planned.pk].text) == "Next sync"


@pytest.mark.parametrize(
    ("city", "link", "sign"),
    [
        ("Aarhus", {}, ("hand", "Held")),
        ("Aarhus", {"state": "left_out", "problem": "no_email"}, ("hand", "Held")),  # it has got one since
        ("Aarhus", {"state": "removed", "gone": True}, ("hand", "Held")),  # a full sync would put it back
        ("Aarhus", {"state": "left_out", "problem": "refused"}, ("minus", "Left out")),
        ("Odense", {}, ("minus", "Not in filter")),
    ],
)
def test_the_list_and_the_card_have_one_sign_for_who_waits_in_a_held_sync(client, user, city, link, sign):
    setup = SetupFactory(user=user, contact_filter={"city": "Aarhus"})
    setup.enable()
    contact = PersonFactory(city=city)
    if link:
        LinkFactory(setup=setup, contact=contact, **link)
    run = ChangeFactory(run__setup=setup, run__outcome="held", contact=contact, outcome="planned").run
    mark = client.get("/contacts/").context["listing"].extra_column.marks[contact.pk]
    card = client.get(f"/sync/contacts/{contact.number}/").content.decode()
    assert (mark.icon, str(mark.text)) == sign
    assert (run.get_absolute_url() in card) == ("tone-warn sync-state" in card) == (sign == ("hand", "Held"))


@pytest.mark.parametrize(
    ("rule", "untouched"), [("stay_out", "Removed"), ("trash", "Removed"), ("put_back", "Next sync")]
)
def test_what_was_found_gone_from_the_folder_comes_back_only_by_the_rule_or_an_edit(client, user, rule, untouched):
    setup = SetupFactory(user=user, contact_filter={"city": "A*"}, removed_rule=rule)
    setup.enable()
    gone = {"setup": setup, "gone": True, "contact_version": 1, "was_in_filter": True}
    LinkFactory(contact=PersonFactory(name="Untouched", city="Aarhus"), **gone)
    LinkFactory(contact=PersonFactory(name="Edited", city="Aarhus", version=2), **gone)
    LinkFactory(setup=setup, contact=PersonFactory(name="Undone", city="Aarhus"), state="removed", left_by_undo=True)
    LinkFactory(setup=setup, contact=PersonFactory(name="Noted", city="Aarhus"), state="removed")

    def words():
        column = client.get("/contacts/").context["listing"].extra_column
        return {contact.name: str(column.marks[contact.pk].text) for contact in Contact.objects.alive()}

    assert words() == {"Untouched": untouched, "Edited": "Next sync", "Undone": "Removed", "Noted": untouched}
    setup.contact_filter, setup.left_filter_rule = {"city": "B*"}, "remove"
    setup.save()
    assert words()["Edited"] == "Removed"
