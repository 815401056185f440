"""Comparing text alike on SQLite and PostgreSQL, whatever the database's own collation thinks of case.

| lookup | is |
|---|---|
| `field__glob="A?b*"` | the whole text fits: `*` any run, `?` one character, `[*]` a star; case-sensitive |
| `field__binary__gte="A"` | order by code point, upper case before lower |
| `field__folded="anne"` | the text in lower case, beyond ASCII too; takes `__glob`, `__gte`, `__contains`, … |
| `field__anycase="ørg"` | this is in the text, in any case, beyond ASCII too; on SQLite faster than by `folded` |
"""

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.models import CharField, Func, Lookup, TextField, Transform
from django.db.models.lookups import IContains


class Joined(Func):
    """Texts, none of them NULL, one after the other. Flat and immutable, as a generated column must be."""

    template = "(%(expressions)s)"
    arg_joiner = " || "
    output_field = TextField()


class Unindexed(Func):
    """A column that SQLite looks up in no index; it has no statistics, and would take one that holds every row."""

    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


class Glob(Lookup):
    lookup_name = "glob"

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        """SQLite's own operator; elsewhere LIKE, which PostgreSQL keeps case-sensitive."""
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        if connection.vendor == "sqlite":
            return f"{left} GLOB {right}", [*left_params, *right_params]
        return f"{left} LIKE {right}", [*left_params, *(like_of(str(pattern)) for pattern in right_params)]


class AnyCase(Lookup):
    lookup_name = "anycase"

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return IContains(self.lhs, self.rhs).as_sql(compiler, connection)

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        """LIKE, to which "Ø" and "ø" differ: where one of such stands it takes any, and GLOB then knows both."""
        text = str(self.rhs)
        left, params = self.process_lhs(compiler, connection)
        wild = "".join("_" if is_two_to_like(letter) else connection.ops.prep_for_like_query(letter) for letter in text)
        like, like_params = f"{left} LIKE %s ESCAPE '\\'", [*params, f"%{wild}%"]
        if not any(map(is_two_to_like, text)):
            return like, like_params
        return f"{like} AND {left} GLOB %s", [*like_params, *params, f"*{in_any_case(text)}*"]


class Binary(Transform):
    lookup_name = "binary"
    template = '%(expressions)s COLLATE "C"'

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """As it is: SQLite compares by code point."""
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


class Folded(Transform):
    lookup_name = "folded"
    template = 'LOWER(%(expressions)s) COLLATE "C"'

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """By a function of ours: SQLite's own LOWER leaves every letter beyond ASCII alone."""
        return self.as_sql(compiler, connection, template="CRM_FOLD(%(expressions)s)", **context)


def in_known_case(text: str) -> str:
    """`text`, in lower case where it has letters of which LOWER, and an index by it, need not know the other case."""
    return text if text.isascii() else text.lower()


def is_two_to_like(letter: str) -> bool:
    """Whether SQLite's LIKE, which knows the case of ASCII letters only, tells its cases apart."""
    return not letter.isascii() and letter.lower() != letter.upper()


def in_any_case(text: str) -> str:
    """The pattern of GLOB that fits `text` however its letters are written."""
    return "".join(in_either_case(letter) for letter in text)


def in_either_case(letter: str) -> str:
    cases = sorted({case for case in (letter, letter.upper(), letter.lower()) if len(case) == 1})
    return f"[{''.join(cases)}]" if len(cases) > 1 or letter in "*?[" else letter


def like_of(glob: str) -> str:
    """The pattern of LIKE that fits the same texts as `glob`."""
    parts = re.findall(r"\[.\]|.", glob, re.DOTALL)
    return "".join(
        WILDCARDS.get(part) or LIKE_SPECIAL.sub(r"\\\g<0>", part[1] if len(part) == 3 else part) for part in parts
    )


def fold(text: str | None) -> str | None:
    return None if text is None else text.lower()


def prepare_sqlite(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Receiver of `connection_created`: give SQLite the function behind `folded`."""
    if isinstance(connection, SQLite):
        connection.connection.create_function("CRM_FOLD", 1, fold, deterministic=True)


WILDCARDS = {"*": "%", "?": "_"}
LIKE_SPECIAL = re.compile(r"[\\%_]")

for text_field in (CharField, TextField):
    for lookup in (AnyCase, Glob, Binary, Folded):
        text_field.register_lookup(lookup)
