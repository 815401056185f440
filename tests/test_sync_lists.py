"""Lists of which Outlook holds more than the CRM knows."""

import pytest

from contacts.models import Contact
from tests.compare import settle
from tests.scene import FOLDER, edit, outlook_person

pytestmark = pytest.mark.django_db


def test_what_moves_up_where_the_home_phone_was_cleared_comes_into_the_crm(jens):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Jan", "Holm", "jan@o.example", homePhones=["1", "2"]))
    settle(jens)
    jan = Contact.objects.get()
    edit(jan, home_phone="")
    settle(jens)
    jan.refresh_from_db()
    assert (jan.home_phone, jens.card("Jan Holm")["homePhones"]) == ("2", ["2"])
    edit(jan, home_phone="")
    settle(jens)
    jan.refresh_from_db()
    assert (jan.home_phone, jens.card("Jan Holm")["homePhones"]) == ("", [])


def test_the_second_home_phone_is_never_overwritten(jens):
    jens.outlook.create_folder(FOLDER)
    jens.outlook.add(**outlook_person("Jan", "Holm", "jan@o.example", homePhones=["1", "2"]))
    settle(jens)
    for phone in ("", "9"):
        edit(Contact.objects.get(), home_phone=phone)
    settle(jens)
    assert jens.card("Jan Holm")["homePhones"] == ["9", "2"]
