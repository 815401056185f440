"""`make screenshots`: a picture of every page, in both themes and at both widths, under screenshots/.

screenshots/en/1280-light/sync-runs-done.png is how the page looks to whom PAGES shows it. What the README shows is in
screenshots/readme/; `make readme-pictures` puts it into docs/images/.

Environment: LANGUAGES (en; "en da" takes both, "" only the README's), CHROMIUM (where it is, if not on the PATH).
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from crmsync.users.models import User
from tests.browser import CHROMIUM, HEIGHT, NARROW, WIDE, Background, sign_in, turn
from tests.lively import JENS, Demo
from tests.outlook import Tenant
from tests.test_browser_pages import PAGES

ROOT = Path(__file__).resolve().parent.parent / "screenshots"
LANGUAGES = os.environ.get("LANGUAGES", "en").split()
VIEWERS = {  # who is not named here is Jens
    "beginner": "xenia.xu@contoso.example",
    "administrator": "kirsten.berg@contoso.example",
    "nobody": "",
}

if not CHROMIUM:
    pytest.exit("The pictures are taken by Chromium, and there is none on the PATH. CHROMIUM=/path/to/it names one.", 1)


class Camera:
    """Takes pictures of the CRM at `url` as somebody sees it in a language."""

    def __init__(self, browser: Browser, url: str, user: User | None, language: str = "en") -> None:
        self.language = language
        self.context = browser.new_context(
            base_url=url, viewport={"width": WIDE, "height": HEIGHT}, reduced_motion="reduce", locale=language
        )
        self.context.add_cookies([{"name": "django_language", "value": language, "url": url}])
        if user:
            sign_in(self.context, user, url)
        self.page = self.context.new_page()

    def go(self, path: str) -> Page:
        """Open a page and wait until its parts have come."""
        self.page.goto(path)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        expect(self.page.locator(".htmx-request")).to_have_count(0)
        return self.page

    def take(self, path: str, name: str) -> None:
        """The whole page in every look."""
        page = self.go(path)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            # Not `full_page`: that loses what sticks to the window.
            height = max(HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("light", "dark"):
                turn(page, theme)
                page.screenshot(path=ROOT / self.language / f"{width}-{theme}" / f"{name}.png")
        page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        turn(page, "light")

    def keep(self, name: str) -> None:
        """What is in the window, for the README."""
        self.page.mouse.move(0, HEIGHT - 1)
        turn(self.page, "light")
        self.page.screenshot(path=ROOT / "readme" / f"{name}.png")


def named(viewer: str, path: str) -> str:
    """'/sync/runs/{done}/?tab=failed' → 'sync-runs-done-tab-failed'; other people's begin with who they are."""
    words = "-".join(re.findall(r"[\w<>*|]+", path)) or "home"
    plain = re.sub(r"[^\w-]+", "_", words)
    return plain if viewer in ("contacts", "sync") else f"{viewer}-{plain}"


@pytest.mark.django_db(transaction=True)
def test_pictures(
    browser: Browser, served: str, sandbox: Tenant, settings: Any, background: Background, capsys: Any
) -> None:
    settings.BASE_URL, settings.SYNC_PUSH = served, False  # the syncs here are those that the demo makes
    for folder in ("readme", *LANGUAGES):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    demo = Demo(sandbox)
    demo.live()
    readme(Camera(browser, served, demo.jens.setup.user), demo)
    demo.look_back()
    demo.fail()
    missing = set()
    for language in LANGUAGES:
        for viewer, paths in PAGES.items():
            email = VIEWERS.get(viewer, JENS)
            settings.DEBUG = viewer == "developer"
            camera = Camera(browser, served, demo.user(email) if email else None, language)
            for path in paths:
                if set(re.findall(r"{(\w+)}", path)) <= demo.places.keys():
                    camera.take(path.format_map(demo.places), named(viewer, path))
                else:
                    missing.add(path)
            camera.context.close()
    with capsys.disabled():
        print(f"\n{len(list(ROOT.rglob('*.png')))} pictures in {ROOT}")
        for path in sorted(missing):
            print(f"none of {path}: tests/lively.py does not say what that is in the demo")


def readme(camera: Camera, demo: Demo) -> None:
    """The four pictures that the README shows."""
    camera.go("/contacts/")
    camera.keep("contacts")
    camera.page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    expect(camera.page.get_by_role("dialog").locator(".filter-count strong")).to_be_visible()
    camera.keep("sync")
    camera.go(f"/sync/runs/{demo.places['done']}/")
    camera.keep("run")
    camera.go("/")
    camera.keep("home")
    camera.context.close()
