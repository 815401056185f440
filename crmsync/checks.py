"""System checks: every wrong setting is one error with an id and a hint, at `manage.py check`."""

from collections.abc import Iterable
from datetime import date

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

IDS = {
    "CRMSYNC_SECRET_KEY": "crmsync.E001",
    "CRMSYNC_ENCRYPTION_KEYS": "crmsync.E002",
    "DATABASE_URL": "crmsync.E003",
    "M365_LOGIN_URL": "crmsync.E004",
    "M365_GRAPH_URL": "crmsync.E005",
    "M365_ACCESS": "crmsync.E006",
    "M365_CLIENT_SECRET": "crmsync.E007",
    "CRMSYNC_BASE_URL": "crmsync.E008",
    "M365_CLIENT_SECRET_EXPIRES": "crmsync.E010",
}
OTHER = "crmsync.E099"
SECRET_WARNING_DAYS = 30


def environment(**kwargs: object) -> list[CheckMessage]:
    """Values that could not be read."""
    return [
        Error(f"{problem.variable} {problem.message}.", hint=problem.hint, id=IDS.get(problem.variable, OTHER))
        for problem in settings.ENVIRONMENT.problems
    ]


def secrets(**kwargs: object) -> list[CheckMessage]:
    """The two keys without which nothing may be stored."""
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == "unset":
        hint = "Set it to a long random text, such as: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        found.append(Error("CRMSYNC_SECRET_KEY is not set.", hint=hint, id=IDS["CRMSYNC_SECRET_KEY"]))
    if not settings.ENCRYPTION_KEYS or not all(is_fernet_key(key) for key in settings.ENCRYPTION_KEYS):
        hint = (
            "Set it to one or more Fernet keys with commas between, the newest first; make one with: "
            "python3 -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        )
        found.append(
            Error("CRMSYNC_ENCRYPTION_KEYS is missing or wrong.", hint=hint, id=IDS["CRMSYNC_ENCRYPTION_KEYS"])
        )
    return found


def microsoft365(**kwargs: object) -> Iterable[CheckMessage]:
    """The app registration: all of it or none of it; a common tenant is no tenant of ours."""
    names = ["M365_TENANT_ID", "M365_CLIENT_ID", "M365_CLIENT_SECRET"]
    missing = [name for name in names if not getattr(settings, name)]
    if missing and len(missing) < len(names):
        yield Error(
            f"{', '.join(missing)} not set, though the rest of the app registration is.",
            hint="Set all three; docs/microsoft-365.md shows where each is found.",
            id=IDS["M365_CLIENT_SECRET"],
        )
    if settings.M365_TENANT_ID in {"common", "organizations", "consumers"}:
        yield Error(
            "M365_TENANT_ID names no tenant.",
            hint="Use your own tenant's id; with 'common' anybody with a Microsoft account could sign in.",
            id="crmsync.E009",
        )
    if len(missing) == len(names):
        yield Warning(
            "No Microsoft 365 tenant is set, so nobody can connect a mailbox.",
            hint="Follow docs/microsoft-365.md, or rehearse with `make demo`.",
            id="crmsync.W001",
        )


def base_url(**kwargs: object) -> Iterable[CheckMessage]:
    if settings.BASE_URL and not settings.BASE_URL.startswith(("http://", "https://")):
        yield Error(
            "CRMSYNC_BASE_URL is not an address.",
            hint="Use the address that people open, such as https://crm.example.com.",
            id=IDS["CRMSYNC_BASE_URL"],
        )


def secret_expiry(**kwargs: object) -> Iterable[CheckMessage]:
    """A client secret that runs out soon, or has: without it nobody's contacts sync."""
    expires = settings.M365_CLIENT_SECRET_EXPIRES
    if expires and (days := (expires - date.today()).days) <= SECRET_WARNING_DAYS:
        yield Warning(
            f"The client secret {'expires' if days >= 0 else 'expired'} on {expires:%Y-%m-%d}.",
            hint="Add a new one to the app registration, set M365_CLIENT_SECRET and M365_CLIENT_SECRET_EXPIRES to it.",
            id="crmsync.W002",
        )


def mail(**kwargs: object) -> Iterable[CheckMessage]:
    """A mail server that would be given a sender of which it knows nothing."""
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and settings.DEFAULT_FROM_EMAIL.endswith("@localhost"):
        yield Warning(
            "CRMSYNC_EMAIL_HOST is set, but CRMSYNC_FROM_EMAIL is not.",
            hint="Set it to an address that the mail server may send from.",
            id="crmsync.W003",
        )


def is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


ALL = (environment, secrets, microsoft365, base_url, secret_expiry, mail)
