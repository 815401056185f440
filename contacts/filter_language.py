"""The grammar of Business Central's filters: text in, a tree out. Knows no field and no database.

    filter   = all ("|" all)*                 | binds loosest
    all      = part ("&" part)*
    part     = "(" filter ")" | comparison | range
    comparison = ("=" | "<>" | "<" | "<=" | ">" | ">=")? value
    range    = value ".." value | value ".." | ".." value
    value    = "@"? (character | "*" | "?" | "'" anything "'")+

Inside '…' every character stands for itself, and '' for one quote. Within a word a quote is a letter (O'Brien).
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from django.utils.translation import gettext as _

LONGEST = 2_000
MOST_PARTS = 500  # SQLite refuses conditions of a thousand parts and more
DEEPEST = 20

OPERATORS = ("<>", "<=", ">=", "<", ">", "=")
WILDCARDS = "*?"
QUOTED = re.compile(r"'((?:[^']|'')*+)'")


class FilterError(ValueError):
    """The expression of `field` is wrong at the character `position` (counted from 0, at most its length)."""

    def __init__(self, field: str, position: int, message: str, expression: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.position = position
        self.message = message
        self.expression = expression

    @property
    def pointer(self) -> str:
        """The expression, and under it a caret at the character that is wrong."""
        one_line = "".join(" " if character.isspace() else character for character in self.expression)
        return f"{one_line}\n{' ' * self.position}^"


@dataclass(frozen=True)
class Value:
    """What a field is compared with. The characters of `text` at the places in `wild` are wildcards."""

    text: str
    position: int
    wild: frozenset[int] = frozenset()
    ignore_case: bool = False
    quoted: bool = False

    @property
    def glob(self) -> str:
        """The pattern for the lookup `glob`."""
        return "".join(
            f"[{character}]" if character in "*?[" and place not in self.wild else character
            for place, character in enumerate(self.text)
        )

    def changed_to(self, text: str) -> "Value":
        return Value(text, self.position, self.wild, self.ignore_case, self.quoted)


@dataclass(frozen=True)
class Comparison:
    operator: str
    value: Value


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; None is an open end."""

    low: Value | None
    high: Value | None


@dataclass(frozen=True)
class AllOf:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class AnyOf:
    parts: "tuple[Node, ...]"


Node = Comparison | Range | AllOf | AnyOf


def parse(field_name: str, expression: str) -> Node:
    """The tree of `expression`, which is not blank. Raises FilterError."""
    return Parser(field_name, expression).whole()


class Parser:
    """Reads `expression` from left to right, without going back."""

    def __init__(self, field_name: str, expression: str) -> None:
        self.field_name = field_name
        self.expression = expression
        self.at = 0
        self.depth = 0
        self.parts = 0
        if len(expression) > LONGEST:
            self.fail(LONGEST, _("A filter may have at most %(count)d characters.") % {"count": LONGEST})
        for position, character in enumerate(expression):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                self.fail(position, _("This character cannot be part of a filter."))

    def fail(self, position: int, message: str) -> NoReturn:
        raise FilterError(self.field_name, position, message, self.expression)

    def sees(self, text: str) -> bool:
        return self.expression.startswith(text, self.at)

    def takes(self, text: str) -> bool:
        """Step over `text` and the space behind it, if it comes next."""
        if not self.sees(text):
            return False
        self.at += len(text)
        self.skip_space()
        return True

    def skip_space(self) -> None:
        while self.at < len(self.expression) and self.expression[self.at].isspace():
            self.at += 1

    def whole(self) -> Node:
        self.skip_space()
        node = self.any_of()
        if self.at < len(self.expression):
            self.fail(self.at, self.stray())
        return node

    def any_of(self) -> Node:
        parts = [self.all_of()]
        while self.takes("|"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def all_of(self) -> Node:
        parts = [self.part()]
        while self.takes("&"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def part(self) -> Node:
        self.parts += 1
        if self.parts > MOST_PARTS:
            self.fail(self.at, _("A filter may have at most %(count)d parts.") % {"count": MOST_PARTS})
        if self.sees("("):
            return self.group()
        for operator in OPERATORS:
            if self.takes(operator):
                return self.comparison(operator)
        return self.range_or_value()

    def group(self) -> Node:
        opened = self.at
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(opened, _("There are too many parentheses inside each other."))
        self.takes("(")
        node = self.any_of()
        if self.at >= len(self.expression):
            self.fail(opened, _("This parenthesis is never closed."))
        if not self.takes(")"):
            self.fail(self.at, self.stray())
        self.depth -= 1
        return node

    def comparison(self, operator: str) -> Comparison:
        named = {"operator": operator}
        value = self.value(_("A value is missing after %(operator)s. For “not empty” write <>''.") % named)
        if self.sees(".."):
            self.fail(self.at, _("A range cannot follow %(operator)s.") % named)
        if value.wild and operator not in ("=", "<>"):
            self.fail(value.position, _("* and ? cannot follow %(operator)s.") % named)
        return Comparison(operator, value)

    def range_or_value(self) -> Comparison | Range:
        start = self.at
        low = None if self.sees("..") else self.value()
        if low and not self.takes(".."):
            return Comparison("=", low)
        if not low:
            self.takes("..")
        high = None if self.ends() else self.value()
        if low is None and high is None:
            self.fail(start, _("A range needs a value on at least one side of .."))
        if self.sees(".."):
            self.fail(self.at, _("A range has only two ends. Put a text that holds .. between quotes: 'a..b'."))
        for end in (low, high):
            if end and end.wild:
                self.fail(end.position, _("The ends of a range cannot hold * or ?."))
        return Range(low, high)

    def ends(self) -> bool:
        return self.at >= len(self.expression) or self.expression[self.at] in "|&)"

    def stops(self) -> bool:
        """Whether no more of a value can follow."""
        return self.at >= len(self.expression) or self.expression[self.at] in "|&()<>" or self.sees("..")

    def value(self, missing: str = "") -> Value:
        start = self.at
        ignore_case = self.takes("@")
        text, wild, quoted, previous = "", set(), False, ""
        while not self.stops():
            character = self.expression[self.at]
            if character == "'" and previous in ("", "wildcard"):
                text, quoted, previous = text + self.quote(), True, "quote"
                continue
            if character in WILDCARDS:
                wild.add(len(text))
                previous = "wildcard"
            elif previous == "quote":
                self.fail(self.at, _("Only * or ? may follow a closing quote. Write a quote inside quotes twice: ''."))
            else:
                previous = "letter"
            text += character
            self.at += 1
        text = text.rstrip() if previous == "letter" else text
        if not text and not quoted:
            self.fail(self.at, missing or self.stray())
        return Value(text, start, frozenset(wild), ignore_case, quoted)

    def quote(self) -> str:
        """The text between the quote that comes next and the one that closes it."""
        found = QUOTED.match(self.expression, self.at)
        if not found:
            self.fail(self.at, _("This quote is never closed."))
        self.at = found.end()
        self.skip_space()
        return found[1].replace("''", "'")

    def stray(self) -> str:
        """What is wrong with the character that comes next, or with the end."""
        if self.at >= len(self.expression):
            return _("A value is missing here. For “empty” write ''.")
        return _("“%(character)s” cannot stand here. If it belongs to the text, put the text between quotes: '…'.") % {
            "character": self.expression[self.at]
        }
