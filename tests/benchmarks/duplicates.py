"""How long finding duplicates takes among many contacts, and what adding contacts with their keys does. Run by hand:

python -m tests.benchmarks.duplicates [CONTACTS]
"""

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import contacts_list, stage

SHARE = 3  # per cent of the contacts that are somebody again


def copies(me: Any, count: int) -> list[Any]:
    """New contacts, each like one that is there: by e-mail, by phone, or by name."""
    from contacts.models import Contact

    rng = random.Random(2)
    chosen = rng.sample(list(Contact.objects.persons().values_list("pk", flat=True)), count)
    found = Contact.objects.select_related("company").in_bulk(chosen).values()
    return [Contact().assign(copy(number, contact), by=me) for number, contact in enumerate(found)]


def copy(number: int, contact: Any) -> dict[str, Any]:
    name = {"first_name": contact.first_name, "surname": contact.surname}
    if number % 3 == 0:
        return {**name, "email": contact.email.upper()}
    if number % 3 == 1:
        return {**name, "mobile_phone": contact.phone.replace(" ", "")}
    return {**name, "surname": contact.surname.replace("r", "rr"), "company": contact.company}


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage.prepare(Path(folder))
        from django.test import Client

        from contacts.duplicates import Finder, like
        from contacts.likeness import ContactKey, keys_of
        from contacts.models import Contact

        filling, me = stage.timed(lambda: contacts_list.fill(count))
        again = copies(me, count * SHARE // 100)
        making, _ = stage.timed(lambda: [keys_of(contact) for contact in again])
        Contact.objects.bulk_add(again)
        finding, groups = min((stage.timed(lambda: Finder().groups) for _turn in range(5)), key=lambda row: row[0])
        client = Client(SERVER_NAME="localhost")
        client.force_login(me)
        page = contacts_list.milliseconds(client, "/contacts/duplicates/")
        last = contacts_list.milliseconds(client, f"/contacts/duplicates/?page={len(groups) // 20}")
        one = Contact.objects.get(pk=groups[0].members[0])
        looking, _ = min((stage.timed(lambda: like(one)) for _turn in range(5)), key=lambda row: row[0])
        rows = [
            ["adding all contacts, keys and history included, s", filling],
            ["making the keys of 1,000 contacts, ms", making / len(again) * 1e6],
            ["finding all groups, ms", finding * 1000],
            ["the first page, ms", page],
            ["the last page, ms", last],
            ["who is like one contact, ms", looking * 1000],
        ]
        title = f"{count:,} contacts, {ContactKey.objects.count():,} keys, {len(groups):,} groups"
        stage.table(title, ["", "SQLite"], rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
