"""Settings from the environment: what is read, and what a wrong value leads to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from pytest_django import Settings

from crmsync import checks
from crmsync.environment import Environment

ROOT = Path(__file__).resolve().parent.parent
GOOD = {
    "CRMSYNC_ENV_FILE": os.devnull,
    "CRMSYNC_SECRET_KEY": "a-long-random-text-of-which-nobody-knows-anything-0123456789",
    "CRMSYNC_ENCRYPTION_KEYS": "A3jUHV0Sbd0jqFqI7QyhqCf0gGBT3tHSYp1qLFcGUKg=",
    "CRMSYNC_BASE_URL": "https://crm.example.com",
    "CRMSYNC_ALLOWED_HOSTS": "crm.example.com",
    "M365_TENANT_ID": "11111111-2222-4333-8444-555555555555",
    "M365_CLIENT_ID": "99999999-2222-4333-8444-555555555555",
    "M365_CLIENT_SECRET": "nobody-knows",
}


def manage(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py (or `code`) with nothing but `environment`, as on a server."""
    command = [sys.executable, *(["-c", code] if code else ["manage.py", *arguments])]
    kept = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=60)


def problems(environment: Environment) -> list[str]:
    return [problem.variable for problem in environment.problems]


# --- Reading one value ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://graph.example.com/v1.0", "http://127.0.0.1.example.com", "graph.example.com", "ftp://127.0.0.1"]
)
def test_a_service_is_never_reached_over_plain_http_unless_it_is_on_this_machine(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M365_GRAPH_URL", url)
    environment = Environment()
    assert (
        environment.service_url("M365_GRAPH_URL", "https://graph.microsoft.com/v1.0")
        == "https://graph.microsoft.com/v1.0"
    )
    assert problems(environment) == ["M365_GRAPH_URL"]
    assert url not in str(environment.problems)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8365/v1.0", "http://localhost:8365", "http://[::1]:8365", "https://graph.microsoft.us/v1.0"],
)
def test_a_sandbox_on_this_machine_and_any_https_service_are_fine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M365_GRAPH_URL", url + "/")
    environment = Environment()
    assert environment.service_url("M365_GRAPH_URL", "https://graph.microsoft.com/v1.0") == url
    assert environment.problems == []


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("CRMSYNC_DEBUG", "perhaps", lambda environment, name: environment.flag(name) is False),
        ("CRMSYNC_WORKERS", "two", lambda environment, name: environment.number(name, 2, least=1) == 2),
        ("CRMSYNC_WORKERS", "0", lambda environment, name: environment.number(name, 2, least=1) == 2),
        ("M365_ACCESS", "root", lambda environment, name: environment.choice(name, ["a", "b"], "a") == "a"),
        (
            "DATABASE_URL",
            "oracle//x",
            lambda environment, name: "sqlite3" in environment.database(name, "sqlite:///x")["ENGINE"],
        ),
    ],
)
def test_a_wrong_value_is_noted_and_the_default_used(variable, value, read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    environment = Environment()
    assert read(environment, variable)
    assert problems(environment) == [variable]
    assert environment.problems[0].hint


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("M365_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert Environment().secret("M365_CLIENT_SECRET") == "from the file"


def test_a_secret_file_that_cannot_be_read_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("M365_CLIENT_SECRET_FILE", str(tmp_path / "missing"))
    environment = Environment()
    assert environment.secret("M365_CLIENT_SECRET") == ""
    assert problems(environment) == ["M365_CLIENT_SECRET_FILE"]


def test_the_environment_goes_before_the_file_and_two_tenants_are_never_mixed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TRY_ONE", "TRY_TWO", "M9_TENANT", "M9_SECRET"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "demo.env").write_text("# comment\nTRY_ONE=file\nTRY_TWO=file\nM9_TENANT=file\nM9_SECRET=file\n")
    monkeypatch.setenv("TRY_TWO", "environment")
    monkeypatch.setenv("M9_TENANT", "environment")
    Environment().read_file(tmp_path / "demo.env", skip_prefix="M9_")
    assert os.environ["TRY_ONE"] == "file"
    assert os.environ["TRY_TWO"] == "environment"
    assert "M9_SECRET" not in os.environ


# --- The system checks ------------------------------------------------------------------------------------------------


def found() -> dict[str, str]:
    """Id → hint of what the checks say."""
    return {message.id: message.hint for message in run_checks(tags=["crmsync"])}


def test_the_tests_own_settings_pass() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("name", "value", "check_id"),
    [
        ("SECRET_KEY", "unset", "crmsync.E001"),
        ("ENCRYPTION_KEYS", [], "crmsync.E002"),
        ("ENCRYPTION_KEYS", [Fernet.generate_key().decode(), "short"], "crmsync.E002"),
        ("M365_CLIENT_SECRET", "", "crmsync.E007"),
        ("BASE_URL", "crm.example.com", "crmsync.E008"),
        ("M365_TENANT_ID", "common", "crmsync.E009"),
    ],
)
def test_each_wrong_setting_has_an_id_and_a_hint(name: str, value, check_id: str, settings: Settings) -> None:
    setattr(settings, name, value)
    assert list(found()) == [check_id]
    assert found()[check_id]


def test_no_tenant_at_all_is_only_a_warning(settings: Settings) -> None:
    for name in ("M365_TENANT_ID", "M365_CLIENT_ID", "M365_CLIENT_SECRET"):
        setattr(settings, name, "")
    assert list(found()) == ["crmsync.W001"]


@pytest.mark.parametrize("variable", sorted(checks.IDS))
def test_no_two_settings_share_a_check(variable: str) -> None:
    assert list(checks.IDS.values()).count(checks.IDS[variable]) == 1


def test_check_names_every_wrong_variable_at_once() -> None:
    wrong = {
        "DATABASE_URL": "nonsense",
        "M365_ACCESS": "root",
        "M365_GRAPH_URL": "http://graph.example.com",
        "CRMSYNC_WORKERS": "x",
    }
    answer = manage("check", **(GOOD | wrong | {"CRMSYNC_SECRET_KEY": ""}))
    assert answer.returncode == 1
    for check_id in ("crmsync.E001", "crmsync.E003", "crmsync.E005", "crmsync.E006", "crmsync.E099"):
        assert f"({check_id})" in answer.stderr
    assert "HINT: " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_production_environment_passes_check_deploy() -> None:
    answer = manage("check", "--deploy", "--fail-level", "WARNING", **GOOD)
    assert answer.returncode == 0, answer.stderr


def test_in_production_the_sandbox_is_not_there() -> None:
    answer = manage("sandbox", "--help", **GOOD)
    assert answer.returncode == 1
    assert "Unknown command: 'sandbox'" in answer.stderr


# --- The documentation ------------------------------------------------------------------------------------------------


def test_every_variable_is_documented() -> None:
    read = set(re.findall(r'ENVIRONMENT\.\w+\(\s*"([A-Z0-9_]+)"', (ROOT / "crmsync/settings.py").read_text()))
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
    assert read == documented


def test_every_check_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    ids = set(re.findall(r"crmsync\.[EW]\d{3}", (ROOT / "crmsync/checks.py").read_text()))
    assert ids == set(re.findall(r"^\| `(crmsync\.[EW]\d{3})`", text, re.MULTILINE))


def test_the_web_server_refuses_to_serve_while_a_setting_is_wrong():
    def serve(**changed):
        environment = {"PATH": os.environ["PATH"], **GOOD, **changed}
        argv = [sys.executable, "-c", "import crmsync.wsgi"]
        return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert "crmsync.E001" in serve(CRMSYNC_SECRET_KEY="").stderr
    assert serve().returncode == 0
