"""The demo's made-up CRM: believable, complete, and the same on every machine."""

from collections import Counter

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email

from contacts.models import Contact
from crmsync.demo import sample
from crmsync.users.models import AuthenticationStatus, User
from tests.factories import PersonFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded() -> None:
    assert sample.load()


def everything() -> list[tuple[object, ...]]:
    fields = ("number", "name", "company_name", "email", "phone", "city", "country", "birthday", "salesperson__code")
    return list(Contact.objects.order_by("number").values_list(*fields))


@pytest.mark.usefixtures("loaded")
def test_there_are_about_300_people_in_40_companies_of_eight_countries() -> None:
    assert 300 <= Contact.objects.persons().count() <= 340
    assert Contact.objects.companies().count() == 40
    countries = {"DK", "DE", "GB", "US", "FR", "ES", "CN", "AE"}
    assert set(Contact.objects.exclude(country="").values_list("country", flat=True)) == countries
    assert Contact.objects.filter(company__isnull=False).count() > 200
    names = "".join(Contact.objects.values_list("name", flat=True))
    assert all(letter in names for letter in "øßñéا陈")


def test_two_machines_get_the_same_people() -> None:
    sample.load()
    first = everything()
    Contact.objects.persons().delete()
    Contact.objects.companies().delete()
    User.objects.all().delete()
    assert sample.load()
    assert [row[1:] for row in everything()] == [row[1:] for row in first]


@pytest.mark.usefixtures("loaded")
def test_a_second_load_changes_nothing() -> None:
    Contact.objects.filter(name="Anne Nørgård").update(city="Skagen")
    before = everything()
    assert not sample.load()
    assert everything() == before


@pytest.mark.parametrize("factory", [UserFactory, PersonFactory])
def test_a_crm_in_which_there_is_something_is_left_alone(factory) -> None:
    factory()
    assert not sample.load()
    assert Contact.objects.count() + User.objects.count() == 1


@pytest.mark.usefixtures("loaded")
def test_everybody_can_sign_in_and_stands_elsewhere_with_microsoft() -> None:
    jens, xenia, amira = (User.objects.get(code=code) for code in ("JR", "XX", "AH"))
    assert all(user.check_password(sample.PASSWORD) for user in User.objects.all())
    assert jens.authentication_email == jens.email
    assert xenia.authentication_status == AuthenticationStatus.INACTIVE
    assert amira.authentication_status == AuthenticationStatus.DISABLED
    assert [user.name for user in User.objects.all() if user.is_administrator] == ["Kirsten Berg"]
    assert all(user.contacts.count() > 40 for user in (jens, xenia, amira))


@pytest.mark.usefixtures("loaded")
def test_e_mails_are_good_and_unique_but_for_those_that_are_there_to_be_stumbled_over() -> None:
    addresses = Counter(Contact.objects.exclude(email="").values_list("email", flat=True))
    assert [address for address, count in addresses.items() if count > 1] == ["familien.holm@postkasse.example"]
    wrong = []
    for address in addresses:
        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError:
            wrong.append(address)
    assert wrong == ["walter.beck(at)briefkasten.example"]
    assert all(address.endswith(".example") for address in addresses)
    assert Contact.objects.persons().filter(email="").count() >= 3
    assert Contact.objects.filter(privacy_blocked=True).count() == 1
    assert Contact.objects.trashed().count() == 1


@pytest.mark.usefixtures("loaded")
def test_every_telephone_number_is_one_of_its_country() -> None:
    for country, *numbers in Contact.objects.values_list("country", "phone", "mobile_phone", "home_phone", "fax"):
        for number in filter(None, numbers):
            parsed = phonenumbers.parse(number)
            assert phonenumbers.is_possible_number(parsed), number
            if country and country not in {"US"}:
                assert phonenumbers.region_code_for_country_code(parsed.country_code) == country


@pytest.mark.usefixtures("loaded")
def test_what_is_stored_fits_the_forms() -> None:
    """Nothing in the sample could not have been typed in, but the one wrong e-mail."""
    for contact in Contact.objects.exclude(email__contains="(at)"):
        contact.full_clean(exclude=["salesperson", "company", "modified_by"])


@pytest.mark.parametrize(
    ("name", "written"), [("Nørgård", "noergaard"), ("Großmann", "grossmann"), ("Zoë", "zoe"), ("Al Zaabi", "al-zaabi")]
)
def test_names_are_spelled_out_in_addresses(name: str, written: str) -> None:
    assert sample.in_ascii(name) == written
