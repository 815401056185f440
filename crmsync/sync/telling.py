"""Mail to a person whose sync is held: once for each held run. The sweep sends it.

Where no mail server is set nothing is sent, so that nobody's contacts end up in a server's log; the pages say it too.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import translation

from crmsync.sync import words
from crmsync.sync.choices import WAITING, Cause, Kind, Outcome
from crmsync.sync.models import SyncRun
from crmsync.sync.plan_page import lines_of
from crmsync.sync.verdicts import causes_of

logger = logging.getLogger(__name__)
MOST_AT_ONCE = 50
NAMED = 10
NEWS = timedelta(days=1)


def tell_of_held_runs(now: datetime) -> int:
    """Send what has not been sent; how many mails that were. One query while there is none."""
    if not settings.EMAIL_IS_SENT:
        return 0
    untold = SyncRun.objects.open().filter(outcome=Outcome.HELD, told_at=None, heartbeat_at__gte=now - NEWS)
    untold = untold.exclude(kind=Kind.UNDO)  # its user has just asked for it
    return sum(tell(run, now) for run in untold.select_related("setup__user")[:MOST_AT_ONCE])


def tell(run: SyncRun, now: datetime) -> bool:
    """Send the mail, unless another sweep does; one that cannot be sent is tried again by the next."""
    mine = SyncRun.objects.filter(pk=run.pk, outcome=Outcome.HELD)
    if not mine.filter(told_at=None).update(told_at=now):
        return False
    with translation.override(run.setup.user.language):
        subject, text = written(run)
    try:
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [run.setup.user.email])
    except OSError as error:  # smtplib's errors are of this kind
        logger.warning("run %s: the mail about it could not be sent: %s", run.pk, type(error).__name__)
        mine.update(told_at=None)
        return False
    return True


def written(run: SyncRun) -> tuple[str, str]:
    """Subject and text, in the language that is active."""
    leading = run.changes.filter(outcome__in=WAITING, leads=True).exclude(cause=Cause.ERASED)
    causes = causes_of(run)
    context = {
        "run": run,
        "name": run.setup.user.name,
        "sentences": [brake.sentence for brake in words.brakes(run)],
        "causes": causes,
        "lines": lines_of(run, list(leading.select_related("contact").order_by("pk")[:NAMED])),
        "more": max(sum(cause.count for cause in causes) - NAMED, 0),
        "address": f"{settings.BASE_URL}{run.get_absolute_url()}" if settings.BASE_URL else "",
    }
    subject = render_to_string("sync/email/held_subject.txt", context)
    return " ".join(subject.split()), render_to_string("sync/email/held_message.txt", context)
