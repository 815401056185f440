"""Driving a real Chromium: how it starts, who is signed in, what it complains about, and who does the queue's jobs.

The jobs are done by a thread of this process, not by a qcluster: it takes them from the real queue and calls the real
functions, but it sees what a test has set, it can be told to wait, and nothing is forked while a server has threads.
`tests/test_demo.py` has the real cluster.
"""

import copy
import os
import pydoc
import re
import shutil
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django_q.brokers import Broker, get_broker
from django_q.signing import SignedPackage
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from crmsync.users.models import User
from tests.outlook import Tenant

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # sync Playwright keeps a loop in the test's own thread
# The shell is the same engine without a browser's windows, and takes half the time.
NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
BROWSER = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH"),
]
QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
WIDE, NARROW = 1280, 390
HEIGHT = 900
expect.set_options(timeout=15_000)  # how long a busy machine may take; what is there is seen at once


# --- The browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": QUIET}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], live_server: Any) -> dict[str, Any]:
    """Addresses without a host are the CRM's; nothing moves."""
    viewport = {"width": WIDE, "height": HEIGHT}
    return {**browser_context_args, "base_url": live_server.url, "viewport": viewport, "reduced_motion": "reduce"}


@pytest.fixture
def served(live_server: Any) -> Iterator[str]:
    """The server's address. In the end its last answers are waited for, before the database is emptied under them."""
    cache.clear()
    yield live_server.url
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(20)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about. A test that provokes something clears it."""
    return []


@pytest.fixture
def context(served: str, context: BrowserContext, complaints: list[str]) -> Iterator[BrowserContext]:
    """A browser with an empty profile; errors in its console fail the test, refused styles and scripts among them."""

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and not is_expected(message):
            complaints.append(f"{message.location['url']}: {message.text}")

    context.on("console", listen)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    assert complaints == []


def is_expected(message: ConsoleMessage) -> bool:
    """Whether it only says that a page (not a file) answered with a status that pages may have, or that the page itself
    gave up a request, which htmx calls an error. One that failed says htmx:sendError, too."""
    if re.match(r"htmx:(sendAbort|afterRequest), ", message.text):
        return True
    answered = [f"status of {status}" for status in (401, 403, 404, 422)]
    return any(status in message.text for status in answered) and "/static/" not in message.location["url"]


@pytest.fixture
def enter(page: Page, served: str) -> Callable[[User], Page]:
    """Signs somebody in without the sign-in page; gives the browser."""

    def enter(user: User) -> Page:
        sign_in(page.context, user, served)
        return page

    return enter


def sign_in(context: BrowserContext, user: User, url: str) -> None:
    """Give a browser the session of `user` at the CRM at `url`."""
    client = Client()
    client.force_login(user)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])


@pytest.fixture
def way_to_microsoft(sandbox: Tenant, settings: Any) -> None:
    """Let the pages' forms lead to the sandbox's sign-in page, as settings do that are read with its address."""
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"] = ["'self'", sandbox.url]
    settings.CONTENT_SECURITY_POLICY = policy


# --- What must hold on every page ------------------------------------------------------------------------------------

AXE = Axe()
Theme = Literal["light", "dark"]
LOOKS: list[tuple[int, Theme]] = [(WIDE, "light"), (NARROW, "dark")]


def barriers(page: Page) -> list[str]:
    """What is wrong with what the page shows, wide and light, then narrow and dark: axe's findings, overflow, ids."""
    found = []
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        turn(page, theme)
        found += violations(page) + overflow(page)
    found += ids_twice(page)
    turn(page, "light")
    page.set_viewport_size({"width": WIDE, "height": HEIGHT})
    return found


def turn(page: Page, theme: Theme) -> None:
    """Have the device prefer a theme, which the page follows at once."""
    page.emulate_media(color_scheme=theme)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)


def violations(page: Page) -> list[str]:
    """What axe finds, a line for each element. A page takes axe in once, and hands over only what is wrong."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.axe_script)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then((results) => results.violations)")
    nodes = [(rule["id"], node) for rule in found for node in rule["nodes"]]
    return [f"{where(page)}: {rule}: {node['html']} {node['failureSummary']}" for rule, node in nodes]


def overflow(page: Page) -> list[str]:
    """Whether the page can be scrolled sideways."""
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{where(page)}: {excess} px too wide"] if excess > 0 else []


def ids_twice(page: Page) -> list[str]:
    """The ids that more than one element has: a label or a swap would reach the wrong one."""
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    return [f"{where(page)}: id {name} twice" for name, count in Counter(ids).items() if count > 1]


def where(page: Page) -> str:
    theme = page.locator("html").get_attribute("data-bs-theme")
    return f"{page.url.split('/', 3)[3] or '/'} ({page.viewport_size['width']}, {theme})"


# --- The keyboard -----------------------------------------------------------------------------------------------------

NAME = "(e => e.labels?.[0]?.innerText || e.getAttribute('aria-label') || e.innerText)(document.activeElement)?.trim()"
UNSEEN = """() => {
  const it = document.activeElement, look = getComputedStyle(it), at = it.getBoundingClientRect();
  const isMarked = (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0) || look.boxShadow !== "none";
  const isInSight = at.width > 0 && at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth;
  return it.matches("body, dialog") || (isMarked && isInSight) ? "" : it.outerHTML.slice(0, 200);
}"""


def press_until(page: Page, key: str, name: str, most: int = 60) -> None:
    """Press `key` until what has the focus is called `name`; all but a dialog itself shows that it has it."""
    passed: list[str] = []
    for _press in range(most):
        page.keyboard.press(key)
        passed.append(page.evaluate(NAME))
        unseen = page.evaluate(UNSEEN)
        assert not unseen, f"the focus cannot be seen: {unseen}"
        if passed[-1] == name:
            return
    raise AssertionError(f"{name} is not reached, only {passed}")


# --- The background ---------------------------------------------------------------------------------------------------


class Background(threading.Thread):
    """Does the queue's jobs one after the other; `pause()` leaves them waiting until `go_on()`."""

    def __init__(self) -> None:
        super().__init__(name="background", daemon=True)
        self.failures: list[str] = []
        self._awake, self._leaving = threading.Event(), threading.Event()
        self._awake.set()

    def pause(self) -> None:
        self._awake.clear()

    def go_on(self) -> None:
        self._awake.set()

    def leave(self) -> None:
        self._leaving.set()
        self.join(60)

    def run(self) -> None:
        broker = get_broker()
        try:
            while not self._leaving.wait(0.05):
                if self._awake.is_set() and broker.queue_size():
                    self.work(broker)
        finally:
            connections.close_all()

    def work(self, broker: Broker) -> None:
        for ack_id, package in broker.dequeue() or ():
            task = SignedPackage.loads(package)
            try:
                pydoc.locate(task["func"])(*task["args"], **task["kwargs"])
            except Exception:
                self.failures.append(traceback.format_exc())
            broker.acknowledge(ack_id)


@pytest.fixture
def background(transactional_db: None) -> Iterator[Background]:
    """Somebody to do the jobs; one that fails fails the test."""
    get_broker().purge_queue()
    background = Background()
    background.start()
    yield background
    background.leave()
    get_broker().purge_queue()
    assert background.failures == []
