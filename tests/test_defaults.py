"""The organisation's defaults: what new setups begin with, and locks that hold whatever a browser sends."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from crmsync.sync.models import SyncRun
from exchange_setup.models import RULES, SETTINGS, ExchangeSync, OrganisationDefaults
from tests.factories import AdministratorFactory, RunFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db

URL = "/exchange-setup/defaults/"
STEPS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "folder_name": ("folder", {"choice": "new", "name": "Mine"}, "Ours"),
    "contact_filter": ("filter", {"filter-city": "Odense"}, {"salesperson": "%me"}),
    "shared_email_rule": ("rules", {"shared_email_rule": "each"}, "lowest"),
    "conflict_rule": ("rules", {"conflict_rule": "outlook"}, "ask"),
    "trashed_rule": ("rules", {"trashed_rule": "remove"}, "keep"),
    "removed_rule": ("rules", {"removed_rule": "trash"}, "stay_out"),
    "left_filter_rule": ("rules", {"left_filter_rule": "keep"}, "remove"),
    "new_contact_rule": ("rules", {"new_contact_rule": "add"}, "hold"),
    "sync_notes": ("rules", {"sync_notes": "1"}, False),
    "auto_sync": ("schedule", {"auto_sync": ""}, True),
    "interval_minutes": ("schedule", {"interval_minutes": "5"}, 60),
}
OURS = {name: value for name, (_step, _posted, value) in STEPS.items()}
WHOLE_RULES = {
    "shared_email_rule": "lowest", "conflict_rule": "crm", "trashed_rule": "remove", "removed_rule": "stay_out",
    "left_filter_rule": "keep", "new_contact_rule": "add", "sync_notes": "",
}  # fmt: skip
WHOLE: dict[str, Any] = WHOLE_RULES | {"folder_name": "Ours", "filter-salesperson": "%me", "interval_minutes": "15"}


@pytest.fixture(autouse=True)
def by_organisation(settings: Any) -> None:
    settings.M365_ACCESS = "application"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdministratorFactory())
    return client


@pytest.fixture
def setup() -> ExchangeSync:
    return SetupFactory(enabled_at=timezone.now(), steps_done=5)


@pytest.fixture
def mine(client: Client, setup: ExchangeSync) -> Client:
    client.force_login(setup.user)
    return client


def store(**values: Any) -> OrganisationDefaults:
    defaults = OrganisationDefaults(**values)
    defaults.save()
    return defaults


def lock(*names: str, **values: Any) -> None:
    """Lock the settings of these names, each at its value in OURS, as an administrator's POST does."""
    with transaction.atomic():
        store(**({name: OURS[name] for name in names} | values), locked=list(names)).apply_locks()


# --- The page --------------------------------------------------------------------------------------------------------


def test_only_administrators_may_look_and_save(client: Client, setup: ExchangeSync) -> None:
    assert client.get(URL).url.startswith("/accounts/login/")
    client.force_login(setup.user)
    assert client.get(URL).status_code == client.post(URL, WHOLE).status_code == 403
    assert not OrganisationDefaults.objects.exists()


def test_every_setting_of_a_setup_has_its_line_and_its_lock(admin: Client) -> None:
    page = admin.get(URL).text
    assert "From 5 to 1,440, which is a day." in page and 'placeholder="such as %me"' in page
    assert "the same e‑mail," in page
    assert set(SETTINGS) == set(STEPS)
    assert all(f'name="lock_{name}"' in page for name in SETTINGS)
    assert all(f'name="{name}"' in page for name in SETTINGS if name != "contact_filter")
    assert 'href="/exchange-setup/defaults/" aria-current="page"' in page and page.count('aria-current="page"') == 1


