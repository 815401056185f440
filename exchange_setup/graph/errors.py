"""What can go wrong with Microsoft Graph, sorted by what the caller does next.

GraphError
├─ RunError                  stop the run; everything stays as agreed
│  ├─ NeedsSignIn            the user signs in again
│  ├─ AccessDenied           somebody grants the permission
│  ├─ MailboxUnavailable     somebody gives the account a mailbox, or time passes
│  ├─ MailboxChanged         the user says which mailbox it is from now on
│  ├─ FolderGone             the user chooses: make it again, or another one
│  ├─ QuotaFull              the user makes room
│  ├─ Throttled              try again after `retry_after` seconds
│  ├─ Unreachable            try again later
│  ├─ BadAnswer              try again later; if it stays, a developer looks
│  └─ WrongConfiguration     an administrator mends the app registration
├─ ResyncRequired            the delta link is dead: read the folder afresh
└─ ItemError                 this one item failed; the run goes on
   ├─ NotFound               the item is not there (any more)
   ├─ Refused                Outlook does not take this item as it is
   ├─ ChangedMeanwhile       somebody edited it since it was read: read again
   └─ OutcomeUnknown         a create whose answer was lost: look for its marker

`str(error)` is for the log and the details line, in English; the words for people are elsewhere.
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class GraphError(Exception):
    """Everything that this package raises on purpose.

    `maybe_done`: what was asked for may have been carried out all the same, in whole or in part. An answer says that it
    was not; a lost one, or a failure of Outlook's at an earlier try, leaves it open.
    """

    maybe_done = False


class RunError(GraphError):
    """Stops the run. `trouble` is the lasting state that a person must mend, '' where time mends it.

    A batch that stops half-way says in `answers` what its calls had answered by then, in the order of the calls, with
    None for those whose outcome is not known.
    """

    trouble: ClassVar[str] = ""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.answers: Sequence[dict[str, Any] | ItemError | None] = ()


class NeedsSignIn(RunError):
    """`claims` is what Microsoft demands of the next sign-in (a JSON text for msal), '' for nothing special."""

    trouble = "needs_sign_in"

    def __init__(self, detail: str = "", *, claims: str = "") -> None:
        super().__init__(detail)
        self.claims = claims


class AccessDenied(RunError):
    trouble = "access_denied"


class MailboxUnavailable(RunError):
    trouble = "mailbox_unavailable"


class MailboxChanged(RunError):
    trouble = "mailbox_changed"


class FolderGone(RunError):
    trouble = "folder_gone"


class QuotaFull(RunError):
    trouble = "quota_full"


class Throttled(RunError):
    """`retry_after` is in seconds, from now."""

    def __init__(self, retry_after: float, detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unreachable(RunError):
    pass


class BadAnswer(RunError):
    maybe_done = True


class WrongConfiguration(RunError):
    pass


class ResyncRequired(GraphError):
    pass


class ItemError(GraphError):
    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(ItemError):
    pass


class Refused(ItemError):
    """`code` and `message` are Graph's own."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message = code, message


class ChangedMeanwhile(ItemError):
    pass


class OutcomeUnknown(ItemError):
    maybe_done = True
