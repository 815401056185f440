"""Which entry of the rail a page belongs to."""

from django.urls import ResolverMatch

BY_APP = {"contacts": "contacts", "exchange_setup": "setup", "sync": "runs", "users": "users"}
BY_VIEW = {  # where that is another than its app's
    "home": "home",
    "exchange_setup:defaults": "settings",
    "sync:contact-why": "contacts",
    "sync:erase": "contacts",
    "sync:reassign": "contacts",
    "sync:disconnect": "setup",
    "sync:status": "status",
    "sync:mailbox-list": "mailboxes",
    "sync:mailbox-detail": "mailboxes",
    "sync:mailbox-close": "mailboxes",
    "sync:erasure-list": "mailboxes",
    "sync:erasure-detail": "mailboxes",
}


def place_of(match: ResolverMatch | None) -> str:
    """One of the names above; "" for a page that no entry leads to."""
    if match is None:
        return ""
    return BY_VIEW.get(match.view_name) or BY_APP.get(match.app_name, "")
