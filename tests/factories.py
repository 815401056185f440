"""Made-up rows for tests."""

import factory
from django.contrib.auth import get_user_model

from contacts.models import Contact, NumberSeries
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from exchange_setup.models import ExchangeSync


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Sales Person {n}")
    email = factory.Sequence(lambda n: f"sales{n}@crm.example")
    code = factory.Sequence(lambda n: f"S{n}")
    authentication_email = factory.Sequence(lambda n: f"sales{n}@contoso.example")
    password = factory.django.Password("secret-pass-1")


class AdministratorFactory(UserFactory):
    role = "administrator"


class CompanyFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Contact

    type = "company"
    number = factory.LazyFunction(lambda: NumberSeries.take()[0])
    name = factory.Sequence(lambda n: f"Company {n}")
    company_name = factory.SelfAttribute("name")


class PersonFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Contact

    type = "person"
    number = factory.LazyFunction(lambda: NumberSeries.take()[0])
    first_name = factory.Sequence(lambda n: f"First{n}")
    surname = factory.Sequence(lambda n: f"Last{n}")
    name = factory.LazyAttribute(lambda o: " ".join(part for part in (o.first_name, o.surname) if part))
    email = factory.Sequence(lambda n: f"person{n}@customer.example")


class SetupFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ExchangeSync

    user = factory.SubFactory(UserFactory)
    mailbox = factory.SelfAttribute("user.authentication_email")
    enabled = True
    first_sync_allowed = True


class LinkFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ContactLink

    setup = factory.SubFactory(SetupFactory)
    contact = factory.SubFactory(PersonFactory)
    state = LinkState.LINKED
    outlook_id = factory.Sequence(lambda n: f"AAkALg{n:062d}")


class RunFactory(factory.django.DjangoModelFactory):
    """A finished sync that changed nothing."""

    class Meta:
        model = SyncRun

    setup = factory.SubFactory(SetupFactory)
    kind = "sync"
    trigger = "manual"
    outcome = "done"
    requested_by = factory.SelfAttribute("setup.user")


class ChangeFactory(factory.django.DjangoModelFactory):
    """A contact that a run created in Outlook."""

    class Meta:
        model = SyncChange

    run = factory.SubFactory(RunFactory)
    contact = factory.SubFactory(PersonFactory)
    name = factory.LazyAttribute(lambda o: o.contact.name if o.contact else "")
    side = "outlook"
    action = "create"
    outcome = "done"
