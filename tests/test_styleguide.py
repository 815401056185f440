"""The style guide: for developers only, and complete."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.factories import AdministratorFactory

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.django_db


@pytest.fixture
def developer(client: Client, settings: Any) -> Client:
    settings.DEBUG = True
    client.force_login(AdministratorFactory())
    return client


def test_it_is_not_there_in_production(client: Client) -> None:
    client.force_login(AdministratorFactory())
    assert client.get("/styleguide/").status_code == 404
    assert client.get("/styleguide/?part=dialog").status_code == 404


def test_it_shows_every_partial_and_token_of_the_design_system(developer: Client) -> None:
    documented = (ROOT / "docs/design-system.md").read_text()
    source = (ROOT / "templates/styleguide/page.html").read_text()
    partials = set(re.findall(r"^\| `(_\w+\.html)`", documented, re.MULTILINE))
    assert partials and partials <= set(re.findall(r"partials/(_\w+\.html)", source))
    page = developer.get("/styleguide/").text
    tokens = re.findall(r"^  (--(?:canvas|surface|subtle|line|control|text|muted|accent[\w-]*|\w+-soft)):",
                        (ROOT / "static/theme.css").read_text(), re.MULTILINE)  # fmt: skip
    hidden = {"--accent-fill-hover"}
    assert [token for token in tokens if f"<code>{token}</code>" not in page and token not in hidden] == []


def test_its_buttons_open_a_dialog_and_show_toasts(developer: Client) -> None:
    assert 'id="dialog-title"' in developer.get("/styleguide/?part=dialog").text
    assert '"tone": "warn"' in developer.get("/styleguide/?part=warn")["HX-Trigger"]
