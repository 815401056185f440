"""Every page, in both themes and at both widths: no barrier that axe can find, nothing too wide, a quiet console.

`PAGES` says who looks at what. A page that is added to the product and not to this list fails the last test.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone
from playwright.sync_api import Page, expect

from contacts.models import Contact, Upload
from contacts.saved_views import SavedView
from contacts.transfer.checking import check, prepare
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.erasures import Erasure
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import request_run
from crmsync.users.models import User
from tests.browser import BROWSER, barriers
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, RunFactory, UserFactory
from tests.scene import FOLDER, Salesperson, Stage, edit, outlook_person

LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"

PAGES = {
    "contacts": [
        "/contacts/",
        "/contacts/?f-city=A*|B>",
        "/contacts/?q=nobody",
        "/contacts/?trash=1",
        "/contacts/{person}/",
        "/contacts/{company}/",
        "/contacts/{trashed}/",
        "/contacts/{person}/edit/",
        "/contacts/{person}/history/",
        "/contacts/?view={view}&f-city=A*",
        "/contacts/?columns=name,company,email,phone,mobile,job_title,department,address,city,country",
        "/contacts/columns/",
        "/contacts/views/new/?query=q=anne",
        "/contacts/views/{view}/",
        "/contacts/selected/edit/?contact={person}",
        "/contacts/selected/trash/?contact={person}",
        "/contacts/selected/export/?contact={person}",
        "/contacts/{person}/provenance/",
        "/contacts/new/",
        "/contacts/import/",
        "/contacts/duplicates/",
        "/contacts/import/columns/",
        "/contacts/import/preview/",
        "/contacts/merge/?contact={person}&contact={twin}",
    ],
    "sync": [
        "/",
        "/sync/",
        "/sync/?show=failed",
        "/sync/start/",
        "/sync/left-out/",
        "/sync/contacts/{person}/why/",
        "/sync/contacts/{trashed}/why/",
        "/sync/disconnect/",
        "/sync/runs/{done}/",
        "/sync/runs/{done}/?tab=left-out",
        "/sync/runs/{held}/",
        "/sync/runs/{failed}/",
        "/sync/previews/{preview}/",
        "/sync/previews/{preview}/?q=nobody",
        "/sync/verify/{verified}/",
        "/sync/runs/{undone}/",
        "/exchange-setup/",
        "/exchange-setup/folder/",
        "/nowhere/",
        "/users/",
    ],
    "beginner": ["/", "/contacts/", "/exchange-setup/", "/sync/start/", "/sync/", "/sync/left-out/"],
    "administrator": [
        "/",
        "/users/",
        "/users/?q=nobody",
        "/users/new/",
        "/users/{user}/",
        "/users/{user}/password-link/",
        "/sync/",
        "/sync/runs/{held}/",
        "/sync/runs/{waiting}/",
        "/sync/mailboxes/",
        "/sync/mailboxes/{user}/",
        "/sync/status/",
        "/sync/contacts/{person}/why/?user={user}",
        "/sync/mailboxes/{user}/close/",
        "/sync/reassign/",
        "/sync/erasures/",
        "/sync/erasures/new/{person}/",
        "/sync/erasures/{erasure}/",
        "/exchange-setup/",
        "/exchange-setup/defaults/",
        "/accounts/password/change/",
        "/accounts/logout/",
        "/accounts/reauthenticate/",
    ],
    "nobody": [
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/inactive/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/1-nokey/",
        "/accounts/password/reset/key/done/",
        "/accounts/3rdparty/login/cancelled/",
        "/accounts/3rdparty/login/error/",
        "/nowhere/",
    ],
    "developer": ["/styleguide/"],
}
# Parts of pages, files, addresses that only lead somewhere else, and pages that only some people are ever sent to.
NOT_PAGES = {
    "healthz",
    "healthz-web",
    "metrics",
    "set_language",
    "contacts:filter-count",
    "contacts:filter-widget",
    "contacts:company-options",
    "contacts:keys",
    "contacts:merge-chosen",
    "contacts:contact-export",
    "contacts:import-mistakes",
    "sync:chip",
    "sync:filter-impact",
    "sync:filter-warning",
    "sync:verification-box",
    "sync:filter-impact-names",
    "sync:erasure-receipt",
    "sync:home-state",
    "sync:run-cause",
    "sync:run-progress",
    "sync:run-export",
    "sync:contact-panel",
    "exchange_setup:callback",
    "account_set_password",
    "microsoft_login",
    "microsoft_callback",
}


@pytest.fixture
def scene(stage: Stage) -> dict[str, Any]:
    """What the braces in PAGES stand for: contacts of every kind, and runs that ended in every way."""
    jens = stage.salesperson("jens@contoso.example")
    jens.setup.enable()
    company = CompanyFactory(name="Fabrikam Handels- und Vertriebsgesellschaft mbH & Co. KG", city="Aarhus")
    anne = PersonFactory(
        first_name="Anne", surname=LONG, job_title="Head of Purchasing", company=company, company_name=company.name,
        email=f"anne.{LONG}@fabrikam.example".lower(), phone="+45 33 11 22 33", city="Aarhus", country="DK",
        address="Store Kongensgade 12", post_code="1264", notes="Likes tea.\nCalls back.", salesperson=jens.setup.user,
    )  # fmt: skip
    for name in ("Bo", "陈波", "Carla"):
        PersonFactory(first_name=name, surname="Nørgård", city="Berlin")
    PersonFactory(first_name="Nobody", surname="Postless", email="")
    twin = PersonFactory(first_name="Anna", surname=LONG, email=anne.email, phone=anne.phone, city="Odense")
    trashed = PersonFactory(first_name="Gone", deleted_at=timezone.now())
    runs = lively_runs(jens, anne)
    view = SavedView.objects.create(owner=jens.setup.user, name=LONG, query="q=anne")
    lively_upload(jens.setup.user, anne)
    erasure = Erasure.objects.create(number="CT000099", digests=["0" * 64], requested_by=jens.setup.user)
    erasure.copies.create(setup=jens.setup, mailbox="jens@contoso.example", folder_id=jens.setup.folder_id)
    return runs | {
        "view": view.pk,
        "jens": jens.setup.user,
        "person": anne.number,
        "twin": twin.number,
        "company": company.number,
        "trashed": trashed.number,
        "user": jens.setup.user.pk,
        "erasure": erasure.pk,
    }


def lively_runs(jens: Salesperson, anne: Contact) -> dict[str, Any]:
    """The keys of runs: done with changes both ways and a conflict, preview, failed, held, and one that waits."""
    jens.sync()
    edit(anne, job_title="Chief Executive", mobile_phone="+45 20 30 40 50")
    jens.outlook.edit(jens.card(anne.name)["id"], jobTitle="Owner", companyName="Fabrikam")
    jens.outlook.add(FOLDER, **outlook_person("Dora", "Díaz", "dora@diaz.example"))
    jens.sync()
    done = SyncRun.objects.latest("pk").pk
    undone = jens.undo(done)["run"]
    PersonFactory(first_name="Erik")
    verified = jens.verify()["run"]
    jens.sync(preview=True)
    preview = SyncRun.objects.latest("pk").pk
    jens.tenant.faults.add("access_denied")
    jens.sync()
    failed = SyncRun.objects.latest("pk").pk
    jens.tenant.faults.clear()
    jens.change(trouble="", trouble_detail="")
    jens.outlook.empty()
    jens.sync()
    held = SyncRun.objects.latest("pk").pk
    other = Stage(jens.tenant).salesperson("xenia@contoso.example")
    waiting, _is_new = request_run(other.setup, kind=Kind.SYNC, trigger=Trigger.MANUAL, enqueue=False)
    RunFactory(setup=jens.setup, outcome=Outcome.CANCELLED)
    RunFactory(setup=jens.setup, outcome=Outcome.REJECTED)
    runs = {"done": done, "undone": undone, "preview": preview, "failed": failed, "held": held}
    return runs | {"waiting": waiting.pk, "verified": verified}


def lively_upload(user: User, anne: Contact) -> None:
    """A file that waits, with a row of every kind and a column that nobody knows."""
    text = (
        f"number,first_name,email,city,Mail 2,{LONG}\n{anne.number},Anna,,Odense,,x\n,Bo,bo@x.example,Berlin,,\n"
        f",Bo,bo@x.example,,,\n,Carl,{LONG}@,,,\n"
    )
    upload = Upload.keep([text.encode()], user=user, name="customers.csv")
    prepare(upload)
    check(upload, by=user)


@pytest.fixture
def places(viewer: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The scene, set only for those whose pages show something of it."""
    return request.getfixturevalue("scene") if "{" in "".join(PAGES[viewer]) else {}


