"""Handing contacts over, and closing a leaver's setup: what is said before of each Outlook is true."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts.filters import as_q
from contacts.models import Contact
from contacts.reassigning import passing
from crmsync.sync.choices import Kind, Preference
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync
from tests.factories import AdministratorFactory, CompanyFactory, LinkFactory, PersonFactory, SetupFactory, UserFactory
from tests.scene import Salesperson, Stage, edit
from tests.test_sync_privacy import PRIVATE

MINE = {"salesperson": "%me"}


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    client.force_login(AdministratorFactory(authentication_email=""))
    return client


@pytest.fixture
def mia(stage: Stage) -> Salesperson:
    return stage.salesperson("mia@contoso.example", contact_filter=MINE)


def shown(answer: Any) -> dict[str, tuple[int, int]]:
    """By user: how many come in and drop out."""
    return {str(e.setup.user): (e.comes_in, e.drops_out) for e in answer.context["form"].effects}


def confirm(client: Client, url: str, answer: Any, **data: Any) -> Any:
    """Press the button that the page offers after it has shown what follows."""
    return client.post(url, {**data, "seen": answer.context["form"].seen}, follow=True)


# --- Reassigning -----------------------------------------------------------------------------------------------------


def test_what_the_page_foretells_is_what_the_next_syncs_do(admin: Client, jens: Salesperson, mia: Salesperson) -> None:
    jens.change(contact_filter=MINE, left_filter_rule="remove")
    theirs = {"salesperson": jens.setup.user, "city": "Ribe"}
    PersonFactory.create_batch(3, **theirs)
    PersonFactory(email="", **theirs)
    CompanyFactory(**theirs)
    PersonFactory(**theirs | {"city": "Aarhus"})
    for person in (jens, mia):
        person.sync()
    data = {"giver": jens.setup.user_id, "taker": mia.setup.user_id, "filter-city": "Ribe"}
    answer = admin.post("/sync/reassign/", data)
    assert shown(answer) == {str(jens.setup.user): (0, 3), str(mia.setup.user): (3, 0)}
    assert answer.context["form"].moves == 5 and not Contact.objects.filter(salesperson=mia.setup.user).exists()
    confirm(admin, "/sync/reassign/", answer, **data)
    assert Contact.objects.filter(salesperson=mia.setup.user).count() == 5
    assert jens.sync()["outlook"]["deleted"] == 3 and mia.sync()["outlook"]["created"] == 3
    assert len(jens.names()) == 1 and len(mia.names()) == 3


def test_nobody_is_foretold_whom_an_outlook_does_not_gain_or_lose(
    admin: Client, jens: Salesperson, mia: Salesperson
) -> None:
    """One is Private in the giver's Outlook by now, the other one the taker once removed from theirs."""
    jens.change(contact_filter=MINE, left_filter_rule="remove")
    private, removed = PersonFactory.create_batch(2, salesperson=mia.setup.user)
    mia.sync()
    mia.outlook.remove(mia.card(removed.name)["id"])
    mia.sync()
    for contact in (private, removed):
        edit(contact, salesperson=jens.setup.user)
    for person in (jens, mia):
        person.sync()
    jens.outlook.edit(jens.card(private.name)["id"], singleValueExtendedProperties=PRIVATE)
    jens.sync()
    data = {"giver": jens.setup.user_id, "taker": mia.setup.user_id}
    answer = admin.post("/sync/reassign/", data)
    assert shown(answer) == {str(jens.setup.user): (0, 1)}
    confirm(admin, "/sync/reassign/", answer, **data)
    assert jens.sync()["outlook"]["deleted"] == 1 and mia.sync()["outlook"]["created"] == 0


def test_another_number_or_another_choice_is_shown_again(admin: Client) -> None:
    giver, taker, other = UserFactory(), UserFactory(), UserFactory()
    PersonFactory(salesperson=giver)
    data = {"giver": giver.pk, "taker": taker.pk}
    answer = admin.post("/sync/reassign/", data)
    again = confirm(admin, "/sync/reassign/", answer, giver=giver.pk, taker=other.pk)
    assert "changed meanwhile" in str(*again.context["messages"])
    PersonFactory(salesperson=giver)
    confirm(admin, "/sync/reassign/", answer, **data)
    assert Contact.objects.filter(salesperson=giver).count() == 2


def test_a_salesperson_hands_over_their_own_contacts_alone(client: Client, db: None) -> None:
    me, other = UserFactory(), UserFactory()
    PersonFactory(salesperson=other)
    PersonFactory(salesperson=me)
    client.force_login(me)
    assert client.post("/sync/reassign/", {"giver": other.pk, "taker": me.pk}).status_code == 422
    data = {"giver": me.pk, "taker": other.pk}
    confirm(client, "/sync/reassign/", client.post("/sync/reassign/", data), **data)
    assert Contact.objects.filter(salesperson=other).count() == 2
    change = Contact.objects.latest("modified_at").changes.first()
    assert change.fields["salesperson"] == [me.pk, other.pk] and change.by == me


