"""Pages of the Contacts list."""

from typing import Any

from django.core.paginator import Page, Paginator

from contacts.models import ContactQuerySet


class Pages(Paginator):
    """Pages of contacts that cost the same wherever they are.

    The keys are read first, from the index alone, and in the second half of the list from its end.
    """

    def __init__(self, contacts: ContactQuerySet, per_page: int, rows: ContactQuerySet) -> None:
        """Pages of `contacts`; `rows` says what is read of each."""
        super().__init__(contacts, per_page)
        self.rows = rows

    def page(self, number: Any) -> Page:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        last = min(first + self.per_page, self.count)
        keys = self.object_list.values_list("pk", flat=True)
        if first > self.count // 2:
            found = list(keys.reverse()[self.count - last : self.count - first])[::-1]
        else:
            found = list(keys[first:last])
        rows = self.rows.in_bulk(found)
        return self._get_page([rows[key] for key in found if key in rows], number, self)
