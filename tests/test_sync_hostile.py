"""Hostile and broken payloads: the item fails with its reason, the run goes on, nothing is lost, nothing comes in."""

import time

import pytest

from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink
from crmsync.sync.why import Answer
from tests.compare import settle
from tests.crash import time_passes
from tests.factories import PersonFactory
from tests.scene import edit, outlook_person
from tests.tamper import relay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def graph(jens, settings):
    """What stands between the engine and the tenant."""
    with relay(jens.tenant.url) as between:
        settings.M365_GRAPH_URL = f"{between.url}/v1.0"
        yield between


@pytest.fixture
def pairs(jens, graph):
    """Two people in both places."""
    for name in ("Anne", "Bo"):
        PersonFactory(
            first_name=name, surname="Crm", email=f"{name.lower()}@crm.example", fax="1", phone="2", city="Aarhus"
        )
    jens.sync()
    return jens


def of(name, values):
    """What changes the answers about one person."""

    def change(item):
        shown = str(item.get("displayName") or item.get("givenName"))
        return {**item, **values} if shown.startswith(name) else item

    return change


def only(name, *kept):
    def change(item):
        if not str(item.get("displayName")).startswith(name):
            return item
        return {key: value for key, value in item.items() if key in kept}

    return change


WRONG = {
    "a number for a name": {"givenName": 7},
    "an object for a name": {"surname": {"a": 1}},
    "text for e-mails": {"emailAddresses": "anne@crm.example"},
    "null in e-mails": {"emailAddresses": [None, 3]},
    "a list for an address": {"businessAddress": ["Aarhus"]},
    "numbers for phones": {"businessPhones": [1, 2]},
    "an object for phones": {"businessPhones": {"0": "1"}},
    "true for a birthday": {"birthday": True},
    "a list for notes": {"personalNotes": ["x"]},
    "a number for a change key": {"changeKey": 5},
    "a change key that fits no header": {"changeKey": "a\u0007\u202e\r\nX: y"},
    "a number for a display name": {"displayName": 5, "givenName": "Anne"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_broken_pair_is_left_as_it_is_with_its_reason_and_mends_itself(pairs, graph, wrong):
    before = Contact.objects.get(first_name="Anne")
    for name in ("Anne Crm", "Bo Crm"):
        pairs.outlook.edit(pairs.card(name)["id"], jobTitle="edited")
    graph.item = of("Anne", wrong)
    report = pairs.sync()
    assert (report["outcome"], report["crm"]["updated"]) == ("done", 1), report["error_detail"]
    anne = Contact.objects.get(first_name="Anne")
    assert (anne.version, anne.phone, anne.city) == (before.version, "2", "Aarhus")
    assert ContactLink.objects.get(contact=anne).problem == "broken"
    assert pairs.sync()["changes"] == []
    graph.item = of("", {})
    pairs.sync(full=True)
    settle(pairs)
    anne.refresh_from_db()
    assert (anne.job_title, anne.fax, ContactLink.objects.left_out().count()) == ("edited", "1", 0)


def test_an_edit_in_the_crm_of_a_broken_pair_waits_and_says_why(pairs, graph):
    anne = Contact.objects.get(first_name="Anne")
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], jobTitle="edited")
    graph.item = of("Anne", WRONG["numbers for phones"])
    pairs.sync()
    edit(anne, department="Sales")
    for full in (False, True):
        assert pairs.sync(full=full)["changes"] == []
        assert ContactLink.objects.get(contact=anne).problem == "broken"
    answer = Answer(Contact.objects.get(pk=anne.pk), pairs.setup.user, True)
    assert (answer.verdict.reason, answer.pending) == ("broken", [])
    graph.item = of("", {})
    pairs.sync(full=True)
    settle(pairs)
    anne.refresh_from_db()
    item = pairs.card("Anne Crm")
    assert (anne.job_title, anne.department, item["jobTitle"], item["department"]) == ("edited", "Sales") * 2
    assert not ContactLink.objects.left_out().exists()


def test_a_broken_pair_whose_item_is_removed_goes_by_the_rule(pairs, graph):
    item_id = pairs.card("Anne Crm")["id"]
    pairs.outlook.edit(item_id, jobTitle="edited")
    graph.item = of("Anne", WRONG["numbers for phones"])
    pairs.sync()
    pairs.outlook.remove(item_id)
    settle(pairs)
    assert ContactLink.objects.get(contact__first_name="Anne").state == LinkState.REMOVED
    assert not ContactLink.objects.left_out().exclude(problem="removed_in_outlook").exists()


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_broken_newcomer_stays_out_with_its_reason(pairs, graph, wrong):
    graph.item = of("Eva", {**wrong, "displayName": wrong.get("displayName", "Eva")})
    pairs.outlook.add(**outlook_person("Eva", "Outlook", "eva@o.example", displayName="Eva"))
    pairs.outlook.add(**outlook_person("Ole", "Outlook", "ole@o.example"))
    report = pairs.sync()
    assert (report["outcome"], report["crm"]["created"]) == ("done", 1), report["error_detail"]
    (skipped,) = (row for row in report["changes"] if row["action"] == "skip")
    assert skipped["reason"] == "broken"
    assert Contact.objects.count() == 3


def test_a_row_that_holds_only_a_part_clears_nothing(pairs, graph):
    """Graph promises no more than the id and what changed; what is not said is not empty."""
    graph.item = only("Anne", "id", "changeKey", "jobTitle")
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], jobTitle="edited")
    assert pairs.sync()["outcome"] == "done"
    anne = Contact.objects.get(first_name="Anne")
    assert (anne.phone, anne.email, anne.surname) == ("2", "anne@crm.example", "Crm")


