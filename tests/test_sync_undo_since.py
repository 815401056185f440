"""Undo of what somebody has been at since, on whichever side: what is theirs by now stays theirs."""

from crmsync.sync.models import SyncRun
from tests.compare import settle
from tests.factories import PersonFactory
from tests.scene import Salesperson, edit


def test_nobody_is_made_again_beside_another_contact_with_the_e_mail(jens: Salesperson) -> None:
    jens.change(contact_filter={"city": "Ribe"}, left_filter_rule="remove")
    anne, bo = (PersonFactory(first_name=name, surname="Dam", email="info@dam.example") for name in ("Anne", "Bo"))
    for contact in (anne, bo):
        edit(contact, city="Ribe")
    settle(jens)
    edit(anne, city="Odense")
    removal = jens.sync()["run"]
    settle(jens)
    assert jens.names() == ["Bo Dam"]
    (row,) = jens.undo(removal)["changes"]
    assert (row["outcome"], row["reason"], row["detail"]) == ("skipped", "shared_email", bo.number)
    settle(jens)
    assert jens.names() == ["Bo Dam"] and SyncRun.objects.open().count() == 0