def user_of(viewer: str, places: dict[str, Any]) -> User | None:
    if viewer == "nobody":
        return None
    if viewer == "administrator":
        return AdministratorFactory(name="Anna Admin")
    return places.get("jens") or UserFactory(name="Bente Beginner")


def with_marks(test: Any) -> Any:
    for mark in BROWSER:
        test = mark(test)
    return test


@with_marks
@pytest.mark.parametrize("viewer", PAGES)
def test_no_page_has_a_barrier_or_is_too_wide(
    enter: Callable[[User], Page], page: Page, places: dict[str, Any], viewer: str, settings: Any
) -> None:
    settings.DEBUG = viewer == "developer"
    if user := user_of(viewer, places):
        enter(user)
    found = []
    for path in PAGES[viewer]:
        page.goto(path.format_map(places))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".htmx-request")).to_have_count(0)  # the parts that come by themselves have come
        found += barriers(page)
    assert found == []


# --- The list is complete --------------------------------------------------------------------------------------------


def names(resolver: URLResolver, space: str = "") -> set[str]:
    """The names of the addresses that answer to GET, those of the admin site left out."""
    found: set[str] = set()
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            found |= {f"{space}{entry.name}"} if answers_get(entry) else set()
        elif entry.namespace != "admin":
            found |= names(entry, f"{entry.namespace}:" if entry.namespace else space)
    return found


def answers_get(pattern: URLPattern) -> bool:
    """Whether the view is not one of those that `require_POST` guards."""
    view: Any = pattern.callback
    while view:
        closed = getattr(view, "__closure__", None) or ()
        if any(cell.cell_contents == ["POST"] for cell in closed):
            return False
        view = getattr(view, "__wrapped__", None)
    return True


def test_every_page_is_on_the_list() -> None:
    some = dict.fromkeys(["person", "twin", "company", "trashed"], "CT000001")
    keys = ["done", "undone", "held", "failed", "preview", "waiting", "verified", "user", "view", "erasure"]
    some |= dict.fromkeys(keys, 1)
    listed = [path.format_map(some).split("?")[0] for paths in PAGES.values() for path in paths]
    looked_at = {resolve(path).view_name for path in listed if path != "/nowhere/"}
    assert names(get_resolver()) - looked_at - NOT_PAGES == set()
    assert looked_at & NOT_PAGES == set()
