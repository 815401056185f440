"""What went wrong with Microsoft 365, in words for the person who can do something about it."""

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from exchange_setup.graph import errors
from exchange_setup.graph.errors import GraphError
from exchange_setup.graph.login import Refusal
from exchange_setup.mailbox import is_configured, uses_application_access
from exchange_setup.models import ExchangeSync, Trouble

Text = str | Promise


@dataclass(frozen=True)
class Action:
    """The one button that mends a trouble; it posts to the URL of that name."""

    caption: Text
    url_name: str


@dataclass(frozen=True)
class Advice:
    """What happened, what the reader can do, and the button for it where the setup page has one."""

    happened: Text
    can_do: Text
    action: Action | None = None

    def __str__(self) -> str:
        return f"{self.happened} {self.can_do}"


ASK_ADMINISTRATOR = _("Ask an administrator; what Microsoft 365 said is below.")

ADVICE: dict[type[GraphError], Advice] = {
    errors.NeedsSignIn: Advice(
        _("Microsoft 365 no longer accepts the sign-in to this mailbox."), _("Connect Microsoft 365 again.")
    ),
    errors.AccessDenied: Advice(
        _("Microsoft 365 does not let the CRM into the contacts of this mailbox."),
        _("Connect again and agree to what is asked; if that does not help, ask an administrator for the permission."),
    ),
    errors.MailboxUnavailable: Advice(
        _("Microsoft 365 has no mailbox for this account, or it is not ready yet."),
        _("A new mailbox takes up to a quarter of an hour. If it takes longer, ask an administrator for a licence."),
    ),
    errors.MailboxChanged: Advice(
        _("The user card now names another mailbox."), _("Say below that it is the one to sync from now on.")
    ),
    errors.FolderGone: Advice(
        _("The folder is no longer in the mailbox."), _("Have it made again, or choose another folder.")
    ),
    errors.QuotaFull: Advice(_("The mailbox is full."), _("Make room in Outlook, then try again.")),
    errors.Throttled: Advice(
        _("Microsoft 365 is busy and asks us to come back later."), _("Try again in a few minutes.")
    ),
    errors.Unreachable: Advice(
        _("Microsoft 365 did not answer."), _("Try again in a few minutes; if it happens again, ask an administrator.")
    ),
    errors.BadAnswer: Advice(
        _("Microsoft 365 sent an answer that makes no sense."),
        _("Try again in a few minutes; if it happens again, ask an administrator."),
    ),
    errors.WrongConfiguration: Advice(
        _("Microsoft 365 does not accept this CRM's app registration."), ASK_ADMINISTRATOR
    ),
    errors.ResyncRequired: Advice(_("Microsoft 365 has forgotten where we were."), _("Try again.")),
    errors.NotFound: Advice(_("Outlook no longer has the contact."), _("Try again.")),
    errors.Refused: Advice(_("Outlook refused it."), ASK_ADMINISTRATOR),
    errors.ChangedMeanwhile: Advice(_("Somebody changed the contact meanwhile."), _("Try again.")),
    errors.OutcomeUnknown: Advice(_("Microsoft 365 did not answer."), _("Try again in a few minutes.")),
}

# The organisation connects every mailbox at once: nobody here can sign in to mend it.
FOR_APPLICATION_ACCESS = Advice(
    _("Microsoft 365 does not let the CRM into this mailbox."),
    _("Your organisation connects the mailboxes: ask an administrator to look at the app's permission for this one."),
)


def describe(error: GraphError) -> Advice:
    """What an error means to the person at the setup page."""
    if uses_application_access() and isinstance(error, errors.NeedsSignIn | errors.AccessDenied):
        return FOR_APPLICATION_ACCESS
    return next(ADVICE[kind] for kind in type(error).__mro__ if kind in ADVICE)


ERROR_OF_TROUBLE = {kind.trouble: kind for kind in errors.RunError.__subclasses__() if kind.trouble}

NO_TENANT = Advice(
    _("This CRM is not joined to Microsoft 365 yet."),
    _("An administrator has to register it there first; the guide “Connecting Microsoft 365” shows how."),
)

CONNECT = Action(_("Connect again"), "exchange_setup:connect")
CONNECT_NEW = Action(_("Connect the new mailbox"), "exchange_setup:connect")
MOVE = Action(_("Use the new mailbox"), "exchange_setup:move")
CHECK = Action(_("Check again"), "exchange_setup:validate")

ACTIONS = {
    Trouble.NEEDS_SIGN_IN: CONNECT,
    Trouble.ACCESS_DENIED: CONNECT,
    Trouble.MAILBOX_UNAVAILABLE: CHECK,
    Trouble.QUOTA_FULL: CHECK,
    Trouble.FOLDER_GONE: Action(_("Make the folder again"), "exchange_setup:folder-again"),
    Trouble.MAILBOX_CHANGED: CHECK,
}


def trouble_of(setup: ExchangeSync) -> Advice | None:
    """Why the setup cannot sync, with the button that mends it; None while nothing stands in its way."""
    if not is_configured():
        return NO_TENANT
    mailbox = setup.user.authentication_email
    if not setup.belongs_to(mailbox):
        moved = gettext("Your user card now names %(new)s, but this setup belongs to %(old)s.")
        afresh = _("Contacts that are in the old mailbox stay there. The new one starts with a folder of its own.")
        return Advice(
            moved % {"new": mailbox, "old": setup.mailbox}, afresh, MOVE if uses_application_access() else CONNECT_NEW
        )
    if setup.trouble == Trouble.FOLDER_GONE:
        gone = gettext("The folder “%(folder)s” is no longer in your mailbox. Nothing was deleted in the CRM for it.")
        again = _("Have it made again and filled from the CRM, or choose another folder in step 2.")
        return Advice(gone % {"folder": setup.folder_name}, again, ACTIONS[Trouble.FOLDER_GONE])
    if setup.trouble not in ACTIONS:
        return None
    action = ACTIONS[Trouble(setup.trouble)]
    if action is CONNECT and uses_application_access():
        action = CHECK
    return replace(describe(ERROR_OF_TROUBLE[setup.trouble]()), action=action)


REFUSALS: dict[Refusal, Text] = {
    Refusal.OTHER_SIGN_IN: _(
        "This sign-in was begun elsewhere: in another tab, or some time ago. Nothing was connected; begin again here."
    ),
    Refusal.REFUSED: _(
        "You did not agree that the CRM may use your contacts, so nothing was connected. Connect again when you do."
    ),
    Refusal.CONSENT: _(
        "In your organisation an administrator of Microsoft 365 must agree first. Nothing was connected; "
        "ask them to approve this CRM, then connect again."
    ),
    Refusal.NOT_ASSIGNED: _(
        "Your account may not use this CRM's app in Microsoft 365. Nothing was connected; "
        "ask an administrator of Microsoft 365 to assign you to it."
    ),
    Refusal.OTHER_TENANT: _(
        "That account belongs to another organisation. Nothing was connected; sign in with your account at work."
    ),
    Refusal.NOT_FOR_US: _(
        "What came back from Microsoft 365 was not meant for this CRM. Nothing was connected; begin again, "
        "and if it happens again tell an administrator."
    ),
    Refusal.EXPIRED: _("The sign-in took too long and has run out. Nothing was connected; begin again."),
    Refusal.FAILED: _("Microsoft 365 did not complete the sign-in. Nothing was connected; try again in a few minutes."),
}
