"""Official clients drive the sandbox, so that it is Graph and not our idea of it."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import requests
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.contact_folder import ContactFolder
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.physical_address import PhysicalAddress
from msgraph.generated.models.single_value_legacy_extended_property import SingleValueLegacyExtendedProperty
from msgraph.generated.users.item.contacts.contacts_request_builder import ContactsRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from O365 import Account, MSGraphProtocol

from tests.outlook import Mailbox, Tenant

ANNE = "anne@contoso.example"
T = TypeVar("T")


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE, "Anne Nørgård")


# --- msgraph-sdk ----------------------------------------------------------------------------------------------------


class Token(AccessTokenProvider):
    def __init__(self, token: str) -> None:
        self.token = token

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:
        return self.token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator(["127.0.0.1"])


def run(tenant: Tenant, story: Callable[[GraphServiceClient], Coroutine[Any, Any, T]]) -> T:
    """What `story` comes to, told to the SDK's client with a token of Anne's."""

    async def told() -> T:
        adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token(tenant.access_token(ANNE))))
        adapter.base_url = tenant.graph_url
        return await story(GraphServiceClient(request_adapter=adapter))

    # In a thread of its own: a browser test before this one leaves Playwright's event loop in the main thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, told()).result()


def preferring(*preferences: str) -> RequestConfiguration:
    configuration: RequestConfiguration = RequestConfiguration()
    for preference in preferences:
        configuration.headers.add("Prefer", preference)
    return configuration


def test_the_sdk_creates_reads_updates_and_deletes(sandbox: Tenant, anne: Mailbox):
    async def story(client: GraphServiceClient) -> None:
        me = await client.me.get()
        assert me and me.mail == ANNE
        folder = await client.me.contact_folders.post(ContactFolder(display_name="Business Central"))
        contacts = client.me.contact_folders.by_contact_folder_id(folder.id).contacts
        made = await contacts.post(
            Contact(
                given_name="Ada",
                surname="Byron",
                email_addresses=[EmailAddress(address="ada@example.org")],
                business_address=PhysicalAddress(city="London"),
                single_value_extended_properties=[SingleValueLegacyExtendedProperty(id="String 0x3A24", value="+44 1")],
            )
        )
        assert made.display_name == "Ada Byron" and made.email_addresses[0].name == "ada@example.org"
        one = contacts.by_contact_id(made.id)
        edited = await one.patch(Contact(surname="Lovelace"))
        assert edited.display_name == "Ada Lovelace" and edited.business_address.city == "London"
        assert (await one.get()).change_key == edited.change_key
        assert [row.id for row in (await contacts.get()).value] == [made.id]
        await one.delete()
        with pytest.raises(APIError) as refused:
            await one.get()
        assert refused.value.error.code == "ErrorItemNotFound"

    run(sandbox, story)
    assert anne.contacts("Deleted Items")[0]["extended"] == {"String 0x3A24": "+44 1"}


def test_the_sdk_follows_next_links(sandbox: Tenant, anne: Mailbox):
    anne.add_many("Contacts", [{"givenName": f"P{n:02}"} for n in range(25)])

    async def story(client: GraphServiceClient) -> list[str]:
        query = ContactsRequestBuilder.ContactsRequestBuilderGetQueryParameters(select=["displayName"], top=10)
        page = await client.me.contacts.get(request_configuration=RequestConfiguration(query_parameters=query))
        names = [row.display_name for row in page.value]
        while page.odata_next_link:
            page = await client.me.contacts.with_url(page.odata_next_link).get()
            names += [row.display_name for row in page.value]
        return names

    assert run(sandbox, story) == [f"P{n:02}" for n in range(25)]


def test_the_sdk_reads_changes_and_removals(sandbox: Tenant, anne: Mailbox):
    ids = [row["id"] for row in anne.add_many("Contacts", [{"givenName": f"P{n:02}"} for n in range(5)])]

    async def story(client: GraphServiceClient) -> None:
        delta = client.me.contacts.delta
        wanted = preferring('IdType="ImmutableId"', "odata.maxpagesize=3")
        page = await delta.get(request_configuration=wanted)
        seen = [row.id for row in page.value]
        assert len(seen) == 3
        while page.odata_next_link:
            page = await delta.with_url(page.odata_next_link).get(request_configuration=wanted)
            seen += [row.id for row in page.value]
        assert seen == ids
        anne.edit(ids[1], surname="Byron")
        anne.remove(ids[2])
        page = await delta.with_url(page.odata_delta_link).get(request_configuration=wanted)
        changed, removed = page.value
        assert (changed.id, changed.surname) == (ids[1], "Byron")
        assert (removed.id, removed.additional_data["@removed"]) == (ids[2], {"reason": "deleted"})

    run(sandbox, story)


def test_the_sdk_makes_sense_of_every_answer(sandbox: Tenant, anne: Mailbox):
    anne.add(
        "Contacts",
        title="Dr.", givenName="Ada", surname="Byron", birthday="1815-12-10", categories=["A", "B"], children=["Byron"],
        businessPhones=["1", "2"], homePhones=["3"], imAddresses=["ada"], homeAddress={"city": "London"}, nickName="A",
    )  # fmt: skip

    async def story(client: GraphServiceClient) -> Contact:
        return (await client.me.contacts.get()).value[0]

    contact = run(sandbox, story)
    assert contact.birthday.isoformat() == "1815-12-10T11:59:00+00:00"
    assert (contact.categories, contact.children) == (["B", "A"], ["Byron"])
    assert contact.home_address.city == "London" and contact.other_address.city is None
    assert set(contact.additional_data) <= {"@odata.etag"}, "no property that the SDK does not know"


# --- O365 -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def address_book(sandbox: Tenant, anne: Mailbox):
    class Protocol(MSGraphProtocol):
        _protocol_url = f"{sandbox.url}/"

    account = Account(("client", "secret"), protocol=Protocol(), main_resource=f"users/{ANNE}")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {sandbox.access_token(ANNE)}"
    account.con.session = session
    return account.address_book()


def test_o365_creates_lists_updates_and_deletes(address_book: Any, anne: Mailbox):
    contact = address_book.new_contact()
    contact.name, contact.surname, contact.job_title = "Ada", "Byron", "Countess"
    contact.emails.add("ada@example.org")
    contact.business_phones = ["+44 20 7946 0001"]
    assert contact.save()
    [found] = address_book.get_contacts()
    assert (found.full_name, found.main_email, found.job_title) == ("Ada Byron", "ada@example.org", "Countess")
    found.job_title = "Analyst"
    assert found.save()
    stored = anne.contacts("Contacts")[0]
    assert (stored["jobTitle"], stored["businessPhones"]) == ("Analyst", ["+44 20 7946 0001"])
    assert found.delete()
    assert anne.contacts("Contacts") == []


def test_o365_makes_and_finds_folders_reads_page_by_page_and_searches(address_book: Any, anne: Mailbox):
    made = address_book.create_child_folder("Business Central")
    assert address_book.get_folder(folder_name="Business Central").folder_id == made.folder_id
    assert anne.folder("Business Central")["count"] == 0
    anne.add_many("Contacts", [{"givenName": f"P{n:02}"} for n in range(30)])
    anne.add("Contacts", givenName="Ada", emailAddresses=[{"address": "ada@example.org"}])
    assert len(list(address_book.get_contacts(limit=100, batch=7))) == 31
    [found] = address_book.get_contacts(query="emailAddresses/any(a:a/address eq 'ADA@example.org')")
    assert found.name == "Ada"
