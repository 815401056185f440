"""Filters on contacts, in Business Central's own language: one expression per field, all of which must hold.

`as_q` is the only reading of a filter: the Contacts list, the setup page, the sync dialog, the engine and the commands
all use it. docs/filters.md explains the language; `filter_language` parses it and `filter_kinds` gives it meaning.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Exists, Field, Model, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.filter_dates import is_relative
from contacts.filter_kinds import ME, Context, FilterField, Kind, condition, values_of
from contacts.filter_language import AllOf, AnyOf, FilterError, Node, Value, parse
from contacts.models import Contact

__all__ = [
    "FIELDS", "READY_FIELDS", "Clause", "FilterError", "FilterField", "Kind", "as_q", "clauses", "held_by", "literal",
    "moves_on", "names_people",
]  # fmt: skip

KINDS = {
    "number": Kind.CODE,
    "type": Kind.CHOICE,
    "company": Kind.CODE,
    "post_code": Kind.LOOSE_CODE,
    "country": Kind.COUNTRY,
    "territory": Kind.LOOSE_CODE,
    "salesperson": Kind.USER,
    "birthday": Kind.DATE,
    "privacy_blocked": Kind.CHOICE,
    "created_at": Kind.MOMENT,
    "modified_at": Kind.MOMENT,
    "modified_by": Kind.USER,
}
PATHS = {"company": "company__number"}
LABELS = {"company": gettext_lazy("Company no.")}
CHOICES: dict[str, tuple[tuple[Any, tuple[str, ...]], ...]] = {
    "type": (("person", ("Person",)), ("company", ("Company", "Virksomhed"))),
    "privacy_blocked": (
        (True, ("Yes", "Ja", "True", "Sand", "1")),
        (False, ("No", "Nej", "False", "Falsk", "0")),
    ),
}
NAMES = [
    "number", "type", "name", "first_name", "middle_name", "surname", "initials", "title", "job_title", "department",
    "company", "company_name", "email", "email_2", "email_3", "phone", "phone_2", "mobile_phone", "home_phone", "fax",
    "home_page", "address", "address_2", "city", "county", "post_code", "country", "territory", "salesperson",
    "birthday", "notes", "privacy_blocked", "created_at", "modified_at", "modified_by",
]  # fmt: skip
# The fields that Business Central's own filter page begins with.
READY_FIELDS = ["territory", "company", "salesperson", "city", "county", "post_code", "country"]


def _field(name: str) -> FilterField:
    column = cast("Field[Any, Any]", Contact._meta.get_field(name))
    return FilterField(
        name=name,
        label=LABELS.get(name, column.verbose_name),
        kind=KINDS.get(name, Kind.TEXT),
        path=PATHS.get(name, name),
        nullable=column.null,
        choices=CHOICES.get(name, ()),
    )


FIELDS: dict[str, FilterField] = {name: _field(name) for name in NAMES}


@dataclass(frozen=True)
class Clause:
    """One field's part of a filter: its expression, and the condition on `Contact` that it sets."""

    field: FilterField
    expression: str
    q: Q


def clauses(contact_filter: Mapping[str, str], me: Model | None) -> list[Clause]:
    """The parts of `contact_filter` (field name → expression), all of which must hold; blank ones set nothing.

    `me` is the user that `%me` stands for. Raises FilterError.
    """
    parts = [(name, expression, _expression_as_q(name, expression, me)) for name, expression in contact_filter.items()]
    return [Clause(FIELDS[name], expression, q) for name, expression, q in parts if q]


def as_q(contact_filter: Mapping[str, str], me: Model | None) -> Q:
    """The condition on `Contact` that all of `clauses` set together. Raises FilterError."""
    return Q(*(clause.q for clause in clauses(contact_filter, me)))


def moves_on(contact_filter: Mapping[str, str]) -> bool:
    """Whether a date in the filter is another one tomorrow, as in `today-30d..`. Raises FilterError."""
    return any(is_relative(value.text) for value in compared(contact_filter, Kind.DATE, Kind.MOMENT))


def names_people(contact_filter: Mapping[str, str]) -> bool:
    """Whether the filter knows users by their codes or e-mails, which may change. Raises FilterError."""
    return any(value.quoted or value.text.lower() not in ME for value in compared(contact_filter, Kind.USER))


def compared(contact_filter: Mapping[str, str], *kinds: Kind) -> Iterator[Value]:
    """What fields of these kinds are compared with."""
    for name, expression in contact_filter.items():
        if KINDS.get(name) in kinds and expression.strip():
            yield from _values(parse(name, expression))


def held_by(contact: Contact, parts: Iterable[Clause]) -> list[bool]:
    """Which of `parts` hold for `contact` as it is stored. One query, none without parts."""
    tests = {f"part_{at}": Exists(Contact.objects.filter(part.q, pk=OuterRef("pk"))) for at, part in enumerate(parts)}
    row = Contact.objects.filter(pk=contact.pk).values_list(*tests.values()).first() if tests else ()
    return [bool(held) for held in row] if row is not None else [False] * len(tests)


def literal(text: str) -> str:
    """An expression that finds exactly `text`."""
    return "'" + text.replace("'", "''") + "'"


def _expression_as_q(name: str, expression: str, me: Model | None) -> Q:
    if name not in FIELDS:
        raise FilterError(name, 0, _("Contacts have no field “%(name)s”.") % {"name": name})
    if not isinstance(expression, str):
        raise FilterError(name, 0, _("A filter is a text."))
    if not expression.strip():
        return Q()
    return _as_q(parse(name, expression), Context(FIELDS[name], expression, me))


def _values(node: Node) -> list[Value]:
    if isinstance(node, AllOf | AnyOf):
        return [value for part in node.parts for value in _values(part)]
    return values_of(node)


def _as_q(node: Node, context: Context) -> Q:
    if isinstance(node, AllOf | AnyOf):
        connector = Q.AND if isinstance(node, AllOf) else Q.OR
        return Q.create([_as_q(part, context) for part in node.parts], connector=connector)
    return condition(node, context)
