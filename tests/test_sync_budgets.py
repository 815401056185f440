"""What a run may cost: requests counted by the sandbox, queries counted by the database. design: the least possible."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from tests.crash import Reaper
from tests.factories import PersonFactory
from tests.scene import FOLDER, edit, outlook_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_brake_on_overwrites")]


def up(number, by):
    return -(-number // by)


def people(number):
    PersonFactory.create_batch(number)


@pytest.mark.parametrize("number", [1, 20, 21, 205])
def test_a_first_push_costs_its_batches_its_pages_and_three(jens, number):
    people(number)
    report = jens.sync()
    assert report["outlook"]["created"] == number
    assert report["requests"] == len(jens.tenant.requests()) == up(number, 20) + up(number, 200) + 3
    assert jens.sync()["requests"] == 1


@pytest.mark.parametrize("number", [1, 20, 45])
def test_crm_edits_cost_one_and_their_batches(jens, number):
    people(50)
    jens.sync()
    for contact in Contact.objects.all()[:number]:
        edit(contact, job_title="New")
    report = jens.sync()
    assert report["outlook"]["updated"] == number
    assert report["requests"] == 1 + up(number, 20)
    assert jens.sync()["requests"] == 1


@pytest.mark.parametrize("number", [1, 20, 45, 205])
def test_outlook_edits_cost_their_pages_and_one(jens, number):
    people(210)
    jens.sync()
    for item in jens.outlook.contacts()[:number]:
        jens.outlook.edit(item["id"], jobTitle="New")
    report = jens.sync()
    assert report["crm"]["updated"] == number, report["brakes"]
    assert report["requests"] == max(1, up(number, 200)) + 1
    assert jens.sync()["requests"] == 1


def test_a_first_pull_costs_its_pages_and_one(jens):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add_many(FOLDER, [outlook_person("A", f"B{n}", f"a{n}@b.example") for n in range(250)])
    report = jens.sync()
    assert report["crm"]["created"] == 250
    assert report["requests"] == 2 + up(250, 200) + 1
    assert jens.sync()["requests"] == 1


def queries(jens, **kind):
    with CaptureQueriesContext(connection) as captured:
        jens.sync(**kind)
    return len(captured)


def test_with_nothing_changed_the_queries_do_not_depend_on_the_number_of_contacts(jens):
    people(5)
    jens.sync()
    jens.sync()
    few = queries(jens)
    people(200)
    jens.sync()
    jens.sync()
    assert queries(jens) == few


def test_the_queries_of_a_push_depend_on_its_batches_not_on_its_contacts(jens):
    people(1)
    jens.sync()
    counted = []
    for number in (1, 20, 40):
        people(number)
        counted.append(queries(jens))
        jens.sync()
    assert counted[1] - counted[0] <= 3
    assert counted[2] - counted[1] <= 16


@pytest.mark.django_db(transaction=True)
def test_graph_never_waits_for_what_was_answered_to_be_stored(jens):
    people(60)
    reaper = Reaper(jens.tenant)
    with reaper.at_work():
        jens.sync()
    names = {"before POST /v1.0/$batch": "sent", "commit": "stored"}
    order = [names[step] for step in reaper.steps if step in names]
    first = order.index("sent")
    assert order[first : first + 8] == [
        "sent",
        "stored", "sent",  # what is intended with the second batch
        "stored",  # what was answered to the first
        "stored", "sent",
        "stored", "stored",
    ]  # fmt: skip
