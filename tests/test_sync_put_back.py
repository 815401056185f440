"""An item is made again for whom somebody removed it in Outlook, though the filter never took them in: it stays."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from contacts.models import Contact
from crmsync.sync.choices import ChangeOutcome
from crmsync.sync.models import SyncChange
from tests.compare import settle
from tests.crash import Death, time_passes
from tests.scene import FOLDER, Salesperson, edit, outlook_person
from tests.test_sync_unheard import Meanwhile, die

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anne(jens: Salesperson, monkeypatch: pytest.MonkeyPatch) -> Contact:
    """She came from Outlook, was removed there, and was edited in the CRM since. The filter is Ribe, and she is not."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    jens.change(contact_filter={"city": "Ribe"})
    jens.outlook.create_folder(FOLDER)
    item = jens.outlook.add(**outlook_person("Anne", "Dam", "anne@dam.example"))
    settle(jens)
    jens.outlook.remove(item["id"])
    return edit(Contact.objects.get(), job_title="Head")


def refused(jens: Salesperson) -> None:
    jens.tenant.faults.add("status", status=400, match="POST .*contacts$", times=1)
    assert jens.sync()["failed"] == 1


def dead_before_it_was_sent(jens: Salesperson) -> None:
    with pytest.raises(Death), Meanwhile(jens, "before POST", die).at_work():
        jens.sync()
    time_passes()


def test_what_takes_the_place_of_an_item_that_is_gone_cannot_leave_a_filter_that_its_contact_was_never_in(
    jens: Salesperson, anne: Contact
) -> None:
    jens.change(left_filter_rule="remove")
    settle(jens)
    edit(anne, job_title="Boss")
    settle(jens)
    assert jens.card("Anne Dam")["jobTitle"] == "Boss"


@pytest.mark.parametrize("went_wrong", [refused, dead_before_it_was_sent])
def test_what_could_not_take_the_place_of_an_item_that_is_gone_is_tried_again(
    jens: Salesperson, anne: Contact, went_wrong: Callable[[Salesperson], Any]
) -> None:
    went_wrong(jens)
    settle(jens)
    assert jens.card("Anne Dam")["jobTitle"] == "Head"
    assert SyncChange.objects.filter(side="outlook", action="create", outcome=ChangeOutcome.DONE).count() == 1


def test_a_comparison_says_that_it_still_waits(jens: Salesperson, anne: Contact) -> None:
    refused(jens)
    report = jens.verify()
    assert [(row["place"], row["cause"]) for row in report["differences"]] == [("crm", "waiting")]
    settle(jens)
    assert jens.names() == ["Anne Dam"]
