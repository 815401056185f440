"""manage.py exchange_setup: rolling setups out from the command line."""

import pytest
from django.core.management import CommandError, call_command

from exchange_setup.models import ExchangeSync
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return UserFactory(email="anna@crm.example", name="Anna", authentication_email="")


def run(*arguments: str) -> None:
    call_command("exchange_setup", "--user", "anna@crm.example", *arguments)


def test_it_creates_and_enables_a_setup(anna, capsys: pytest.CaptureFixture[str]) -> None:
    run("--mailbox", "anna@contoso.example", "--folder", "Customers", "--filter", "city=A*|B*", "--filter",
        "salesperson=%me", "--auto-sync", "30")  # fmt: skip
    setup = ExchangeSync.objects.get()
    anna.refresh_from_db()
    assert anna.authentication_email == setup.mailbox == "anna@contoso.example"
    assert (setup.folder_name, setup.enabled, setup.auto_sync, setup.interval_minutes) == ("Customers", True, True, 30)
    assert setup.contact_filter == {"city": "A*|B*", "salesperson": "%me"}
    assert setup.next_sync_at is not None
    out = capsys.readouterr().out
    assert "Created the setup of anna@crm.example" in out and "still has to connect" in out


def test_running_it_again_changes_nothing_more(anna) -> None:
    arguments = ["--mailbox", "anna@contoso.example", "--filter", "city=A*"]
    run(*arguments)
    before = ExchangeSync.objects.values().get()
    run(*arguments)
    assert ExchangeSync.objects.values().get() == before


def test_what_is_not_named_stays(anna) -> None:
    run("--mailbox", "anna@contoso.example", "--folder", "Customers", "--filter", "city=A*", "--auto-sync", "30")
    run("--filter", "type=Person", "--filter", "city=")
    setup = ExchangeSync.objects.get()
    assert (setup.folder_name, setup.contact_filter, setup.auto_sync) == ("Customers", {"type": "Person"}, True)
    run("--auto-sync", "0")
    setup.refresh_from_db()
    assert (setup.auto_sync, setup.interval_minutes, setup.next_sync_at) == (False, 30, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no authentication email"),
        (["--mailbox", "nonsense"], "valid email"),
        (["--mailbox", "taken@contoso.example"], "Another user"),
        (["--mailbox", "a@contoso.example", "--filter", "city=A("], "^"),
        (["--mailbox", "a@contoso.example", "--filter", "shoe_size=42"], "shoe_size"),
        (["--mailbox", "a@contoso.example", "--filter", "city"], "FIELD=EXPR"),
        (["--mailbox", "a@contoso.example", "--auto-sync", "3"], "shortest"),
        (["--mailbox", "a@contoso.example", "--folder", " "], "name"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_changed(anna, arguments: list[str], words: str) -> None:
    UserFactory(authentication_email="taken@contoso.example")
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert words in str(caught.value)
    anna.refresh_from_db()
    assert anna.authentication_email == "" and not ExchangeSync.objects.exists()


def test_an_unknown_user_is_told() -> None:
    with pytest.raises(CommandError, match=r"No user has the e-mail anna@crm\.example"):
        run("--mailbox", "a@contoso.example")


def test_the_mark_stands_below_the_wrong_character(anna) -> None:
    with pytest.raises(CommandError) as caught:
        run("--mailbox", "a@contoso.example", "--filter", "city=Aar(")
    _, expression, mark = str(caught.value).splitlines()
    assert expression[mark.index("^")] == "("
