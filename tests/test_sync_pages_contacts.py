"""The top bar's chip, the list of what is left out, the fact box on a contact, and the admin site."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmsync.sync.models import ContactLink, ContactPreference
from tests.factories import (
    AdministratorFactory,
    ChangeFactory,
    CompanyFactory,
    LinkFactory,
    PersonFactory,
    RunFactory,
    SetupFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def setup(settings):
    settings.M365_ACCESS = "application"
    now = timezone.now()
    return SetupFactory(user__name="Jette", enabled_at=now, last_sync_at=now)


@pytest.fixture
def mine(client, setup):
    """A client signed in as the owner of `setup`."""
    client.force_login(setup.user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def change(row, **values) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


# --- The chip --------------------------------------------------------------------------------------------------------


def test_a_person_without_a_setup_is_told_so(client):
    client.force_login(UserFactory())
    chip = text(client.get("/sync/chip/"))
    assert "Not set up" in chip and 'href="/exchange-setup/"' in chip


def test_the_chip_tells_up_to_when_both_sides_are_the_same(mine, setup):
    run = RunFactory(setup=setup)
    chip = text(mine.get("/sync/chip/"))
    assert (
        f"In sync · {timezone.localtime(setup.last_sync_at):%H:%M}" in chip and f'href="/sync/runs/{run.pk}/"' in chip
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"trouble": "needs_sign_in"}, "Needs sign-in"),
        ({"enabled": False}, "Paused"),
        ({"enabled": False, "enabled_at": None}, "Not set up"),
        ({"last_sync_at": None}, "Not synced yet"),
        ({"auto_sync": True, "last_sync_at": timezone.now() - timedelta(hours=1)}, "Late · last "),
    ],
)
def test_the_chip_names_what_is_wrong(mine, setup, values, words):
    change(setup, **values)
    assert words in text(mine.get("/sync/chip/"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"outcome": "queued"}, "Syncing…"),
        ({"outcome": "running", "done": 340, "total": 1200}, "Syncing 340 of 1,200"),
        ({"outcome": "held"}, "Held: your decision"),
        ({"outcome": "failed", "error": "unreachable"}, "Last sync failed"),
        ({"outcome": "failed", "error": "unreachable", "kind": "preview"}, "In sync"),
    ],
)
def test_the_chip_tells_how_the_last_run_stands(mine, setup, values, words):
    RunFactory(setup=setup)
    RunFactory(setup=setup, **values)
    assert words in text(mine.get("/sync/chip/"))


def test_another_persons_run_is_nothing_to_my_chip(mine):
    RunFactory(setup=SetupFactory(), outcome="held")
    assert "In sync" in text(mine.get("/sync/chip/"))


@pytest.mark.parametrize(
    ("page", "is_said"),
    [("/contacts/", True), ("/exchange-setup/defaults/", True), ("/", False), ("/exchange-setup/folder/", False)],
)
def test_a_held_run_is_said_above_every_page_that_does_not_say_it_itself(mine, setup, page, is_said):
    RunFactory(setup=setup, outcome="held")
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
    assert ("Your sync is held" in text(mine.get("/sync/chip/", headers=headers))) == is_said


def test_the_chip_asks_for_itself_only_while_a_run_is_under_way(mine, setup):
    assert "every" not in text(mine.get("/sync/chip/"))
    RunFactory(setup=setup, outcome="running")
    assert "every 2s" in text(mine.get("/sync/chip/"))


def test_the_chip_is_cheap(mine, setup):
    RunFactory(setup=setup, outcome="running")
    with CaptureQueriesContext(connection) as captured:
        mine.get("/sync/chip/")
    assert len([query for query in captured if "session" not in query["sql"] and "users_user" not in query["sql"]]) <= 2


# --- Left out --------------------------------------------------------------------------------------------------------


def test_nothing_left_out_is_a_good_sign(mine):
    page = text(mine.get("/sync/left-out/"))
    assert "Nothing is left out" in page and "0 contacts" not in page


def test_everything_left_out_is_listed_with_its_reason_and_what_to_do(mine, setup):
    contact = PersonFactory(first_name="Bo", surname="Lind", email="")
    LinkFactory(setup=setup, contact=contact, state="left_out", problem="no_email")
    LinkFactory(setup=setup, contact=None, outlook_name="Grandma", state="seen", problem="private")
    LinkFactory(setup=setup)
    LinkFactory(problem="no_email", contact__first_name="Stranger")
    page = text(mine.get("/sync/left-out/"))
    assert "2 contacts that are not, or not completely, on both sides" in page
    assert "Bo Lind" in page and "Give it an e-mail" in page and f"/contacts/{contact.number}/edit/" in page
    assert "Grandma" in page and "take the mark off in Outlook" in page and "Stranger" not in page


@pytest.mark.parametrize("kind", ["sync", "undo"])
def test_while_a_sync_is_held_the_list_does_not_claim_to_be_all_that_is_missing(mine, setup, kind):
    RunFactory(setup=setup, kind=kind, outcome="held")
    assert ("Everything that belongs on both sides is there" in text(mine.get("/sync/left-out/"))) == (kind == "undo")
    LinkFactory.create_batch(2, setup=setup, problem="no_email")
    page = text(mine.get("/sync/left-out/"))
    assert ("2 contacts that are not, or not completely, on both sides" in page) == (kind == "undo")
    assert ("each with its reason; those of the sync that is held are not counted here" in page) == (kind == "sync")


def test_left_out_can_be_narrowed_to_one_reason(mine, setup):
    LinkFactory.create_batch(3, setup=setup, problem="no_email")
    wanted = LinkFactory(setup=setup, problem="company_not_found")
    shown = mine.get("/sync/left-out/?reason=company_not_found").context["left_out"]
    assert [row.link for row in shown.rows] == [wanted]
    assert [(group.reason, group.count) for group in shown.groups] == [("no_email", 3), ("company_not_found", 1)]
    assert len(mine.get("/sync/left-out/?reason=zzz").context["left_out"].rows) == 4


def test_left_out_pages_with_the_same_few_queries(mine, setup):
    LinkFactory.create_batch(40, setup=setup, problem="no_email")
    with CaptureQueriesContext(connection) as captured:
        shown = mine.get("/sync/left-out/").context["left_out"]
    assert len(shown.rows) == 20 and len(captured) <= 6
    rest = mine.get(f"/sync/left-out/?after={shown.page.after}").context["left_out"]
    assert len(rest.rows) == 20 and rest.page.after is None


def test_a_field_is_named_by_its_caption(mine, setup):
    LinkFactory(setup=setup, problem="not_understood", problem_detail="country: Atlantis")
    LinkFactory(setup=setup, problem="conflict", problem_detail="city, mobile_phone")
    page = text(mine.get("/sync/left-out/"))
    assert "Country/Region: Atlantis" in page and "City, Mobile phone no." in page


# --- The fact box ----------------------------------------------------------------------------------------------------


@pytest.fixture
def anne(setup):
    change(setup, contact_filter={"city": "Aarhus"})
    return PersonFactory(first_name="Anne", surname="Nørgård", city="Aarhus")


def panel(client, contact) -> str:
    return text(client.get(f"/sync/contacts/{contact.number}/"))


def test_a_contact_in_outlook_tells_since_when_and_who_else_has_it(mine, setup, anne):
    LinkFactory(setup=setup, contact=anne, linked_at=timezone.now(), contact_version=anne.version)
    LinkFactory(setup__user__name="Bo Lind", contact=anne)
    ChangeFactory(run__setup=setup, contact=anne, applied_at=timezone.now())
    box = panel(mine, anne)
    assert "In your Outlook" in box and "Bo Lind" in box and "Created in Outlook" in box and "In Outlook since" in box


def test_a_change_that_waits_is_told(mine, setup, anne):
    LinkFactory(setup=setup, contact=anne, contact_version=anne.version)
    anne.write({"city": "Odense"}, by=None)
    assert "the last change goes with the next sync" in panel(mine, anne)


def test_a_contact_that_is_due_goes_with_the_next_sync(mine, anne):
    assert "Goes to your Outlook with the next sync" in panel(mine, anne)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"email": ""}, "It has no e-mail"),
        ({"name": ""}, "It has no name"),
        ({"city": "Odense"}, "Your filter does not select it."),
        ({"privacy_blocked": True}, "privacy blocked"),
        ({"deleted_at": timezone.now()}, "trash"),
    ],
)
def test_the_box_says_why_a_contact_is_not_in_outlook(mine, anne, values, words):
    change(anne, **values)
    box = panel(mine, anne)
    assert "Not in your Outlook" in box and words in box


def test_a_company_is_not_for_outlook(mine, setup):
    box = panel(mine, CompanyFactory())
    assert "Only people are synced. It stays out of your Outlook." in box and "change its type" in box


@pytest.mark.parametrize(
    "values", [{"deleted_at": timezone.now()}, {"email": ""}, {"email": "anne@"}, {"name": ""}, {"type": "company"}]
)
def test_nothing_is_said_about_a_copy_in_outlook_where_there_is_none(mine, anne, values):
    change(anne, **values)
    box = panel(mine, anne)
    assert "It stays out of your Outlook." in box
    assert "on both sides" not in box and "in Outlook too" not in box


def test_what_the_user_removed_stays_out_with_the_way_back(mine, setup, anne):
    LinkFactory(setup=setup, contact=anne, state="removed", problem="removed_in_outlook")
    box = panel(mine, anne)
    assert "You removed it from your Outlook folder." in box and "/sync/start/?kind=full" in box


def test_a_wrong_filter_is_told_and_breaks_no_page(mine, setup, anne):
    change(setup, contact_filter={"city": "'A"})
    assert "Your filter has a mistake in it." in panel(mine, anne)


def test_without_a_setup_the_box_leads_to_it(client, anne):
    client.force_login(UserFactory())
    box = panel(client, anne)
    assert "You do not sync contacts with Outlook yet." in box and "never" not in box


def test_my_word_on_a_contact_goes_above_the_filter_and_the_next_sync_looks(mine, setup, anne):
    url = f"/sync/contacts/{anne.number}/preference/"
    box = text(mine.post(url, {"choice": "never"}, headers={"hx-request": "true"}))
    assert "You set this contact to never sync" in box
    assert ContactPreference.objects.get().choice == "never"
    assert ContactLink.objects.get(setup=setup, contact=anne).dirty
    mine.post(url, {"choice": "always"})
    assert ContactPreference.objects.get().choice == "always"
    assert mine.post(url, {"choice": "filter"}).url == anne.get_absolute_url()
    assert not ContactPreference.objects.exists()


def test_a_word_that_there_is_not_changes_nothing(mine, anne):
    mine.post(f"/sync/contacts/{anne.number}/preference/", {"choice": "sometimes"})
    assert not ContactPreference.objects.exists() and not ContactLink.objects.exists()


def test_a_word_on_whom_it_cannot_move_is_neither_offered_nor_kept(mine, setup, anne):
    assert "Sync with my Outlook" in panel(mine, anne)
    anne.trash(by=None)
    for contact in (anne, CompanyFactory()):
        assert "Sync with my Outlook" not in panel(mine, contact)
        url = f"/sync/contacts/{contact.number}/preference/"
        assert "Not in your Outlook" in text(mine.post(url, {"choice": "always"}, headers={"hx-request": "true"}))
        assert "Nothing was changed" in text(mine.post(url, {"choice": "always"}, follow=True))
    assert not ContactPreference.objects.exists() and not ContactLink.objects.exists()


@pytest.mark.parametrize("outcome", ["planned", "parked"])
def test_while_a_sync_is_held_the_box_says_that_it_waits_for_a_decision(mine, setup, anne, outcome):
    LinkFactory(setup=setup, contact=anne, contact_version=anne.version, dirty=True)
    assert "Look and decide" not in panel(mine, anne)
    held = ChangeFactory(run__setup=setup, run__outcome="held", contact=anne, outcome=outcome).run
    with CaptureQueriesContext(connection) as captured:
        box = panel(mine, anne)
    assert (
        "A sync that would change it waits for your decision." in box
        and f'href="{held.get_absolute_url()}">Look and decide' in box
    )
    assert len(captured) <= 9


def test_a_word_needs_a_setup_and_a_post(client, mine, anne):
    url = f"/sync/contacts/{anne.number}/preference/"
    assert mine.get(url).status_code == 405
    client.force_login(UserFactory())
    assert client.post(url, {"choice": "never"}).status_code == 404
    assert client.get("/sync/contacts/CT999999/").status_code == 404


def test_the_box_costs_few_queries(mine, setup, anne):
    LinkFactory(setup=setup, contact=anne, contact_version=anne.version)
    for _ in range(3):
        LinkFactory(contact=anne)
    with CaptureQueriesContext(connection) as captured:
        panel(mine, anne)
    assert len(captured) <= 9


# --- The admin site --------------------------------------------------------------------------------------------------


def test_the_admin_site_shows_runs_and_lets_nobody_change_them(client, setup):
    admin = AdministratorFactory(is_staff=True, is_superuser=True)
    client.force_login(admin)
    change_row = ChangeFactory(run__setup=setup, name="Secret Person")
    LinkFactory(setup=setup, contact=None, outlook_name="Secret Friend")
    for model in ("syncrun", "syncchange", "contactlink"):
        page = text(client.get(f"/admin/sync/{model}/"))
        assert "Secret" not in page
        assert client.get(f"/admin/sync/{model}/add/").status_code == 403
    assert client.get(f"/admin/sync/syncrun/{change_row.run_id}/change/").status_code == 200
    assert client.get(f"/admin/sync/syncchange/{change_row.pk}/change/").status_code == 403
