"""Server time of the Contacts list beside Django's own admin changelist, on the same contacts. Run by hand:

python -m tests.benchmarks.contacts_list [CONTACTS]
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import stage

PAIRS = [
    ("first page", "", ""),
    ("a page in the middle", "?page={middle}", "?p={admin_middle}"),
    ("last page", "?page={last}", "?p={admin_last}"),
    ("by e-mail", "?sort=email", "?o=5"),
    ("by salesperson", "?sort=salesperson", "?o=7"),
    ("search: many found", "?q=smith", "?q=smith"),
    ("search: one found", "?q=person{last}@", "?q=person{last}@"),
    ("search: letters beyond ASCII", "?q=nørgård", "?q=nørgård"),
    ("search: a phone number", "?q=%2B45 33 11 22 33", None),
    ("filter: companies", "?f-type=Company", "?type__exact=company"),
    ("filter: my contacts", "?f-salesperson=%25me", "?salesperson__id__exact={me}"),
    ("filter: city A*|B*", "?f-city=A*|B*", "?city__startswith=A"),
]
FIRST = ["Anne", "Bo", "Carla", "Dorthe", "Ærø", "Åse", "Jürgen", "陈波", "محمد", "Søren"]
LAST = ["Nørgård", "Hansen", "Chen", "Díaz", "Müller", "Østergaard", "Smith", "Jensen"]
CITIES = ["Aarhus", "København", "Berlin", "Odense", "Århus", "London", "上海"]


def fill(count: int) -> Any:
    """`count` contacts, a hundredth of them companies; gives the administrator who has a third of them."""
    from django.contrib.auth import get_user_model

    from contacts.models import Contact

    rng = random.Random(1)
    me = get_user_model().objects.create_superuser("admin@crm.example", name="Ada", code="AD")
    companies = Contact.objects.bulk_add(
        [Contact().assign({"type": "company", "name": f"Company {n} A/S"}, by=me) for n in range(count // 100)]
    )
    for start in range(0, count - len(companies), 5_000):
        Contact.objects.bulk_add(
            [
                person(rng, n, me, rng.choice(companies))
                for n in range(start, min(start + 5_000, count - len(companies)))
            ]
        )
    return me


def person(rng: random.Random, n: int, me: Any, company: Any) -> Any:
    from contacts.models import Contact

    fields = {
        "first_name": rng.choice(FIRST),
        "surname": f"{rng.choice(LAST)}{n}",
        "company": company,
        "email": f"person{n}@customer{n % 977}.example",
        "phone": f"+45 {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)}",
        "city": rng.choice(CITIES),
        "country": "DK",
        "address": "Store Torv 12",
        "salesperson": me if n % 3 == 0 else None,
        "notes": "x" * rng.choice([0, 0, 200]),
    }
    return Contact().assign(fields, by=me)


def milliseconds(client: Any, path: str, times: int = 5) -> float:
    """The median time of a GET, after one that does not count."""
    taken = []
    for _turn in range(times + 1):
        began = time.perf_counter()
        response = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, (path, response.status_code)
    return statistics.median(taken[1:])


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage.prepare(Path(folder))
        from django.test import Client

        me = fill(count)
        client = Client(SERVER_NAME="localhost")
        client.force_login(me)
        places = {"middle": count // 100, "last": count // 50, "me": me.pk}
        places |= {"admin_middle": count // 200, "admin_last": count // 100}
        print(f"{count:,} contacts; median ms of 5\n\n{'':32}{'list':>8}{'admin':>8}")
        for label, ours, theirs in PAIRS:
            list_time = milliseconds(client, "/contacts/" + ours.format(**places))
            admin = (
                "–"
                if theirs is None
                else f"{milliseconds(client, '/admin/contacts/contact/' + theirs.format(**places)):.0f}"
            )
            print(f"{label:32}{list_time:8.0f}{admin:>8}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
