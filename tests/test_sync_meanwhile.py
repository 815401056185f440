"""What people do about a contact while a run has it in hand, or a plan waits: it is heeded, and stops nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from contacts.models import Contact
from crmsync.sync.erasing import StillRunning, erase
from tests.factories import AdministratorFactory, PersonFactory
from tests.scene import Salesperson

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def before_look_at_links(number: int, deed: Callable[[], object]) -> Iterator[list[str]]:
    """Has `deed` done before links are read for the `number`-th time, outside of a transaction. Gives those reads."""
    reads: list[str] = []

    def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT") and "sync_contactlink" in sql and not connection.in_atomic_block:
            reads.append(sql)
            if len(reads) == number:
                deed()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(executed):
        yield reads


def test_whoever_is_erased_at_any_moment_stops_no_run(jens: Salesperson) -> None:
    """Even between what a plan has read of them and its storing. Once a run has them on record it is refused."""
    jens.sync()
    by, refused, number = AdministratorFactory(), [], 0

    def erases() -> None:
        try:
            erase(Contact.objects.get(), by=by)
        except StillRunning:
            refused.append(number)

    while not refused:
        number += 1
        PersonFactory(first_name="Hanne", surname="Holm", email=f"hanne{number}@home.example")
        with before_look_at_links(number, erases) as reads:
            assert jens.sync()["outcome"] == "done", reads[-1]
        assert len(reads) >= number
    assert number > 1 and jens.names() == ["Hanne Holm"]
