"""Which entry of the rail a page belongs to."""

from django.urls import ResolverMatch

BY_APP = {"contacts": "contacts", "exchange_setup": "setup", "sync": "runs", "users": "users"}
BY_VIEW = {  # where that is another than its app's
    "home": "home",
    "exchange_setup:defaults": "settings",
    "sync:contact-why": "contacts",
    "sync:erase": "contacts",
    "sync:reassign": "contacts",
    "sync:start": "contacts",
    "sync:disconnect": "setup",
    "sync:status": "status",
    "sync:mailbox-list": "mailboxes",
    "sync:mailbox-detail": "mailboxes",
    "sync:mailbox-close": "mailboxes",
    "sync:erasure-list": "mailboxes",
    "sync:erasure-detail": "mailboxes",
}
FOR_ADMINISTRATORS = {"sync:reassign": "mailboxes"}


def place_of(match: ResolverMatch | None, *, is_administrator: bool = False, of_another: bool = False) -> str:
    """One of the names above; "" for a page that no entry leads to. `of_another`: it is about somebody else's run."""
    if match is None:
        return ""
    if of_another:
        return "mailboxes"
    for_them = FOR_ADMINISTRATORS.get(match.view_name) if is_administrator else None
    return for_them or BY_VIEW.get(match.view_name) or BY_APP.get(match.app_name, "")
