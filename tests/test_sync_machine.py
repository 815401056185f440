"""The property machine in its short profile; `make fuzz` runs the long one. What it found is named further down."""

import logging

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, SyncChange
from tests.compare import settle
from tests.crash import Death, Reaper, small_batches, time_passes  # noqa: F401
from tests.factories import PersonFactory
from tests.machine_people import Histories
from tests.scene import edit

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = settings(
    max_examples=16 if connection.vendor == "sqlite" else 6,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_history_makes_a_duplicate_loses_an_edit_or_deletes_unasked(sandbox, small_batches):  # noqa: F811
    logging.disable(logging.CRITICAL)
    Histories.tenant = sandbox
    try:
        run_state_machine_as_test(Histories, settings=SHORT)
    finally:
        logging.disable(logging.NOTSET)


# What it found ------------------------------------------------------------------------------------------------------


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@crm.example")


def test_what_is_created_and_removed_between_two_readings_is_noticed(jens, anne):
    """The delta is silent about it: the bookmark is from before the item was made."""
    PersonFactory(first_name="Bo", surname="Chen", email="bo@crm.example")
    jens.outlook.create_folder("Business Central")
    jens.sync()
    jens.outlook.remove(jens.card("Anne Holm")["id"])
    assert [row["cause"] for row in jens.sync()["changes"]] == ["removed_in_outlook"]
    assert ContactLink.objects.get(contact=anne).state == LinkState.REMOVED
    edit(anne, job_title="edited")
    settle(jens)


def test_never_is_heeded_by_the_next_sync_however_it_was_said(jens, anne):
    jens.sync()
    jens.setup.preferences.create(contact=anne, choice="never")
    assert jens.sync()["outlook"]["deleted"] == 1
    settle(jens)


def test_what_a_lost_run_had_planned_is_left_to_the_next_one(jens, anne):
    with pytest.raises(Death), Reaper(jens.tenant, 23).at_work():
        jens.sync()
    assert SyncChange.objects.get().outcome == "planned"
    time_passes()
    assert jens.sync()["outlook"]["created"] == 1
    assert sorted(SyncChange.objects.values_list("run__error", "outcome")) == [("", "done"), ("lost", "stale")]


def test_what_is_brought_back_as_soon_as_we_removed_it_is_noticed(jens, anne):
    """Out and back between two readings reads as removed, of an item that no link is about any more."""
    jens.sync()
    anne.trash(by=None)
    assert jens.sync()["outlook"]["deleted"] == 1
    jens.outlook.restore(jens.outlook.contacts("Deleted Items")[0]["id"])
    jens.sync()
    assert ContactLink.objects.get().problem == "in_trash"
    settle(jens)
