"""The setup page: whose it is, what each step stores, and what it says in every state."""

import pytest
from django.test import Client
from django.utils import translation

from exchange_setup.models import ExchangeSync, MailboxSignIn, Trouble
from exchange_setup.views.page import rules_summary
from tests.factories import AdministratorFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db
POSTS = ["connect", "validate", "move", "folder/again", "filter", "rules", "schedule", "enable", "pause"]


@pytest.fixture
def anna(client: Client):
    user = UserFactory(name="Anna", authentication_email="anna@contoso.example")
    client.force_login(user)
    return user


@pytest.fixture
def setup(anna) -> ExchangeSync:
    """Connected, set up and enabled."""
    setup = SetupFactory(user=anna)
    setup.enable()
    MailboxSignIn.objects.create(setup=setup, account=anna.authentication_email, token_cache="{}")
    return setup


def page(client: Client) -> str:
    answer = client.get("/exchange-setup/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_is_made_when_it_is_first_opened(anna, client: Client) -> None:
    assert "anna@contoso.example" in page(client)
    setup = ExchangeSync.objects.get()
    assert (setup.user, setup.mailbox, setup.enabled) == (anna, "anna@contoso.example", False)
    page(client)
    assert ExchangeSync.objects.count() == 1


def test_it_needs_a_sign_in(client: Client) -> None:
    for path in ["", "folder/", "callback/", *(f"{name}/" for name in POSTS)]:
        for answer in (client.get(f"/exchange-setup/{path}"), client.post(f"/exchange-setup/{path}")):
            assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/")
    assert not ExchangeSync.objects.exists()


@pytest.mark.parametrize("name", POSTS)
def test_nothing_is_changed_by_a_get_or_without_a_token(setup: ExchangeSync, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(setup.user)
    assert client.get(f"/exchange-setup/{name}/").status_code == 405
    assert client.post(f"/exchange-setup/{name}/").status_code == 403
    setup.refresh_from_db()
    assert setup.enabled and MailboxSignIn.objects.exists()


def test_nobody_changes_the_setup_of_somebody_else(setup: ExchangeSync) -> None:
    other = Client()
    other.force_login(UserFactory())
    other.post("/exchange-setup/pause/")
    other.post("/exchange-setup/disconnect/")
    other.post("/exchange-setup/rules/", {"setup": setup.pk, "conflict_rule": "outlook"})
    setup.refresh_from_db()
    assert setup.enabled and setup.conflict_rule == "crm" and setup.sign_in.is_connected


def test_without_an_authentication_email_it_says_who_can_add_one(client: Client) -> None:
    AdministratorFactory(name="Ada Admin", email="ada@crm.example", authentication_email="")
    client.force_login(UserFactory(authentication_email=""))
    text = page(client)
    assert "no authentication email" in text and "Ada Admin" in text and "ada@crm.example" in text
    assert not ExchangeSync.objects.exists()
    client.post("/exchange-setup/connect/")
    client.post("/exchange-setup/validate/")
    client.post("/exchange-setup/enable/")
    assert not ExchangeSync.objects.get().enabled


def test_an_administrator_without_one_is_led_to_their_own_card(client: Client) -> None:
    user = AdministratorFactory(authentication_email="")
    client.force_login(user)
    assert f"/users/{user.pk}/" in page(client)


def test_the_authentication_email_is_taken_on_when_it_comes_later(client: Client) -> None:
    user = UserFactory(authentication_email="")
    client.force_login(user)
    page(client)
    user.authentication_email = "late@contoso.example"
    user.save()
    assert "late@contoso.example" in page(client) and "Your user card now names" not in page(client)


def test_the_steps_lead_from_one_to_the_next(anna, client: Client) -> None:
    client.get("/exchange-setup/")
    setup = ExchangeSync.objects.get()
    assert opened(client) == [1]
    MailboxSignIn.objects.create(setup=setup, account=anna.authentication_email, token_cache="{}")
    setup.note_step(1)
    for step, (path, data) in enumerate(
        [
            ("folder", {"name": "Customers"}),
            ("filter", {"filter-city": "A*"}),
            ("rules", rules_data()),
            ("schedule", {"auto_sync": "on", "interval_minutes": "30"}),
        ],
        start=2,
    ):
        assert opened(client) == [step]
        answer = client.post(f"/exchange-setup/{path}/", data)
        assert answer["Location"] == f"/exchange-setup/#step-{step}"
    assert opened(client) == []
    client.post("/exchange-setup/enable/")
    setup.refresh_from_db()
    assert setup.enabled and setup.next_sync_at is None and setup.waits_for_first_sync
    assert (setup.folder_name, setup.contact_filter) == ("Customers", {"city": "A*"})


def opened(client: Client) -> list[int]:
    return [step.number for step in client.get("/exchange-setup/").context["steps"] if step.is_open]


def rules_data(**changed: str) -> dict[str, str]:
    usual = {
        "shared_email_rule": "lowest", "conflict_rule": "crm", "trashed_rule": "remove", "removed_rule": "stay_out",
        "left_filter_rule": "keep", "new_contact_rule": "add", "sync_notes": "",
    }  # fmt: skip
    return usual | changed


def test_a_finished_setup_is_five_lines(setup: ExchangeSync, client: Client) -> None:
    setup.contact_filter = {"city": "A*|B*", "type": ""}
    setup.conflict_rule = "outlook"
    setup.auto_sync = True
    setup.save()
    steps = client.get("/exchange-setup/").context["steps"]
    assert [step.state for step in steps] == ["done"] * 5
    assert [str(step.summary) for step in steps] == [
        "anna@contoso.example",
        "“Business Central”, made at the first sync",
        "City: A*|B*",
        "Outlook wins; deleted contacts stay out; notes stay in the CRM · 1 rule differs from the usual",
        "Every 15 minutes",
    ]


def test_the_tick_at_the_schedule_is_a_suggestion_and_only_for_who_comes_to_it_next(anna, client: Client) -> None:
    def said() -> tuple[str, bool, bool]:
        answer = client.get("/exchange-setup/")
        ticked = bool(answer.context["schedule_form"]["auto_sync"].value())
        return str(answer.context["steps"][4].summary), ticked, "What we suggest" in answer.content.decode()

    by_hand = {"interval_minutes": "15"}
    assert said() == ("By hand, until you choose a schedule", False, False)
    client.post("/exchange-setup/schedule/", by_hand)  # before the other steps
    assert said() == ("By hand, until you choose a schedule", False, False)
    for path, data in [("folder", {"name": "Customers"}), ("filter", {}), ("rules", rules_data())]:
        client.post(f"/exchange-setup/{path}/", data)
    assert said() == ("By hand, until you choose a schedule", True, True)
    client.post("/exchange-setup/schedule/", {"auto_sync": "on"} | by_hand)
    assert said() == ("Every 15 minutes", True, False)
    client.post("/exchange-setup/schedule/", by_hand)
    assert said() == ("By hand only", False, False)


def test_the_line_of_the_rules_names_the_winner_first_in_danish_too() -> None:
    with translation.override("da"):
        lines = [str(rules_summary(ExchangeSync(conflict_rule=value))) for value in ("crm", "outlook", "ask")]
    assert [line.partition(";")[0] for line in lines] == ["CRM vinder", "Outlook vinder", "Du bliver spurgt"]


@pytest.mark.parametrize("name", ["conflict_rule", "removed_rule", "sync_notes"])
def test_the_line_of_the_rules_has_words_of_its_own_for_every_choice(name: str) -> None:
    field = ExchangeSync._meta.get_field(name)
    values = [value for value, _label in field.choices or [(False, ""), (True, "")]]
    lines = {str(rules_summary(ExchangeSync(**{name: value}))) for value in values}
    assert len({line.partition(" · ")[0] for line in lines}) == len(values) > 1


def test_every_rule_and_choice_of_it_stands_in_words(setup: ExchangeSync, client: Client) -> None:
    text = page(client)
    for words in ["When I delete a contact in Outlook,", "only the CRM keeps it", "ask me",
                  "hold it for review", "they are copied to Outlook too", "never enter the CRM"]:  # fmt: skip
        assert words in text


def test_rules_are_stored_and_a_wrong_one_is_not(setup: ExchangeSync, client: Client) -> None:
    client.post("/exchange-setup/rules/", rules_data(removed_rule="trash", sync_notes="1"))
    setup.refresh_from_db()
    assert setup.removed_rule == "trash" and setup.sync_notes is True
    answer = client.post("/exchange-setup/rules/", rules_data(removed_rule="burn", sync_notes="", conflict_rule="ask"))
    assert answer.status_code == 422
    setup.refresh_from_db()
    assert (setup.removed_rule, setup.sync_notes, setup.conflict_rule) == ("trash", True, "crm")


def test_a_wrong_filter_is_pointed_at_and_not_stored(setup: ExchangeSync, client: Client) -> None:
    answer = client.post("/exchange-setup/filter/", {"filter-city": "Aar("})
    assert answer.status_code == 422 and "Aar(" in answer.content.decode()
    setup.refresh_from_db()
    assert setup.contact_filter == {}


@pytest.mark.parametrize("minutes", ["4", "1441", "", "x", "-5", "99999999999999999999"])
def test_an_interval_out_of_bounds_is_refused(setup: ExchangeSync, client: Client, minutes: str) -> None:
    answer = client.post("/exchange-setup/schedule/", {"auto_sync": "on", "interval_minutes": minutes})
    assert answer.status_code == 422
    setup.refresh_from_db()
    assert (setup.auto_sync, setup.interval_minutes) == (False, 15)


def test_the_schedule_sets_the_next_sync_and_switching_it_off_takes_it_away(
    setup: ExchangeSync, client: Client
) -> None:
    client.post("/exchange-setup/schedule/", {"auto_sync": "on", "interval_minutes": "60"})
    setup.refresh_from_db()
    assert setup.next_sync_at is not None
    client.post("/exchange-setup/schedule/", {"interval_minutes": "60"})
    setup.refresh_from_db()
    assert setup.next_sync_at is None


def test_pausing_and_resuming(setup: ExchangeSync, client: Client) -> None:
    setup.auto_sync = True
    setup.save()
    client.post("/exchange-setup/pause/")
    setup.refresh_from_db()
    assert not setup.enabled and setup.next_sync_at is None
    assert "Resume" in page(client)
    client.post("/exchange-setup/enable/")
    setup.refresh_from_db()
    assert setup.enabled and setup.next_sync_at is not None


def test_a_mailbox_that_is_not_connected_cannot_be_enabled(anna, client: Client) -> None:
    answer = client.post("/exchange-setup/enable/", follow=True)
    assert "Connect the mailbox first" in answer.content.decode()
    assert not ExchangeSync.objects.get().enabled


def test_with_application_access_nobody_signs_in(anna, client: Client, settings) -> None:
    settings.M365_ACCESS = "application"
    text = page(client)
    assert "Your organisation connects" in text and "Connect Microsoft 365" not in text
    client.post("/exchange-setup/connect/")
    client.post("/exchange-setup/enable/")
    assert ExchangeSync.objects.get().enabled


@pytest.mark.parametrize(
    ("trouble", "words", "button"),
    [
        (Trouble.NEEDS_SIGN_IN, "no longer accepts the sign-in", "/exchange-setup/connect/"),
        (Trouble.ACCESS_DENIED, "does not let the CRM into", "/exchange-setup/connect/"),
        (Trouble.MAILBOX_UNAVAILABLE, "has no mailbox", "/exchange-setup/validate/"),
        (Trouble.QUOTA_FULL, "mailbox is full", "/exchange-setup/validate/"),
        (Trouble.FOLDER_GONE, "is no longer in your mailbox", "/exchange-setup/folder/again/"),
        (Trouble.MAILBOX_CHANGED, "names another mailbox", "/exchange-setup/validate/"),
    ],
)
@pytest.mark.parametrize("access", ["delegated", "application"])
def test_every_trouble_has_its_sentence_and_its_button(
    setup: ExchangeSync, client: Client, settings, trouble: Trouble, words: str, button: str, access: str
) -> None:
    settings.M365_ACCESS = access
    setup.note_trouble(trouble, "403 ErrorAccessDenied")
    answer = client.get("/exchange-setup/")
    shown = answer.context["trouble"]
    if access == "application" and button.endswith("/connect/"):
        words, button = "does not let the CRM into", "/exchange-setup/validate/"
    assert words in str(shown) and "ErrorAccessDenied" in answer.content.decode()
    assert f'action="{button}"' in answer.content.decode()
    assert "Sync with Microsoft 365" not in answer.content.decode()


def test_without_a_tenant_it_says_so(anna, client: Client, settings) -> None:
    settings.M365_TENANT_ID = ""
    assert "not joined to Microsoft 365" in page(client)


def test_the_page_costs_a_constant_number_of_queries(
    setup: ExchangeSync, client: Client, django_assert_num_queries
) -> None:
    # session, user, setup, sign-in, the organisation's defaults, last run, a preview that is ready, health
    with django_assert_num_queries(8):
        page(client)


def test_what_a_run_moves_on_meanwhile_is_never_put_back(setup: ExchangeSync, client: Client) -> None:
    stale = ExchangeSync.objects.get(pk=setup.pk)
    ExchangeSync.objects.update(delta_link="https://new", delta_next_link="https://next", trouble="quota_full")
    stale.enable()
    stale.pause()
    stale.note_step(5)
    stale.use_folder(stale.folder_name)
    stale.move_to(stale.mailbox)
    setup.refresh_from_db()
    assert (setup.delta_link, setup.delta_next_link, setup.trouble) == ("https://new", "https://next", "quota_full")
