"""What an open run is called in its dialog, by its kind; and what is said where it was open already."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crmsync.sync.choices import Kind
from crmsync.sync.models import SyncRun

Text = str | Promise

TITLES: dict[str, Text] = {
    Kind.SYNC: _("Sync with Microsoft 365"),
    Kind.FULL: _("Full sync with Microsoft 365"),
    Kind.PREVIEW: _("Preview"),
    Kind.UNDO: Kind.UNDO.label,
    Kind.VERIFY: _("Compare both sides"),
    Kind.REMOVAL: _("Removal from Outlook"),
}
WHOLE_TITLES: dict[str, Text] = {Kind.SYNC: TITLES[Kind.FULL], Kind.PREVIEW: _("Preview of a full sync")}

OPEN_ALREADY = _("This one was already open, so no other was started.")
FILTER_NOT_SAVED = _("This one was already open, so no other was started and your filter was not saved.")
NO_COMPARISON = _("This one was already open, so no comparison was started.")


def title(run: SyncRun) -> Text:
    whole = WHOLE_TITLES.get(run.kind) if run.whole else None
    return whole or TITLES[run.kind]


def is_sync(run: SyncRun) -> bool:
    """Whether people would call it a sync: it brings both sides up to date, and is neither a look nor an undo."""
    return run.kind in (Kind.SYNC, Kind.FULL)
