"""How long something took, as people write it: a number never parts from its unit."""

from datetime import timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext as _

SHORTEST = timedelta(seconds=1)  # whatever is shorter is no news


def unbroken(text: str) -> str:
    """`text` on one line: a number does not part from its unit."""
    return text.replace(" ", "\u00a0")


def duration(span: timedelta | None) -> str:
    """'4.2 s', '2 min 5 s' or '1 h 3 min'; '' for less than a second, and for a run that has not ended."""
    if span is None or span < SHORTEST:
        return ""
    seconds = span.total_seconds()
    if seconds < 60:
        return unbroken(_("%(seconds)s s") % {"seconds": number_format(seconds, 1)})
    minutes, seconds = divmod(int(seconds), 60)
    if minutes < 60:
        return unbroken(_("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds})
    return unbroken(_("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60})
