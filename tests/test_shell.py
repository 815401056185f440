"""What every page shares: the frame, its security, its languages, and what is shown when something breaks."""

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone, translation
from django.utils.formats import date_format

from crmsync.rail import BY_VIEW
from crmsync.templatetags.shell import ago, breakable
from crmsync.users.models import User
from tests.factories import AdministratorFactory, RunFactory, SetupFactory, UserFactory
from tests.test_browser_pages import names

PAGES = ["/", "/users/", "/users/new/", "/accounts/password/change/", "/accounts/logout/"]
OPEN_PAGES = ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/accounts/inactive/"]


@pytest.fixture
def anna(db: None) -> User:
    return AdministratorFactory(name="Anna")


@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize("path", PAGES)
def test_pages_render_in_each_language(client: Client, anna: User, path: str, language: str) -> None:
    client.force_login(anna)
    client.cookies["django_language"] = language

    response = client.get(path)

    assert response.status_code == 200
    assert f'<html lang="{language}"' in response.text and response["Content-Language"] == language


@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize("path", OPEN_PAGES)
def test_pages_before_the_sign_in_render_in_each_language(client: Client, db: None, path: str, language: str) -> None:
    response = client.get(path, headers={"accept-language": language})

    assert response.status_code == 200 and f'<html lang="{language}"' in response.text


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere/"])
def test_the_browser_may_use_nothing_but_our_own_files(client: Client, anna: User, path: str) -> None:
    client.force_login(anna)

    response = client.get(path)

    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "script-src 'self'" in policy and "style-src 'self'" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert response["X-Frame-Options"] == "DENY" and response["X-Content-Type-Options"] == "nosniff"


def test_every_static_file_of_the_frame_exists(client: Client, db: None) -> None:
    page = client.get("/accounts/login/").text
    names = re.findall(r'(?:src|href)="/static/([^"]+)"', page)

    assert {"theme.js", "theme.css", "components.css", "shell.css", "shell.js"} <= set(names)
    assert [name for name in names if finders.find(name) is None] == []


def test_the_theme_is_set_before_anything_is_painted(client: Client, db: None) -> None:
    head = client.get("/accounts/login/").text

    script = re.search(r"<script[^>]*theme\.js[^>]*>", head)
    assert script and "defer" not in script[0] and script.start() < head.index('rel="stylesheet"')


def test_it_switches_the_language_and_remembers_it(client: Client, anna: User) -> None:
    client.force_login(anna)

    response = client.post("/i18n/setlang/", {"language": "da", "next": "/users/"})

    assert response.url == "/users/" and response.cookies["django_language"].value == "da"
    anna.refresh_from_db()
    assert anna.language == "da"


def test_it_switches_the_language_before_the_sign_in(client: Client, db: None) -> None:
    client.post("/i18n/setlang/", {"language": "da", "next": "/accounts/login/"})

    assert '<html lang="da"' in client.get("/accounts/login/").text


@pytest.mark.parametrize("values", [{"language": "xx"}, {}, {"language": "en' OR 1"}])
def test_an_unknown_language_changes_nothing(client: Client, anna: User, values: dict[str, str]) -> None:
    client.force_login(anna)

    client.post("/i18n/setlang/", values)

    anna.refresh_from_db()
    assert anna.language == "en"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_the_language_switch_leads_to_no_other_host(client: Client, db: None, target: str) -> None:
    assert client.post("/i18n/setlang/", {"language": "da", "next": target}).url == "/"


def test_every_change_needs_the_token_of_its_own_page(anna: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)

    response = client.post("/accounts/logout/")

    assert response.status_code == 403
    assert "This page was too old" in response.text and "_auth_user_id" in client.session


def test_htmx_sends_that_token_by_itself(client: Client, anna: User) -> None:
    client.force_login(anna)
    page = client.get("/").text

    assert re.search(r"hx-headers='\{\"X-CSRFToken\": \"\w{64}\"\}'", page)
    assert '"allowEval": false' in page and '"includeIndicatorStyles": false' in page


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/", "/"),
        ("/contacts/new/", "/contacts/"),
        ("/sync/reassign/", "/sync/mailboxes/"),
        ("/sync/start/", "/contacts/"),
        ("/exchange-setup/", "/exchange-setup/"),
        ("/sync/left-out/", "/sync/"),
        ("/sync/mailboxes/", "/sync/mailboxes/"),
        ("/sync/erasures/", "/sync/mailboxes/"),
        ("/sync/status/", "/sync/status/"),
        ("/users/new/", "/users/"),
        ("/exchange-setup/defaults/", "/exchange-setup/defaults/"),
        ("/accounts/password/change/", None),
        ("/nowhere/", None),
    ],
)
def test_the_rail_marks_where_one_is(client: Client, anna: User, path: str, entry: str | None) -> None:
    client.force_login(anna)
    marked = re.findall(r'class="rail-link" href="([^"]+)" aria-current="page"', client.get(path).text)
    assert marked == ([entry] if entry else [])


