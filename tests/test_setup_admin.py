"""Django's admin site: what may be looked up, and that nothing secret is."""

import pytest
from django.test import Client

from exchange_setup.models import MailboxSignIn
from tests.factories import SetupFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(UserFactory(role="administrator", is_staff=True, is_superuser=True))
    return client


def test_setups_and_sign_ins_can_be_looked_up_without_their_secrets(administrator: Client) -> None:
    setup = SetupFactory(delta_link="https://graph.example/secret-bookmark")
    sign_in = MailboxSignIn.objects.create(setup=setup, account="a@contoso.example", token_cache="secret-token")
    for path in [
        "exchangesync/", f"exchangesync/{setup.pk}/change/", "mailboxsignin/", f"mailboxsignin/{sign_in.pk}/change/",
    ]:  # fmt: skip
        answer = administrator.get(f"/admin/exchange_setup/{path}")
        assert answer.status_code == 200
        assert "secret" not in answer.content.decode()


def test_nothing_is_added_or_changed_there(administrator: Client) -> None:
    setup = SetupFactory()
    assert administrator.get("/admin/exchange_setup/exchangesync/add/").status_code == 403
    assert administrator.post(f"/admin/exchange_setup/exchangesync/{setup.pk}/change/", {}).status_code == 403
