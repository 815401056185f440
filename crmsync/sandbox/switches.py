"""Everything about the tenant that can be turned, with the default that the real service is known (or thought) to have.

Where Microsoft's behaviour is not established there is a switch, so that a client can be shown to be right both ways.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


def switch(default: Any, group: str, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"group": group, "text": text, "choices": choices})


SPEED, PAGES, DELTA, BATCH = "Speed", "Lists", "Changes", "Batches"
LIMITS, CONTACTS, FOLDERS, SIGN_IN = "Limits", "Contacts", "Folders", "Sign-in"


@dataclass(frozen=True)
class Switches:
    """The tenant's settings at one moment."""

    latency_ms: int = switch(0, SPEED, "Every answer comes this many milliseconds later (the way there and back).")
    item_ms: int = switch(
        0, SPEED, "Exchange takes this many milliseconds for each call, and for each item of a batch."
    )

    list_page: int = switch(10, PAGES, "Rows of a list without $top.")
    list_cap: int = switch(1000, PAGES, "Most rows of a list, whatever $top says.")

    delta_page: int = switch(10, DELTA, "Rows of a page of changes when the client asks for no size.")
    page_size: int = switch(200, DELTA, "Most rows of a page of changes, whatever the client asks for.")
    trailing_empty_page: bool = switch(False, DELTA, "A round of changes ends with a page of its own, without rows.")
    visibility_lag: float = switch(0.0, DELTA, "Seconds until a write is seen in changes and in filters.")
    visibility_polls: int = switch(0, DELTA, "How many times changes or filters must be asked until a write is seen.")
    generations: int = switch(3, DELTA, "How many of the latest links of one chain still work.")
    moved_back_hole: bool = switch(True, DELTA, "With immutable ids, out and back between two polls reads as deleted.")
    bare_removed: bool = switch(
        False, DELTA, "Created and deleted between two polls: a removal of an unknown id is sent."
    )
    delta_expand: bool = switch(False, DELTA, "$expand works on changes too (else it is refused).")

    batch_order: str = switch(
        "shuffled", BATCH, "In which order a batch is done and answered.", ("shuffled", "as_sent")
    )
    batch_strict: bool = switch(False, BATCH, "Only addresses relative to the version are taken.")
    batch_counts: bool = switch(False, BATCH, "The batch itself counts as a request besides its items.")

    throttle: bool = switch(False, LIMITS, "The limits below are enforced, each for one mailbox.")
    concurrency: int = switch(4, LIMITS, "Requests at the same time.")
    quota: int = switch(10_000, LIMITS, "Requests in a window.")
    quota_seconds: float = switch(600.0, LIMITS, "The length of that window.")
    upload_mb: float = switch(150.0, LIMITS, "Megabytes sent in a window.")
    upload_seconds: float = switch(300.0, LIMITS, "The length of that window.")
    retry_after: str = switch("1", LIMITS, "What Retry-After says: seconds, also fractional; empty leaves it out.")

    multi_value_code: str = switch("ErrorInvalidArgument", CONTACTS, "The error code for too many e-mails or phones.")
    home_phones: int = switch(2, CONTACTS, "Most home phones (0: any number).")
    im_addresses: int = switch(0, CONTACTS, "Most IM addresses (0: any number).")
    text_limit: int = switch(0, CONTACTS, "Longest text, notes excepted (0: any length).")
    unknown_properties: str = switch(
        "refuse", CONTACTS, "What to do with a property it doesn't know.", ("refuse", "ignore")
    )
    rebuild_display_name: str = switch(
        "names", CONTACTS, "An edit that doesn't send displayName builds it again.", ("names", "always", "never")
    )
    address_merge: bool = switch(
        False, CONTACTS, "A partly sent address keeps its other parts (else they are cleared)."
    )
    empty_birthday: str = switch("null", CONTACTS, "How no birthday reads.", ("null", "0001-01-01T08:00:00Z"))
    second_write: bool = switch(
        False, CONTACTS, "The server writes a new contact a second time, with a new change key."
    )
    if_match: bool = switch(True, CONTACTS, "If-Match is honoured.")
    patch_parent: str = switch("ignore", CONTACTS, "parentFolderId in an edit.", ("ignore", "move", "refuse"))
    extended_ids: str = switch(
        "as_sent", CONTACTS, "How the id of an extended property reads.", ("as_sent", "upper_guid", "null")
    )

    deleted_visible: bool = switch(
        True, FOLDERS, "With immutable ids, what lies in Deleted Items can be got and edited."
    )
    folder_enforced: bool = switch(False, FOLDERS, "A contact is found only in the folder that the address names.")
    list_default_folder: bool = switch(False, FOLDERS, "The list of folders holds the main Contacts folder too.")

    access_token_seconds: int = switch(3600, SIGN_IN, "How long an access token is good for.")
    strict_rotation: bool = switch(False, SIGN_IN, "A refresh token works once.")
    app_roles: str = switch("Contacts.ReadWrite", SIGN_IN, "The application permissions that an administrator granted.")

    def changed(self, values: dict[str, Any]) -> "Switches":
        """These switches with `values` put in; ValueError names what is not a switch or not a value of it."""
        known = {item.name: item for item in fields(self)}
        parsed = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no switch named {name}.")
            parsed[name] = _parsed(name, value, known[name].default, known[name].metadata["choices"])
        return replace(self, **parsed)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def turned(self) -> dict[str, Any]:
        """Only what differs from the default."""
        default = Switches()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}


def _parsed(name: str, value: Any, default: Any, choices: tuple[str, ...]) -> Any:
    try:
        if isinstance(default, bool):
            value = value if isinstance(value, bool) else str(value).lower() in {"1", "true", "on", "yes"}
        else:
            value = type(default)(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be {value!r}.") from error
    if (choices and value not in choices) or (isinstance(value, int | float) and value < 0):
        raise ValueError(f"{name} cannot be {value!r}.")
    return value
