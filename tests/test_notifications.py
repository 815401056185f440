"""Change notifications over real HTTP: the sandbox posts to the product, and nothing that comes in is believed."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.test import Client
from django.utils import timezone
from django_q.brokers import get_broker

from contacts.models import Contact
from crmsync.sync.models import SyncRun
from crmsync.sync.subscribing import look_after, subscribe
from crmsync.sync.subscription import Subscription
from crmsync.sync.watch import Watch
from exchange_setup.models import ExchangeSync
from tests.factories import LinkFactory, SetupFactory
from tests.scene import Salesperson, Stage, outlook_person

PATH = "/sync/notifications/"


@pytest.fixture
def notified(settings: Any, live_server: Any) -> str:
    """Our address, which the sandbox reaches."""
    settings.NOTIFICATION_BASE = live_server.url
    return live_server.url


@pytest.fixture
def jens(transactional_db: None, notified: str, stage: Stage) -> Salesperson:
    """Somebody whose mailbox has Ada and is subscribed to; its next own sync is a day away."""
    jens = stage.salesperson("jens@contoso.example", auto_sync=True, interval_minutes=1440)
    jens.outlook.create_folder("Business Central")
    jens.outlook.add(**outlook_person("Ada", "Byron", "ada@example.org"))
    jens.sync()
    get_broker().purge_queue()
    assert subscribe_now(jens) == "made"
    return jens


def subscribe_now(jens: Salesperson) -> str:
    Subscription.objects.get_or_create(setup=jens.setup)
    return subscribe(jens.setup.pk)


def at_graph(jens: Salesperson) -> list[dict[str, Any]]:
    return jens.tenant.caller().get("/subscriptions").json()["value"]


def ada() -> Contact:
    return Contact.objects.get(first_name="Ada")


def test_an_edit_in_outlook_is_in_the_crm_as_soon_as_it_was_told(
    jens: Salesperson, run_queue: Callable[[], list[Any]]
) -> None:
    jens.outlook.edit(jens.card("Ada Byron")["id"], jobTitle="Countess")
    assert jens.tenant.notified() == [202]
    run_queue()
    assert ada().job_title == "Countess"

    jens.outlook.add(**outlook_person("Bo", "Chen", "bo@chen.example"))
    assert jens.tenant.notified()[-1] == 202
    run_queue()
    assert Contact.objects.filter(first_name="Bo").exists()


def test_a_flood_is_one_look(jens: Salesperson, run_queue: Callable[[], list[Any]]) -> None:
    before, key = SyncRun.objects.count(), jens.card("Ada Byron")["id"]
    for number in range(30):
        jens.outlook.edit(key, jobTitle=f"Job {number}")
    assert jens.tenant.notified() == [202] * 30
    assert get_broker().queue_size() == 1
    run_queue()
    assert ada().job_title == "Job 29" and SyncRun.objects.count() == before + 1


@pytest.mark.parametrize("event", ["missed", "subscriptionRemoved"])
def test_lifecycle_events_have_the_mailbox_looked_at_and_what_is_gone_made_again(
    jens: Salesperson, event: str, run_queue: Callable[[], list[Any]]
) -> None:
    before = SyncRun.objects.count()
    assert jens.tenant.lifecycle(event) == [202]
    look_after(timezone.now())
    run_queue()
    assert SyncRun.objects.count() == before + 1
    assert [row["id"] for row in at_graph(jens)] == [Subscription.objects.get().subscription_id]


def test_a_subscription_is_renewed_before_it_ends_and_when_graph_asks(
    jens: Salesperson, run_queue: Callable[[], list[Any]]
) -> None:
    assert look_after(timezone.now()) == 0
    first = Subscription.objects.get()
    assert jens.tenant.lifecycle("reauthorizationRequired") == [202]
    for ahead in (0, 6):
        assert look_after(timezone.now() + timedelta(days=ahead)) == 1
        assert look_after(timezone.now() + timedelta(days=ahead)) == 0  # it was asked for just now
        run_queue()
        renewed = Subscription.objects.get()
        assert renewed.subscription_id == first.subscription_id
        assert renewed.expires_at > timezone.now() + timedelta(days=6)
    jens.tenant.caller().delete(f"/subscriptions/{first.subscription_id}")
    assert subscribe(jens.setup.pk) == "made"


def test_what_is_no_longer_wanted_is_given_up(
    jens: Salesperson, run_queue: Callable[[], list[Any]], settings: Any
) -> None:
    jens.change(auto_sync=False)
    look_after(timezone.now() + timedelta(hours=1))
    run_queue()
    assert at_graph(jens) == [] and not Subscription.objects.exists()

    jens.change(auto_sync=True)
    assert look_after(timezone.now()) == 1
    run_queue()
    assert len(at_graph(jens)) == 1

    settings.NOTIFICATION_BASE = ""
    look_after(timezone.now() + timedelta(hours=1))
    run_queue()
    assert at_graph(jens) == [] and not Subscription.objects.exists()


def test_another_folder_gets_a_subscription_of_its_own(jens: Salesperson) -> None:
    before = Subscription.objects.get()
    other = jens.outlook.create_folder("Customers")
    jens.change(folder_id=other["id"], folder_name="Customers")
    assert subscribe(jens.setup.pk) == "made"
    assert Subscription.objects.get().subscription_id != before.subscription_id and len(at_graph(jens)) == 1


def test_a_mailbox_that_cannot_be_subscribed_to_syncs_at_its_interval(jens: Salesperson, settings: Any) -> None:
    Subscription.objects.update(subscription_id="")
    settings.NOTIFICATION_BASE = "http://127.0.0.1:1"
    assert subscribe(jens.setup.pk) == "refused"
    assert ExchangeSync.objects.get(pk=jens.setup.pk).trouble == ""


# --- What anybody may post -------------------------------------------------------------------------------------------


@pytest.fixture
def subscription(db: None) -> Subscription:
    setup = SetupFactory(auto_sync=True)
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    return Subscription.objects.create(setup=setup, subscription_id="sub-1", client_state=digest)


def post(client: Client, body: Any, path: str = PATH) -> int:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post(path, content, content_type="application/json").status_code


def note(state: Any = "secret", subscription: Any = "sub-1", **more: Any) -> dict[str, Any]:
    return {"subscriptionId": subscription, "clientState": state, "changeType": "updated"} | more


def is_wanted() -> bool:
    return Watch.objects.filter(wanted_at__isnull=False).exists()


def test_only_the_right_client_state_has_a_mailbox_looked_at(client: Client, subscription: Subscription) -> None:
    forged = [
        note("Secret"),
        note(""),
        note(None),
        note(7),
        note("secret", "sub-2"),
        note("\ud800"),
        note("secret", "\ud800"),
        {},
        "x",
        None,
    ]
    for entry in forged:
        assert post(client, {"value": [entry]}) == 202
    assert post(client, {"value": [note("wrong", lifecycleEvent="subscriptionRemoved")]}) == 202
    assert not is_wanted() and Subscription.objects.exists()
    assert post(client, {"value": [*forged, note()]}) == 202
    assert is_wanted()


def test_what_a_sync_itself_wrote_is_not_looked_at_again(client: Client, subscription: Subscription) -> None:
    LinkFactory(setup=subscription.setup, outlook_id="AAk1", change_key="EQAA1")
    LinkFactory(outlook_id="AAk2", change_key="EQAA2")

    def told(item: str, key: str, **more: Any) -> bool:
        assert post(client, {"value": [note(resourceData={"id": item, "@odata.etag": f'W/"{key}"'}, **more)]}) == 202
        return is_wanted()

    assert not told("AAk1", "EQAA1")
    for item, key, more in (("AAk1", "EQAA9", {}), ("AAk2", "EQAA2", {}), ("AAk1", "EQAA1", {"changeType": "deleted"})):
        Watch.objects.update(wanted_at=None)
        assert told(item, key, **more)


def test_a_replay_rings_no_second_time(client: Client, subscription: Subscription) -> None:
    get_broker().purge_queue()
    assert [post(client, {"value": [note()]}) for _ in range(5)] == [202] * 5
    assert get_broker().queue_size() == 1
    get_broker().purge_queue()


@pytest.mark.parametrize("body", [b"", b"nonsense", "[]", "7", '{"value": 7}', b"\xff", "[" * 100_000])
def test_what_is_no_notification_is_refused(client: Client, db: None, body: Any) -> None:
    assert post(client, body) == 400


def test_a_post_that_is_too_large_is_refused_unread(client: Client, db: None) -> None:
    assert post(client, b"x" * 1_000_001) == 413


def test_the_validation_token_comes_back_as_plain_text(client: Client, db: None) -> None:
    answer = client.post(PATH, query_params={"validationToken": "<script>a b&c</script>"})
    assert answer.text == "<script>a b&c</script>" and answer["Content-Type"].startswith("text/plain")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert client.get(PATH).status_code == 405


def test_the_cost_of_a_post_is_constant(
    client: Client, subscription: Subscription, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        assert post(client, {"value": [note(f"wrong {n}", f"sub-{n}") for n in range(2, 900)] + [note()]}) == 202


# --- The sandbox -----------------------------------------------------------------------------------------------------


def test_the_sandbox_makes_no_subscription_where_nobody_gives_the_token_back(stage: Stage, settings: Any) -> None:
    jens = stage.salesperson("jens@contoso.example")
    call = jens.tenant.caller()
    wanted = {
        "changeType": "updated",
        "notificationUrl": f"{jens.tenant.url}/people/",
        "resource": "/users/jens@contoso.example/contacts",
        "expirationDateTime": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    too_long = (timezone.now() + timedelta(days=8)).isoformat()
    wrong = [{}, {"notificationUrl": "http://contoso.example/"}, {"clientState": "x" * 129}]
    wrong += [{"resource": "/me/messages"}, {"expirationDateTime": too_long}]
    for change in wrong:
        answer: requests.Response = call.post("/subscriptions", {**wanted, **change})
        assert answer.status_code == 400, change
    assert call.get("/subscriptions").json()["value"] == []
    assert call.patch("/subscriptions/none", {"expirationDateTime": wanted["expirationDateTime"]}).status_code == 404