def test_the_rail_marks_for_a_salesperson_where_reassigning_begins(client: Client, db: None) -> None:
    client.force_login(UserFactory())
    assert 'href="/contacts/" aria-current="page"' in client.get("/sync/reassign/").text


def test_the_rail_marks_anothers_run_under_mailboxes(client: Client, anna: User) -> None:
    client.force_login(anna)
    run = RunFactory()
    assert 'href="/sync/mailboxes/" aria-current="page"' in client.get(f"/sync/runs/{run.pk}/").text


def test_the_rail_knows_only_pages_that_there_are() -> None:
    assert names(get_resolver()) >= set(BY_VIEW)


def test_a_page_that_does_not_exist_keeps_the_shell(client: Client, anna: User) -> None:
    client.force_login(anna)

    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert "There is no such page" in response.text and "Anna" in response.text and 'id="rail"' in response.text


def test_to_whom_is_signed_out_a_page_that_does_not_exist_shows_no_empty_menu(client: Client) -> None:
    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert "There is no such page" in response.text and 'id="rail"' not in response.text


def test_a_page_that_breaks_keeps_the_shell_and_asks_nothing_of_the_database(
    anna: User,
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(anna)

    def broken(*args: object) -> None:
        raise OperationalError("the disk is full")

    with connection.execute_wrapper(broken):
        response = client.get("/")

    assert response.status_code == 500
    assert "Something went wrong here" in response.text and 'id="rail"' in response.text
    assert "disk is full" not in response.text


def test_home_takes_three_queries(client: Client, db: None, django_assert_num_queries) -> None:
    client.force_login(UserFactory())

    with django_assert_num_queries(3):  # session, me, my setup
        client.get("/")


def test_home_says_what_is_missing_and_who_can_mend_it(client: Client, db: None) -> None:
    client.force_login(UserFactory(authentication_email=""))
    assert "Ask an administrator to set it" in client.get("/").text

    client.force_login(AdministratorFactory(authentication_email=""))
    assert "Open my user card" in client.get("/").text


def test_home_tells_an_enabled_sync_that_has_not_run(client: Client, db: None, settings: Any) -> None:
    settings.M365_ACCESS = "application"
    setup = SetupFactory(enabled=True)
    client.force_login(setup.user)

    page = client.get("/").text

    assert "has not run yet" in page and "Enabled, into the folder Business Central" in page


def test_home_is_for_people_who_signed_in(client: Client, db: None) -> None:
    assert client.get("/").url == "/accounts/login/?next=/"


def test_dates_are_european_in_english() -> None:
    with translation.override("en"):
        assert date_format(date(2026, 11, 3)) == "3 November 2026"
        assert date_format(datetime(2026, 11, 3, 14, 2), "DATETIME_FORMAT") == "3 November 2026, 14:02"


def test_times_are_told_as_danes_tell_them() -> None:
    """Django's own Danish leaves the "for" out, and says "3 dage fra nu af"."""
    now = timezone.now()
    minute, days = timedelta(minutes=1, seconds=5), timedelta(days=3, hours=5, minutes=1)
    with translation.override("da"):
        assert ago(now - minute) == "for et minut siden"
        assert ago(now - 2 * minute) == "for 2\u00a0minutter siden"
        assert ago(now - days) == "for 3\u00a0dage siden"
        assert ago(now - timedelta(days=400)) == "for 1\u00a0år siden"
        assert ago(now + days) == "om 3\u00a0dage"


def test_an_address_may_go_on_in_the_next_line_after_its_at_and_not_at_a_hyphen():
    unit = '<span class="unit">nordlys-belysning.example</span>'
    assert breakable("anne@nordlys-belysning.example") == f"anne@<wbr>{unit}"
    assert breakable("anne@x.example") == "anne@<wbr>x.example"
    assert (
        breakable("+45 20-30") == "+45 20-30" and breakable("<a-b>@x") == '<span class="unit">&lt;a-b&gt;</span>@<wbr>x'
    )
