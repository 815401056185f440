"""A session that ends while somebody types: the form is back after the sign-in, for them alone, and still unsaved."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from contacts.models import Contact
from crmsync.users import kept_forms
from exchange_setup.models import ExchangeSync
from tests.factories import AdministratorFactory, PersonFactory, UserFactory

pytestmark = pytest.mark.django_db

PASSWORD = "secret-pass-1"
TYPED = {"first_name": "Anne", "surname": "Nørgård", "email": "wrong", "notes": "one\ntwo", "type": "person"}


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


@pytest.fixture
def anna() -> Any:
    return UserFactory(name="Anna", email="anna@crm.example", authentication_email="anna@contoso.example")


@pytest.fixture
def browser(anna: Any) -> Client:
    """Anna's, signed in, and as strict about tokens as a real one."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(anna)
    return browser


def hidden(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def opened(browser: Client, path: str) -> dict[str, str]:
    """What a browser sends of the form at `path` by itself."""
    page = browser.get(path).text
    names = ("csrfmiddlewaretoken", kept_forms.OWNER, "version", "base", "created_with")
    return {name: hidden(page, name) for name in names if f'name="{name}" value=' in page}


def end_session(browser: Client) -> None:
    browser.session.flush()


def sign_in(browser: Client, to: str, email: str = "anna@crm.example") -> Any:
    """Through the sign-in page at `to`; the page that one comes to."""
    token = hidden(browser.get(to).text, "csrfmiddlewaretoken")
    data = {"login": email, "password": PASSWORD, "next": to.partition("next=")[2], "csrfmiddlewaretoken": token}
    return browser.post("/accounts/login/", data, follow=True)


def test_a_new_contact_that_was_sent_too_late_is_back_after_the_sign_in(browser: Client) -> None:
    form = opened(browser, "/contacts/new/") | TYPED
    end_session(browser)
    refused = browser.post("/contacts/new/", form)
    assert refused["Location"] == "/accounts/login/?next=/contacts/new/"
    assert "what you typed is back" in browser.get(refused["Location"]).text
    page = sign_in(browser, refused["Location"])
    assert page.status_code == 200 and "This is not saved yet" in page.text
    assert not Contact.objects.exists()
    back = page.context["form"]
    assert {name: back[name].value() for name in TYPED} == TYPED
    assert "is not an e-mail address" in page.text
    again = form | {"csrfmiddlewaretoken": hidden(page.text, "csrfmiddlewaretoken"), "email": "anne@x.example"}
    assert browser.post("/contacts/new/", again).status_code == 302
    assert Contact.objects.get().name == "Anne Nørgård"
    assert "This is not saved yet" not in browser.get("/contacts/new/").text


def test_an_edit_that_was_sent_too_late_still_notices_who_saved_meanwhile(browser: Client) -> None:
    person = PersonFactory(first_name="Bo", city="Aarhus", job_title="Buyer")
    path = f"/contacts/{person.number}/edit/"
    form = opened(browser, path) | {"type": "person", "first_name": "Bo", "surname": person.surname, "city": "Odense"}
    end_session(browser)
    refused = browser.post(path, form | {"base": form["base"].replace("&quot;", '"')})
    Contact.objects.get().write({"job_title": "Chef"}, by=None)
    page = sign_in(browser, refused["Location"])
    assert page.context["form"]["city"].value() == "Odense"
    assert Contact.objects.get().city == "Aarhus"
    mine = {field.html_name: field.value() or "" for field in page.context["form"]}
    response = browser.post(path, mine | {"csrfmiddlewaretoken": hidden(page.text, "csrfmiddlewaretoken")})
    assert response.status_code == 409


def test_a_form_is_given_back_to_nobody_but_whom_it_was_made_for(browser: Client) -> None:
    UserFactory(email="bo@crm.example")
    form = opened(browser, "/contacts/new/") | TYPED
    end_session(browser)
    refused = browser.post("/contacts/new/", form)
    page = sign_in(browser, refused["Location"], "bo@crm.example")
    assert page.context["form"]["first_name"].value() in (None, "")
    assert "Nørgård" not in page.text and kept_forms.SESSION_KEY not in browser.session


@pytest.mark.parametrize(
    "changes",
    [{kept_forms.OWNER: ""}, {kept_forms.OWNER: "1:forged:mark"}, {"notes": "x" * (kept_forms.MOST_CHARACTERS + 1)}],
)
def test_nothing_is_kept_of_what_no_page_of_ours_has_sent(browser: Client, changes: dict[str, str]) -> None:
    form = opened(browser, "/contacts/new/") | TYPED | changes
    end_session(browser)
    refused = browser.post("/contacts/new/", form)
    assert refused["Location"] == "/accounts/login/?next=/contacts/new/"
    assert kept_forms.SESSION_KEY not in browser.session


def test_what_waited_too_long_is_forgotten(browser: Client) -> None:
    form = opened(browser, "/contacts/new/") | TYPED
    end_session(browser)
    refused = browser.post("/contacts/new/", form)
    session = browser.session
    session[kept_forms.SESSION_KEY] |= {"until": 0}
    session.save()
    assert "Nørgård" not in sign_in(browser, refused["Location"]).text


@pytest.mark.parametrize(
    ("step", "typed", "expected"),
    [
        ("rules", {"conflict_rule": "ask"}, ("conflict_rule", "ask")),
        ("schedule", {"auto_sync": "on", "interval_minutes": "17"}, ("interval_minutes", "17")),
        ("folder", {"choice": "new", "name": "Kunder"}, ("name", "Kunder")),
    ],
)
def test_a_step_of_the_setup_is_back_too(
    browser: Client, anna: Any, step: str, typed: dict[str, str], expected: tuple[str, str]
) -> None:
    form = opened(browser, "/exchange-setup/") | typed
    before = ExchangeSync.objects.values().get()
    end_session(browser)
    refused = browser.post(f"/exchange-setup/{step}/", form)
    page = sign_in(browser, refused["Location"])
    assert page.status_code == 200 and "This is not saved yet" in page.text
    assert page.context[f"{step}_form"][expected[0]].value() == expected[1]
    assert ExchangeSync.objects.values().get() == before


def test_a_filter_and_the_forms_of_administrators_are_back_too(browser: Client) -> None:
    form = opened(browser, "/exchange-setup/") | {"filter-city": "A*|(B"}
    end_session(browser)
    page = sign_in(browser, browser.post("/exchange-setup/filter/", form)["Location"])
    assert 'value="A*|(B"' in page.text
    admin = AdministratorFactory(email="admin@crm.example")
    browser.force_login(admin)
    form = opened(browser, "/users/new/") | {"name": "Xenia Xu", "new_password": "do not keep me"}
    end_session(browser)
    refused = browser.post("/users/new/", form)
    assert "do not keep me" not in str(browser.session[kept_forms.SESSION_KEY])
    page = sign_in(browser, refused["Location"], "admin@crm.example")
    assert 'value="Xenia Xu"' in page.text


def test_a_page_older_than_the_last_sign_in_gives_back_what_was_typed_and_stores_nothing(
    browser: Client, anna: Any
) -> None:
    form = opened(browser, "/contacts/new/") | TYPED
    end_session(browser)
    sign_in(browser, "/accounts/login/?next=/")
    browser.cookies["csrftoken"] = "x" * 32
    refused = browser.post("/contacts/new/", form)
    assert refused["Location"] == "/contacts/new/"
    page = browser.get("/contacts/new/")
    assert page.context["form"]["surname"].value() == "Nørgård"
    assert not Contact.objects.exists()
    other = kept_forms.signed(UserFactory())
    assert browser.post("/contacts/new/", form | {kept_forms.OWNER: other}).status_code == 403
    assert browser.post("/contacts/new/", TYPED).status_code == 403
