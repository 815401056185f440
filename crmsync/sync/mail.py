"""Mails to people about their sync, in their language. Plain text: it reads well everywhere and tracks nobody."""

import logging
from collections.abc import Mapping
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

logger = logging.getLogger(__name__)
HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def send(user: Any, template: str, context: Mapping[str, Any]) -> bool:
    """Mail `templates/mail/{template}.txt` to `user`; its first line is the subject. Whether it was handed over.

    A page's path goes in as `url` and comes out as a link, where CRMSYNC_BASE_URL says what it begins with.
    """
    if not (settings.EMAIL_IS_SENT and user.email):
        return False
    with translation.override(user.language):
        link = settings.BASE_URL + context["url"] if settings.BASE_URL and context.get("url") else ""
        text = render_to_string(f"mail/{template}.txt", {"user": user, **context, "link": link})
    subject, _newline, body = text.strip().partition("\n")
    try:
        return bool(EmailMessage(subject.strip(), f"{body.strip()}\n", to=[user.email], headers=HEADERS).send())
    except (SMTPException, OSError) as error:
        logger.warning("the mail %s to user %s was not sent: %s", template, user.pk, type(error).__name__)
        return False