def test_whoever_has_no_contacts_chooses_from_whom(admin: Client) -> None:
    assert not admin.get("/sync/reassign/").context["form"]["giver"].value()
    count = admin.post("/contacts/filter-count/", {"prefix": "filter", "giver": "", "filter-city": ""})
    assert count.status_code == 200 and "contacts" not in count.text
    me = UserFactory(role="administrator")
    PersonFactory(salesperson=me)
    admin.force_login(me)
    assert admin.get("/sync/reassign/").context["form"]["giver"].value() == me.pk
    assert "<strong>1 of 1" in admin.post("/contacts/filter-count/", {"prefix": "filter", "giver": me.pk}).text


def test_always_and_never_stay_as_they_were(db: None) -> None:
    admin, giver, setup = AdministratorFactory(), UserFactory(), SetupFactory(contact_filter=MINE)
    for choice in Preference:
        setup.preferences.create(contact=PersonFactory(salesperson=giver), choice=choice)
    client = Client()
    client.force_login(admin)
    assert shown(client.post("/sync/reassign/", {"giver": giver.pk, "taker": setup.user_id})) == {}


@pytest.mark.parametrize(
    "expression", ["%me", "<>%me", "A*", "AB|%me", "''", "<>''", "ab", "me@crm.example", "A..B", ""]
)
def test_a_salesperson_passes_where_their_contacts_do(db: None, expression: str) -> None:
    me = UserFactory(code="X1", email="me@crm.example")
    users = [me, UserFactory(code="AB"), UserFactory(code=None)]
    for user in users:
        PersonFactory(salesperson=user)
    selected = Contact.objects.filter(as_q({"salesperson": expression}, me))
    found = passing([user.pk for user in users], {"salesperson": expression, "city": "nowhere"}, me)
    assert found == {contact.salesperson_id for contact in selected}


def test_a_setup_costs_two_queries_however_many_contacts_move(admin: Client) -> None:
    giver, taker = UserFactory(), UserFactory()

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            admin.post("/sync/reassign/", {"giver": giver.pk, "taker": taker.pk})
        return len(captured)

    few = queries()
    setup = SetupFactory(user=taker, contact_filter=MINE)
    LinkFactory.create_batch(5, setup=setup, contact__salesperson=giver)
    PersonFactory.create_batch(20, salesperson=giver)
    assert queries() - few <= 2


# --- Closing a leaver's setup ----------------------------------------------------------------------------------------


def test_a_leaver_is_closed_in_one_action(admin: Client, jens: Salesperson, mia: Salesperson) -> None:
    jens.setup.enable()
    jens.change(contact_filter=MINE)
    PersonFactory.create_batch(2, salesperson=jens.setup.user)
    jens.sync()
    url = f"/sync/mailboxes/{jens.setup.user_id}/close/"
    data = {"contacts": "remove", "count": 2, "taker": mia.setup.user_id}
    answer = admin.post(url, data)
    assert shown(answer) == {str(mia.setup.user): (2, 0)} and ExchangeSync.objects.get(pk=jens.setup.pk).enabled
    confirm(admin, url, answer, **data)
    assert Contact.objects.filter(salesperson=mia.setup.user).count() == 2
    run = SyncRun.objects.get(kind=Kind.REMOVAL)
    assert perform(run.pk, budget=float("inf")) == "done"
    assert jens.names() == [] and not ExchangeSync.objects.get(pk=jens.setup.pk).enabled
    assert mia.sync()["outlook"]["created"] == 2


def test_a_leaver_may_keep_everything(admin: Client, jens: Salesperson) -> None:
    PersonFactory(salesperson=jens.setup.user)
    jens.sync()
    url, data = f"/sync/mailboxes/{jens.setup.user_id}/close/", {"contacts": "keep", "count": 1}
    confirm(admin, url, admin.post(url, data), **data)
    assert not ExchangeSync.objects.get(pk=jens.setup.pk).enabled and len(jens.names()) == 1
    assert Contact.objects.filter(salesperson=jens.setup.user).count() == 1


def test_only_administrators_close_a_setup(client: Client, jens: Salesperson) -> None:
    url = f"/sync/mailboxes/{jens.setup.user_id}/close/"
    assert client.get(url).url.startswith("/accounts/login/")
    client.force_login(jens.setup.user)
    assert client.post(url, {"contacts": "keep"}).status_code == 403
    assert ExchangeSync.objects.get().enabled
