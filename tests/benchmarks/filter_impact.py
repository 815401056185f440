"""Time of a filter's impact, as it is asked for while somebody types. Run by hand:

python -m tests.benchmarks.filter_impact [CONTACTS]
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import stage
from tests.benchmarks.contacts_list import fill

FILTERS = [{}, {"salesperson": "%me"}, {"city": "A*|B*"}, {"city": "<>Aarhus", "name": "@*a*"}]


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage.prepare(Path(folder))
        from contacts.models import Contact
        from crmsync.sync.choices import LinkState
        from crmsync.sync.impact import impact_of
        from crmsync.sync.models import ContactLink
        from exchange_setup.models import ExchangeSync

        setup = ExchangeSync.objects.create(user=fill(count), contact_filter={"salesperson": "%me"})
        people = Contact.objects.reachable().filter(salesperson=setup.user).values_list("pk", flat=True)
        ContactLink.objects.bulk_create(
            ContactLink(setup=setup, contact_id=pk, state=LinkState.LINKED, outlook_id=f"item {pk}", was_in_filter=True)
            for pk in people
        )
        for contact_filter in FILTERS:
            setup = ExchangeSync.objects.select_related("user").get()
            began = time.perf_counter()
            groups = impact_of(setup, contact_filter).groups
            took = time.perf_counter() - began
            print(f"{took * 1000:7.0f} ms  {contact_filter}  {[(group.slug, group.count) for group in groups]}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