def test_what_is_saved_is_shown_again(admin: Client) -> None:
    answer = admin.post(
        URL, WHOLE | {"conflict_rule": "ask", "sync_notes": "1", "lock_conflict_rule": "on"}, follow=True
    )
    assert "Saved. New setups begin with it." in answer.text
    defaults = OrganisationDefaults.objects.get()
    assert (defaults.folder_name, defaults.contact_filter) == ("Ours", {"salesperson": "%me"})
    assert (defaults.conflict_rule, defaults.sync_notes, defaults.locked) == ("ask", True, ["conflict_rule"])
    form = admin.get(URL).context["form"]
    assert form.contact_filter.lock.value() is False and form["lock_conflict_rule"].value() is True
    assert form["sync_notes"].value() == "1" and form.filter_form["salesperson"].value() == "%me"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"folder_name": ""}, "This field is required."),
        ({"folder_name": "a\nb"}, "no line breaks"),
        ({"interval_minutes": "1"}, "Five minutes is the shortest."),
        ({"interval_minutes": "9999"}, "is the longest."),
        ({"conflict_rule": "nobody"}, "Select a valid choice"),
        ({"filter-salesperson": "("}, 'class="field-errors"'),
    ],
)
def test_what_is_wrong_is_marked_and_nothing_is_saved(admin: Client, wrong: dict[str, str], words: str) -> None:
    answer = admin.post(URL, WHOLE | wrong)
    assert answer.status_code == 422 and words in answer.text and "Nothing was saved yet." in answer.text
    assert not OrganisationDefaults.objects.exists()


def test_there_is_one_row_of_defaults() -> None:
    store()
    with pytest.raises(IntegrityError), transaction.atomic():
        OrganisationDefaults(id=2).save()


# --- New setups ------------------------------------------------------------------------------------------------------


def test_a_new_setup_begins_with_the_defaults(client: Client) -> None:
    store(**OURS)
    user = UserFactory()
    client.force_login(user)
    page = client.get("/exchange-setup/").text
    setup = ExchangeSync.objects.get(user=user)
    assert {name: getattr(setup, name) for name in SETTINGS} == OURS and setup.mailbox == user.authentication_email
    assert "Set by your organisation" not in page


def test_setups_made_in_bulk_begin_with_the_defaults(admin: Client) -> None:
    store(**OURS)
    users = UserFactory.create_batch(2)
    admin.post("/sync/mailboxes/set-up/", {"user": [user.pk for user in users], "enable": "1"})
    for setup in ExchangeSync.objects.filter(user__in=users):
        assert {name: getattr(setup, name) for name in SETTINGS} == OURS
        assert setup.enabled and setup.next_sync_at > timezone.now()


def test_without_stored_defaults_a_setup_begins_as_the_product_does() -> None:
    setup = ExchangeSync.objects.for_user(UserFactory())
    usual = {name: ExchangeSync._meta.get_field(name).get_default() for name in SETTINGS}
    assert {name: getattr(setup, name) for name in SETTINGS} == usual


# --- Locks on setups that are there ----------------------------------------------------------------------------------


def test_what_is_locked_is_set_everywhere_and_counted(admin: Client) -> None:
    SetupFactory.create_batch(2)
    SetupFactory(conflict_rule="ask")
    answer = admin.post(URL, WHOLE | {"conflict_rule": "ask", "lock_conflict_rule": "on"}, follow=True)
    assert "Saved. 2 setups took on what is the same for everybody." in answer.text
    assert set(ExchangeSync.objects.values_list("conflict_rule", "trashed_rule")) == {("ask", "remove")}


def test_a_setup_that_has_a_folder_keeps_it() -> None:
    old, new = SetupFactory(folder_id="AAA", folder_name="Old"), SetupFactory(folder_name="Old")
    lock("folder_name")
    old.refresh_from_db(), new.refresh_from_db()
    assert (old.folder_name, old.folder_id, new.folder_name) == ("Old", "AAA", "Ours")


def test_private_contacts_in_the_main_folder_stay_held() -> None:
    main = SetupFactory(folder_id="AAA", folder_is_main=True, new_contact_rule="hold")
    other = SetupFactory(new_contact_rule="hold")
    lock("new_contact_rule", new_contact_rule="add")
    main.refresh_from_db(), other.refresh_from_db()
    assert (main.new_contact_rule, other.new_contact_rule) == ("hold", "add")


