"""What became of many contacts, in sentences."""

from collections.abc import Iterator
from typing import Any

from django.contrib.messages import constants
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from contacts.bulk import Named, Outcome

EXPORT = ngettext_lazy("Export %(shown)s contact", "Export %(shown)s contacts", "count")
SAME = ngettext_lazy("%(shown)s contact was so already.", "%(shown)s contacts were so already.", "count")
EDITED_MEANWHILE = ngettext_lazy(
    "%(shown)s contact was left alone, because somebody changed it meanwhile: %(names)s.",
    "%(shown)s contacts were left alone, because somebody changed them meanwhile: %(names)s.",
    "count",
)
COMPANIES = ngettext_lazy(
    "%(shown)s company was left alone, since only people have a company, a job title or a department: %(names)s.",
    "%(shown)s companies were left alone, since only people have a company, a job title or a department: %(names)s.",
    "count",
)


def counted(phrase: Any, count: int, **more: str) -> str:
    """A lazy plural with its number: `count` decides which, `shown` is how people write it."""
    return str(phrase % {"count": count, "shown": shown(count), **more})


def shown(count: int) -> str:
    return number_format(count, force_grouping=True)


def sentences(outcome: Outcome, done: Any) -> Iterator[tuple[int, str]]:
    """What to tell the person, each with the level of a message. `done` is the act's own plural."""
    if outcome.changed:
        yield constants.SUCCESS, counted(done, outcome.changed)
    if outcome.same:
        yield constants.INFO, counted(SAME, outcome.same)
    for phrase, named in ((EDITED_MEANWHILE, outcome.edited_meanwhile), (COMPANIES, outcome.companies)):
        if named.count:
            yield constants.WARNING, counted(phrase, named.count, names=listed(named))
    if outcome.broke_off:
        text = _(
            "It broke off: %(done)s of %(all)s contacts are done, the others are as they were. Do it again to go on."
        )
        yield constants.ERROR, text % {"done": shown(outcome.changed + outcome.same), "all": shown(outcome.confirmed)}


def listed(named: Named) -> str:
    """'Anne, Bo and 3 more'."""
    names = ", ".join(named.names)
    if more := named.count - len(named.names):
        return _("%(names)s and %(count)s more") % {"names": names, "count": shown(more)}
    return names
