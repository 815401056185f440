"""What a part of a filter means for each kind of field: a comparison or a range in, a `Q` out."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, NoReturn

from django.db.models import Model, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django_countries.data import COUNTRIES

from contacts.countries import code_for, danish_name_for, name_for
from contacts.filter_dates import Period, period_of
from contacts.filter_language import Comparison, FilterError, Range, Value

LOOKUPS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
ME = {"%me", "%user", "%userid"}


class Kind(Enum):
    """How the values of a field are compared."""

    TEXT = "text"  # case-sensitive, unless the expression says @
    CODE = "code"  # stored in upper case, so that what is compared with it is made so
    LOOSE_CODE = "loose code"  # stored as it was written, so that case plays no part
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"
    COUNTRY = "country"
    USER = "user"


@dataclass(frozen=True)
class FilterField:
    """A field of a contact that a filter may be set on. `path` leads to what is compared."""

    name: str
    label: "str | Promise"
    kind: Kind
    path: str
    nullable: bool = False
    choices: tuple[tuple[Any, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Context:
    """What a part of a filter is read against: its field, its whole expression (for errors), and who `%me` is."""

    field: FilterField
    expression: str
    me: Model | None

    def fail(self, value: Value, message: str) -> NoReturn:
        raise FilterError(self.field.name, value.position, message, self.expression)


Part = Comparison | Range


def condition(part: Part, context: Context) -> Q:
    """The `Q` of one comparison or range. Raises FilterError where its values do not suit the field."""
    return COMPILERS[context.field.kind](part, context)


def values_of(part: Part) -> list[Value]:
    return [part.value] if isinstance(part, Comparison) else [end for end in (part.low, part.high) if end]


# --- Text and codes --------------------------------------------------------------------------------------------------


def text(part: Part, context: Context) -> Q:
    for value in values_of(part):
        if not value.quoted and value.text.lower() in ME:
            context.fail(value, _("%me means you as a salesperson; use it on Salesperson."))
    return compare_text(part, context.field.path, fold=any(value.ignore_case for value in values_of(part)))


def code(part: Part, context: Context) -> Q:
    q = compare_text(changed(part, str.upper), context.field.path)
    return or_blank(q, part, context.field.path) if context.field.nullable else q


def loose_code(part: Part, context: Context) -> Q:
    return compare_text(part, context.field.path, fold=True)


def compare_text(part: Part, path: str, *, fold: bool = False) -> Q:
    """The condition on a text column; with `fold`, upper and lower case are the same."""
    part = changed(part, str.lower) if fold else part
    ordered = f"{path}__folded" if fold else f"{path}__binary"
    if isinstance(part, Range):
        low = Q(**{f"{ordered}__gte": part.low.text}) if part.low else Q()
        return low & Q(**{f"{ordered}__lte": part.high.text}) if part.high else low
    if part.operator in LOOKUPS:
        return Q(**{f"{ordered}__{LOOKUPS[part.operator]}": part.value.text})
    base = f"{path}__folded" if fold else path
    q = Q(**{f"{base}__glob": part.value.glob}) if part.value.wild else Q(**{base: part.value.text})
    return ~q if part.operator == "<>" else q


def changed(part: Part, change: Callable[[str], str]) -> Part:
    """The same part with the text of its values changed."""
    if isinstance(part, Comparison):
        return Comparison(part.operator, part.value.changed_to(change(part.value.text)))
    low, high = ((end.changed_to(change(end.text)) if end else None) for end in (part.low, part.high))
    return Range(low, high)


def or_blank(q: Q, part: Part, path: str) -> Q:
    """`q`, which holds for no row without a related one, made to count such a row as blank text."""
    if isinstance(part, Comparison) and part.operator == "<>":
        return ~or_blank(~q, Comparison("=", part.value), path)
    return q | Q(**{f"{path}__isnull": True}) if blank_fits(part) else q


def blank_fits(part: Part) -> bool:
    if isinstance(part, Range):
        return part.low is None or not part.low.text
    match part.operator:
        case "=":
            return any_fits(part.value, [""])
        case ">":
            return False
        case ">=":
            return not part.value.text
        case "<":
            return bool(part.value.text)
        case _:
            return True


# --- Dates -----------------------------------------------------------------------------------------------------------


def dates(part: Part, context: Context) -> Q:
    """A period compares as a whole: `>2025` begins in 2026. A contact without the date is in no range."""
    path = context.field.path
    if isinstance(part, Range):
        low = Q(**{f"{path}__gte": bounds(part.low, context)[0]}) if part.low else Q()
        return low & Q(**{f"{path}__lt": bounds(part.high, context)[1]}) if part.high else low
    if not part.value.text and part.operator in ("=", "<>"):
        return Q(**{f"{path}__isnull": part.operator == "="})
    start, end = bounds(part.value, context)
    match part.operator:
        case "=":
            return Q(**{f"{path}__gte": start, f"{path}__lt": end})
        case "<>":
            return ~Q(**{f"{path}__gte": start, f"{path}__lt": end})
        case "<":
            return Q(**{f"{path}__lt": start})
        case "<=":
            return Q(**{f"{path}__lt": end})
        case ">":
            return Q(**{f"{path}__gte": end})
        case _:
            return Q(**{f"{path}__gte": start})


def bounds(value: Value, context: Context) -> tuple[date, date]:
    """The first moment of the period that `value` names, and the first after it, as the field stores them."""
    if value.wild:
        context.fail(value, _("* and ? do not work with dates. Use a range, such as 2026-01-01..2026-03-31."))
    period = period_of(value.text, timezone.localdate())
    if period is None:
        message = _("“%(text)s” is no date. Write 2026-05-31, 31-05-2026, 2026-05, 2026 or today-30d.")
        context.fail(value, message % {"text": value.text[:40]})
    if context.field.kind is Kind.MOMENT:
        return moments(period)
    if not period.is_whole_days:
        context.fail(value, _("This field holds a date without a time."))
    return period.start.date(), period.end.date()


def moments(period: Period) -> tuple[datetime, datetime]:
    return timezone.make_aware(period.start), timezone.make_aware(period.end)


# --- Choices, countries, people --------------------------------------------------------------------------------------


def choice(part: Part, context: Context) -> Q:
    names = ", ".join(spellings[0] for _stored, spellings in context.field.choices)
    if isinstance(part, Range) or part.operator in LOOKUPS:
        context.fail(values_of(part)[0], _("This field takes one of: %(names)s.") % {"names": names})
    fits = [stored for stored, spellings in context.field.choices if any_fits(part.value, spellings)]
    if not fits:
        context.fail(part.value, _("This field takes one of: %(names)s.") % {"names": names})
    return among(context.field.path, fits, part.operator)


def country(part: Part, context: Context) -> Q:
    """A code or a name, in English or Danish; wildcards fit either; order is by code."""
    path = context.field.path
    if isinstance(part, Range) or part.operator in LOOKUPS or not part.value.text:
        return compare_text(changed(part, str.upper), path)
    if part.value.wild:
        fits = [code for code in COUNTRIES if any_fits(part.value, (code, name_for(code), danish_name_for(code)))]
        if any_fits(part.value, [""]):
            fits.append("")
        return among(path, fits, part.operator)
    found = code_for(part.value.text)
    if found is None:
        message = _("No country is called “%(text)s”. Write its code or its name.")
        context.fail(part.value, message % {"text": part.value.text[:40]})
    return among(path, [found], part.operator)


def user(part: Part, context: Context) -> Q:
    """A user by code, `%me`, or an e-mail (which a user has even without a code)."""
    path = context.field.path
    if isinstance(part, Comparison) and part.operator in ("=", "<>") and not part.value.quoted:
        if part.value.text.lower() in ME:
            if context.me is None:
                context.fail(part.value, _("%me needs somebody who is signed in."))
            return among(path, [context.me.pk], part.operator)
        if "@" in part.value.text and not part.value.wild:
            q = Q(**{f"{path}__email__iexact": part.value.text})
            return ~q if part.operator == "<>" else q
    return or_blank(compare_text(changed(part, str.upper), f"{path}__code"), part, f"{path}__code")


def any_fits(value: Value, spellings: Iterable[str]) -> bool:
    pattern = re.compile(fnmatch.translate(value.glob), re.IGNORECASE)
    return any(pattern.match(spelling) for spelling in spellings)


def among(path: str, stored: list[Any], operator: str) -> Q:
    q = Q(**{f"{path}__in": stored})
    return ~q if operator == "<>" else q


COMPILERS: dict[Kind, Callable[[Part, Context], Q]] = {
    Kind.TEXT: text,
    Kind.CODE: code,
    Kind.LOOSE_CODE: loose_code,
    Kind.DATE: dates,
    Kind.MOMENT: dates,
    Kind.CHOICE: choice,
    Kind.COUNTRY: country,
    Kind.USER: user,
}
