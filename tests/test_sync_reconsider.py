"""Conflicts, beyond choosing a side: keeping both, making a rule of it, and another word on what a rule has settled."""

import pytest

from crmsync.sync.models import ContactLink, SyncChange
from exchange_setup.models import OrganisationDefaults
from tests.factories import AdministratorFactory, CompanyFactory, PersonFactory, UserFactory
from tests.scene import edit
from tests.test_sync_pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def anne():
    return PersonFactory(first_name="Anne", surname="Holm", email="anne@crm.example", phone="1", job_title="Buyer")


@pytest.fixture
def disputed(jens, anne, client):
    """Jens, signed in, and a function that has both sides change a field of Anne's and syncs; gives Anne's link."""
    client.force_login(jens.setup.user)
    jens.sync()

    def dispute(rule: str, *, ours: dict, theirs: dict) -> ContactLink:
        jens.change(conflict_rule=rule)
        edit(anne, **ours)
        jens.outlook.edit(jens.card("Anne Holm")["id"], **theirs)
        jens.sync()
        anne.refresh_from_db()
        return ContactLink.objects.get(contact=anne)

    return dispute


def test_both_phones_are_kept_where_the_list_has_a_free_place(jens, anne, client, disputed):
    link = disputed("ask", ours={"phone": "2"}, theirs={"businessPhones": ["3"]})
    page = text(client.get("/sync/left-out/"))
    assert "Keep both: Phone no., Anne Holm" in page and "Last agreed" in page
    answer = client.post(f"/sync/left-out/{link.pk}/decide/", {"choice": "both", "field": "phone"}, follow=True)
    assert "Both values for Anne Holm are kept" in text(answer)
    jens.sync()
    anne.refresh_from_db()
    assert (anne.phone, anne.phone_2) == ("2", "3")
    assert jens.card("Anne Holm")["businessPhones"] == ["2", "3"]
    assert jens.sync()["changes"] == []


@pytest.mark.parametrize(
    ("ours", "theirs", "field"),
    [
        ({"phone": "2", "phone_2": "9"}, {"businessPhones": ["3"]}, "phone"),
        ({"job_title": "A"}, {"jobTitle": "B"}, "job_title"),
        ({"job_title": "A"}, {"jobTitle": "B"}, "phone"),
    ],
)
def test_both_are_not_kept_where_there_is_no_place_for_two(anne, client, disputed, ours, theirs, field):
    link = disputed("ask", ours=ours, theirs=theirs)
    assert "Keep both" not in text(client.get("/sync/left-out/"))
    answer = client.post(f"/sync/left-out/{link.pk}/decide/", {"choice": "both", "field": field}, follow=True)
    assert "nothing was decided" in text(answer)
    assert anne.version == type(anne).objects.get(pk=anne.pk).version


def test_one_answer_becomes_the_rule_and_settles_what_is_open(jens, anne, client, disputed):
    disputed("ask", ours={"job_title": "A"}, theirs={"jobTitle": "B"})
    assert "Always use Outlook" in text(client.get("/sync/left-out/?reason=conflict"))
    client.post("/sync/left-out/rule/", {"side": "outlook"})
    jens.setup.refresh_from_db()
    assert jens.setup.conflict_rule == "outlook"
    jens.sync()
    anne.refresh_from_db()
    assert anne.job_title == "B"


def test_a_rule_that_the_organisation_has_set_stays(jens, client, disputed):
    disputed("ask", ours={"job_title": "A"}, theirs={"jobTitle": "B"})
    OrganisationDefaults(locked=["conflict_rule"], conflict_rule="ask").save()
    assert "Always use" not in text(client.get("/sync/left-out/"))
    assert "Your organisation has set this rule" in text(
        client.post("/sync/left-out/rule/", {"side": "crm"}, follow=True)
    )
    jens.setup.refresh_from_db()
    assert jens.setup.conflict_rule == "ask"
    assert client.post("/sync/left-out/rule/", {"side": "nobody"}).status_code == 400


@pytest.mark.parametrize(("rule", "other"), [("crm", "B"), ("outlook", "A")])
def test_the_value_that_lost_is_used_instead_and_the_next_sync_carries_it_over(
    jens, anne, client, disputed, rule, other
):
    disputed(rule, ours={"job_title": "A"}, theirs={"jobTitle": "B"})
    change = SyncChange.objects.exclude(conflicts={}).get()
    for url in (change.run.get_absolute_url(), f"/sync/contacts/{anne.number}/"):
        assert "Use this instead: Job title, Anne Holm" in text(client.get(url))
    page = text(client.post(f"/sync/changes/{change.pk}/other-value/", {"field": "job_title"}, follow=True))
    assert "Job title has the other value now." in page
    report = jens.sync()
    anne.refresh_from_db()
    assert (anne.job_title, jens.card("Anne Holm")["jobTitle"]) == (other, other)
    assert [row["fields"]["job_title"][1] for row in report["changes"]] == [other]
    assert jens.sync()["changes"] == []
    assert "Use this instead" not in text(client.get(change.run.get_absolute_url()))


def test_a_company_that_lost_is_linked_again(jens, anne, client, disputed):
    fabrikam = CompanyFactory(name="Fabrikam")
    disputed("crm", ours={"company_name": "Contoso"}, theirs={"companyName": "Fabrikam"})
    change = SyncChange.objects.exclude(conflicts={}).get()
    client.post(f"/sync/changes/{change.pk}/other-value/", {"field": "company_name"})
    anne.refresh_from_db()
    assert anne.company == fabrikam


@pytest.mark.parametrize("where", ["crm", "outlook"])
def test_a_value_that_lost_is_refused_once_the_field_has_changed(jens, anne, client, disputed, where):
    disputed("crm", ours={"job_title": "A"}, theirs={"jobTitle": "B"})
    change = SyncChange.objects.exclude(conflicts={}).get()
    if where == "crm":
        edit(anne, job_title="C")
    else:
        jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="C")
        jens.sync()
    page = text(client.post(f"/sync/changes/{change.pk}/other-value/", {"field": "job_title"}, follow=True))
    anne.refresh_from_db()
    assert "has been changed since" in page and anne.job_title == "C"
    client.post(f"/sync/changes/{change.pk}/other-value/", {"field": "nonsense"})


def test_nobody_reconsiders_for_somebody_else(anne, client, disputed):
    disputed("crm", ours={"job_title": "A"}, theirs={"jobTitle": "B"})
    change = SyncChange.objects.exclude(conflicts={}).get()
    for user in (UserFactory(), AdministratorFactory()):
        client.force_login(user)
        assert client.post(f"/sync/changes/{change.pk}/other-value/", {"field": "job_title"}).status_code == 404
        assert client.get(f"/sync/changes/{change.pk}/other-value/").status_code == 405
        assert "Use this instead" not in text(client.get(f"/sync/contacts/{anne.number}/"))
