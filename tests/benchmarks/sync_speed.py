"""How long a sync takes, against the physical limit and against other ways of doing the same, on one sandbox.

    python -m tests.benchmarks.sync_speed --contacts 1000 [--item 50] [--round-trip 20] [--others 200]

The limit of a first push is ⌈N/20⌉ · (5·L + R): Exchange works on four items of a batch at a time. Figures are ratios
of one run on one machine; the machine's own speed plays into all of them alike.
"""

import argparse
import asyncio
import os
from typing import Any

import requests

from tests.benchmarks.stage import EMAIL, make_setup, people, prepare, run, sandbox, scratch, table, timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1000)
    parser.add_argument("--item", type=int, default=50, help="milliseconds that Exchange takes for an item (L)")
    parser.add_argument("--round-trip", type=int, default=20, help="milliseconds of a request's way there and back (R)")
    parser.add_argument("--others", type=int, default=200, help="contacts for the other ways, scaled up; 0: leave out")
    options = parser.parse_args()
    with scratch() as folder, sandbox(folder) as tenant:
        os.environ["CRMSYNC_OVERWRITE_PERCENT"] = "1000"
        prepare(folder, tenant.url)
        tenant.add_person(EMAIL, "Jens")
        tenant.settings(latency_ms=options.round_trip, item_ms=options.item)
        ours = measure_ours(options.contacts, options.item / 1000, options.round_trip / 1000, tenant)
        if options.others:
            measure_others(options.others, options.contacts, ours, tenant)


def limit(number: int, item: float, round_trip: float) -> float:
    return -(-number // 20) * (5 * item + round_trip)


def measure_ours(number: int, item: float, round_trip: float, tenant: Any) -> float:
    from contacts.models import Contact

    make_setup()
    people(number)
    rows = []

    def measure(name: str, least: float, **kind: bool) -> float:
        seconds, done = timed(lambda: run(**kind))
        rows.append([name, seconds, least, seconds / least, done.requests])
        return seconds

    pages = -(-number // 200)
    whole = limit(number, item, round_trip)
    push = measure("first push", whole)
    measure("nothing changed", round_trip + item)
    few = number // 20
    for contact in Contact.objects.all()[:few]:
        contact.write({"job_title": "Head of buying"}, by=None)
    measure("5 % edited in the CRM", limit(few, item, round_trip) + round_trip + item)
    for card in tenant.mailbox(EMAIL).contacts()[:few]:
        tenant.mailbox(EMAIL).edit(card["id"], department="Buying")
    reads = -(-few // 200) + min(-(-few // 20), -(-number // 1000))  # what is new, and what is read apart from it
    measure("5 % edited in Outlook", reads * (round_trip + item))
    measure("full sync, nothing changed", (pages + 1) * (round_trip + item), full=True)
    Contact.objects.all().delete()
    from exchange_setup.models import ExchangeSync

    ExchangeSync.objects.update(mirrored_folder_id="", delta_link="", delta_next_link="", last_sync_at=None)
    measure("first pull", (pages + -(-number // 1000)) * (round_trip + item))
    table(f"{number} contacts, L = {item * 1000:.0f} ms, R = {round_trip * 1000:.0f} ms",
          ["what", "seconds", "limit", "ratio", "requests"], rows)  # fmt: skip
    return push / number


def measure_others(number: int, scale: int, ours: float, tenant: Any) -> None:
    """The same first push by what people write themselves, on mailboxes of their own."""
    rows = [["crmsync", ours * scale, 1.0]]
    for name, push in (("O365, one request each", with_o365), ("msgraph-sdk, one request each", with_msgraph),
                       ("Business Central's way: read all, then one each", business_central)):  # fmt: skip
        email = f"{push.__name__}@contoso.example"
        tenant.add_person(email)
        seconds, _ = timed(lambda push=push, email=email: push(tenant, email, number))
        rows.append([name, seconds / number * scale, seconds / number / ours])
    table(f"First push of {scale} contacts (measured on {number})", ["who", "seconds", "times crmsync's"], rows)


def with_o365(tenant: Any, email: str, number: int) -> None:
    from O365 import Account, MSGraphProtocol

    class Protocol(MSGraphProtocol):
        _protocol_url = f"{tenant.url}/"

    account = Account(("id", "secret"), protocol=Protocol(), main_resource=f"users/{email}")
    account.con.session = requests.Session()
    account.con.session.headers["Authorization"] = f"Bearer {tenant.access_token()}"
    book = account.address_book()
    for index in range(number):
        contact = book.new_contact()
        contact.name, contact.surname = "First", f"Last{index}"
        contact.emails.add(f"p{index}@customer.example")
        contact.save()


def with_msgraph(tenant: Any, email: str, number: int) -> None:
    from kiota_abstractions.authentication import AllowedHostsValidator, BaseBearerTokenAuthenticationProvider
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.contact import Contact
    from msgraph.generated.models.email_address import EmailAddress

    class Token:
        async def get_authorization_token(self, uri: str, additional: dict[str, Any] | None = None) -> str:
            return tenant.access_token()

        def get_allowed_hosts_validator(self) -> Any:
            return AllowedHostsValidator(["127.0.0.1"])

    async def push() -> None:
        adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token()))
        adapter.base_url = tenant.graph_url
        contacts = GraphServiceClient(request_adapter=adapter).users.by_user_id(email).contacts
        for index in range(number):
            address = EmailAddress(address=f"p{index}@customer.example")
            await contacts.post(Contact(given_name="First", surname=f"Last{index}", email_addresses=[address]))

    asyncio.run(push())


def business_central(tenant: Any, email: str, number: int) -> None:
    """Read the whole folder, then look each contact up and write it, one request at a time."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {tenant.access_token()}"
    base = f"{tenant.graph_url}/users/{email}/contacts"
    session.get(base, params={"$top": "1000"}).raise_for_status()
    for index in range(number):
        address = f"p{index}@customer.example"
        found = session.get(base, params={"$filter": f"emailAddresses/any(a:a/address eq '{address}')"})
        if not found.json()["value"]:
            body = {"givenName": "First", "surname": f"Last{index}", "emailAddresses": [{"address": address}]}
            session.post(base, json=body).raise_for_status()


if __name__ == "__main__":
    main()