def test_an_answer_to_a_create_that_says_nothing_makes_no_second_one(pairs, graph):
    graph.item = only("Carl", "id", "changeKey")
    PersonFactory(first_name="Carl", surname="New", email="carl@crm.example", fax="3")
    for _ in range(3):
        assert pairs.sync()["outcome"] == "done"
        time_passes()
    assert pairs.names() == ["Anne Crm", "Bo Crm", "Carl New"]
    graph.item = of("", {})
    pairs.sync(full=True)
    settle(pairs)
    assert ContactLink.objects.get(contact__first_name="Carl").state == LinkState.LINKED
    assert Contact.objects.get(first_name="Carl").fax == "3"


def test_an_answer_to_an_update_that_says_nothing_clears_nothing(pairs, graph):
    graph.item = only("Anne", "id", "changeKey")
    edit(Contact.objects.get(first_name="Anne"), job_title="edited")
    for _ in range(2):
        assert pairs.sync()["outcome"] == "done"
    graph.item = of("", {})
    pairs.sync(full=True)
    settle(pairs)
    anne = Contact.objects.get(first_name="Anne")
    assert (anne.job_title, anne.phone, pairs.card("Anne Crm")["jobTitle"]) == ("edited", "2", "edited")


PLAIN_ODD = "a\u0000b\u0007\u202e"
ODD = "a\u0000b\ud800c\udfff\u202e\u0007\U0001f600"


def test_control_characters_and_halves_of_letters_are_stored_nowhere(pairs, graph):
    odd = {
        "givenName": f"Anne{ODD}", "jobTitle": ODD, "personalNotes": ODD, "businessPhones": [ODD], "categories": [ODD],
        "businessAddress": {"street": ODD, "city": ODD, "countryOrRegion": ODD},
        "emailAddresses": [{"address": "anne@crm.example", "name": ODD}],
    }  # fmt: skip
    graph.item = of("Anne", odd)
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], jobTitle="edited")
    assert pairs.sync()["outcome"] == "done"
    anne = Contact.objects.get(phone="a b?c?\u202e \U0001f600".replace("a b", "ab"))
    assert anne.job_title == anne.city == anne.phone
    assert anne.first_name.startswith("Anne")
    edit(anne, department="Sales")
    assert pairs.sync()["outcome"] == "done"


def test_an_error_in_odd_letters_is_told_and_does_no_harm(pairs):
    edit(Contact.objects.get(first_name="Anne"), job_title="edited")
    pairs.tenant.faults.add("status", status=400, code="Bad\u0000", message=PLAIN_ODD, match="PATCH ")
    report = pairs.sync()
    assert (report["outcome"], report["failed"]) == ("done", 1)
    pairs.tenant.faults.add("status", status=403, code="Worse\u0000", message=PLAIN_ODD, match="GET /delta", times=2)
    assert pairs.sync()["error"] == "access_denied"
    pairs.tenant.faults.clear()
    settle(pairs)


def test_megabytes_of_notes_and_of_a_name_are_kept_out(pairs, graph):
    graph.item = of("Anne", {"personalNotes": "n" * 5_000_000, "jobTitle": "j" * 100_000})
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], mobilePhone="9")
    report = pairs.sync()
    assert (report["outcome"], report["crm"]["updated"]) == ("done", 1)
    anne = Contact.objects.get(first_name="Anne")
    assert (anne.mobile_phone, anne.job_title, anne.notes) == ("9", "", "")
    assert ContactLink.objects.get(contact=anne).problem == "too_long"


def test_a_page_of_ten_thousand_rows_is_a_page(pairs, graph):
    def many(rows):
        copies = [{**rows[0], "id": f"X{number % 300}", "emailAddresses": []} for number in range(10_000)]
        return rows + copies if rows and "@removed" not in rows[0] else rows

    graph.page = many
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], jobTitle="edited")
    report = pairs.sync()
    assert (report["outcome"], Contact.objects.count()) == ("done", 2)
    assert Contact.objects.get(first_name="Anne").job_title == "edited"


@pytest.mark.parametrize("odd", [{}, {"id": ""}, {"id": None}, {"id": 7}, {"id": ["x"]}, {"id": "x" * 600}, None, "x"])
def test_a_row_without_a_usable_id_stops_the_run_before_anything_is_believed(pairs, graph, odd):
    graph.page = lambda rows: [*rows, odd]
    pairs.outlook.edit(pairs.card("Anne Crm")["id"], jobTitle="edited")
    report = pairs.sync()
    assert (report["outcome"], report["error"], report["changes"]) == ("failed", "bad_answer", [])
    graph.page = list
    pairs.sync()
    settle(pairs)
    assert Contact.objects.get(first_name="Anne").job_title == "edited"


def test_removals_of_everybody_are_believed_of_nobody_who_is_there(pairs, graph):
    graph.page = lambda rows: [{"id": row["id"], "@removed": {"reason": "deleted"}} for row in rows]
    for name in ("Anne Crm", "Bo Crm"):
        pairs.outlook.edit(pairs.card(name)["id"], jobTitle="edited")
    assert pairs.sync()["outcome"] == "done"
    assert Contact.objects.filter(job_title="edited").count() == 2
    graph.page = list
    settle(pairs)


def test_a_next_link_that_leads_back_to_itself_ends(pairs, graph):
    changed = graph.changed

    def endless(body, path):
        body = changed(body, path)
        if "delta" in path and isinstance(body, dict):
            body.pop("@odata.deltaLink", None)
            body["@odata.nextLink"] = f"{graph.url}{path}"
        return body

    graph.changed = endless
    assert pairs.sync()["error"] == "bad_answer"
    graph.changed = changed
    settle(pairs)
