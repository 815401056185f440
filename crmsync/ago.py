"""Django's own words for how long ago something was, and how soon it will be.

Named here so that locale/ has Danish for them: Django's says "et minut siden", ours "for et minut siden".
"""

from django.utils.translation import gettext_lazy, ngettext_lazy

# As django.contrib.humanize writes them, with a non-breaking space after each number.
WORDS = [
    gettext_lazy("%(delta)s ago"),
    ngettext_lazy("an hour ago", "%(count)s hours ago", "count"),
    ngettext_lazy("a minute ago", "%(count)s minutes ago", "count"),
    ngettext_lazy("a second ago", "%(count)s seconds ago", "count"),
    gettext_lazy("%(delta)s from now"),
]
