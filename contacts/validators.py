"""What may be typed into a contact. Checked where people or files bring values in; the sync has its own rules."""

import re
from datetime import date

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from email_validator import EmailNotValidError, validate_email

WEB_ADDRESS = re.compile(r"(https?://)?[^\s/?#:@.<>\"]+(\.[^\s/?#:@.<>\"]+)+(:\d+)?([/?#][^\s<>\"]*)?", re.IGNORECASE)


def email_address(value: str) -> None:
    """An address that mail could reach, as far as its form tells."""
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError as error:
        message = _("“%(value)s” is not an e-mail address.")
        raise ValidationError(message, code="email", params={"value": value[:80]}) from error


def web_address(value: str) -> None:
    """https://…, http://… or the same without it, such as www.fabrikam.example; never another scheme."""
    if not WEB_ADDRESS.fullmatch(value):
        raise ValidationError(_("Write a web address, such as https://www.fabrikam.example."), code="web_address")


def no_future_date(value: date) -> None:
    if value > timezone.localdate():
        raise ValidationError(_("A birthday cannot be in the future."), code="future")


def web_link(value: str) -> str:
    """What a link to `value` leads to, or '' where it is no web address: nothing else ever becomes a link."""
    if not WEB_ADDRESS.fullmatch(value):
        return ""
    return value if value.lower().startswith(("http://", "https://")) else f"https://{value}"