def test_a_locked_schedule_starts_at_once() -> None:
    setup = SetupFactory(auto_sync=False)
    lock("auto_sync", "interval_minutes")
    setup.refresh_from_db()
    assert setup.auto_sync and setup.interval_minutes == 60
    assert 50 < (setup.next_sync_at - timezone.now()).total_seconds() / 60 <= 60


def test_the_next_sync_knows_that_the_rules_are_others(setup: ExchangeSync) -> None:
    before = setup.settings_fingerprint()
    lock("conflict_rule")
    setup.refresh_from_db()
    assert setup.settings_fingerprint() != before


# --- What a browser sends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_a_locked_setting_stays_whatever_is_posted(mine: Client, setup: ExchangeSync, name: str) -> None:
    lock(name)
    step, posted, ours = STEPS[name]
    data = (WHOLE_RULES if step == "rules" else {"interval_minutes": "15"} if step == "schedule" else {}) | posted
    assert mine.post(f"/exchange-setup/{step}/", data).status_code == 302
    setup.refresh_from_db()
    assert getattr(setup, name) == ours


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_not_locked_is_the_users(mine: Client, setup: ExchangeSync, name: str) -> None:
    others = [other for other in SETTINGS if other != name]
    lock(*others)
    step, posted, _ours = STEPS[name]
    data = (WHOLE_RULES if step == "rules" else {"interval_minutes": "15"} if step == "schedule" else {}) | posted
    mine.post(f"/exchange-setup/{step}/", data)
    setup.refresh_from_db()
    wanted = {"folder_name": "Mine", "contact_filter": {"city": "Odense"}, "sync_notes": True, "auto_sync": False}
    wanted["interval_minutes"] = 5
    assert getattr(setup, name) == wanted.get(name, posted.get(name))
    assert {other: getattr(setup, other) for other in others} == {other: OURS[other] for other in others}


def test_the_setup_page_shows_what_is_set_and_by_whom(mine: Client, setup: ExchangeSync) -> None:
    lock(*SETTINGS)
    page = mine.get("/exchange-setup/").text
    assert page.count("Set by your organisation") == len(SETTINGS)
    assert "%me" in page and "Ours" in page
    assert 'name="filter-' not in page and 'action="/exchange-setup/folder/"' not in page
    assert page.count(" disabled") >= len(RULES)


def test_locked_steps_are_gone_through_all_the_same(client: Client) -> None:
    lock(*SETTINGS)
    user = UserFactory()
    client.force_login(user)
    for step, data in (("folder", {}), ("filter", {}), ("rules", {}), ("schedule", {})):
        assert "Go on" in client.get("/exchange-setup/").text or step in {"rules", "schedule"}
        client.post(f"/exchange-setup/{step}/", data)
    setup = ExchangeSync.objects.get(user=user)
    assert setup.steps_done == 5 and {name: getattr(setup, name) for name in SETTINGS} == OURS


def test_a_locked_filter_goes_with_every_sync(mine: Client, setup: ExchangeSync) -> None:
    preview = RunFactory(setup=setup, kind="preview", contact_filter={"city": "Odense"})
    lock("contact_filter")
    dialog = mine.get("/sync/start/").text
    assert "Set by your organisation" in dialog and 'name="sync-' not in dialog
    for address, data in (
        ("/sync/start/", {"go": "run", "sync-city": "Odense"}),
        ("/sync/start/", {"go": "preview", "sync-city": "O*"}),
        (f"/sync/previews/{preview.pk}/apply/", {"count": 0}),
    ):
        assert mine.post(address, data).status_code == 302
        run = SyncRun.objects.first()
        assert run != preview and run.contact_filter == OURS["contact_filter"]
        SyncRun.objects.exclude(pk=preview.pk).delete()
    setup.refresh_from_db()
    assert setup.contact_filter == OURS["contact_filter"]
