"""Who comes into a filter, or leaves it, though nobody has saved the contact in the CRM."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.models import ContactLink
from exchange_setup.models import ExchangeSync
from tests.compare import quiet, settle
from tests.factories import PersonFactory
from tests.scene import Salesperson

pytestmark = pytest.mark.django_db


@pytest.fixture
def anne(db: None) -> Contact:
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example", city="Aarhus")


def days_pass() -> None:
    """All that was done so far was done two days ago."""
    ago = timezone.now() - timedelta(days=2)
    Contact.objects.update(modified_at=ago, created_at=ago)
    ExchangeSync.objects.exclude(last_sync_at=None).update(last_sync_at=ago)


# An edit in Outlook --------------------------------------------------------------------------------------------------


def moves_to_odense(jens: Salesperson) -> None:
    item = jens.card("Anne Holm")
    jens.outlook.edit(item["id"], businessAddress={**item["businessAddress"], "city": "Odense"})


def test_an_edit_in_outlook_that_takes_somebody_out_of_the_filter_takes_the_copy_away(
    jens: Salesperson, anne: Contact
) -> None:
    jens.change(contact_filter={"city": "Aarhus"}, left_filter_rule="remove")
    settle(jens)
    moves_to_odense(jens)
    assert jens.sync()["crm"]["updated"] == 1
    (change,) = jens.sync()["changes"]
    assert (change["action"], change["cause"], jens.names()) == ("delete", "left_filter", [])
    assert Contact.objects.get().city == "Odense" and quiet(jens)


@pytest.mark.parametrize(("rule", "city"), [("keep", "Aarhus"), ("remove", "Aarhus|Odense")])
def test_an_edit_in_outlook_after_which_nobody_has_to_go_leaves_nothing_open(
    jens: Salesperson, anne: Contact, rule: str, city: str
) -> None:
    jens.change(contact_filter={"city": city}, left_filter_rule=rule)
    settle(jens)
    moves_to_odense(jens)
    jens.sync()
    assert jens.names() == ["Anne Holm"] and not ContactLink.objects.get().dirty
