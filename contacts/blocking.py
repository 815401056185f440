"""Who was erased on request must not come back by an import or a sync: their e-mails, as keyed hashes alone.

Nobody can read an e-mail out of a hash without the key (`CRMSYNC_ERASURE_KEY`), nor try out likely ones.
"""

import hashlib
import hmac
from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.utils import timezone


class BlockedEmail(models.Model):
    """One e-mail that is not taken in again. By hand somebody can still be added, since then a person decides."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.digest[:12]


def digest(email: str) -> str:
    """The keyed hash of an e-mail, in which case plays no part."""
    return hmac.new(settings.ERASURE_KEY.encode(), email.strip().lower().encode(), hashlib.sha256).hexdigest()


def block(emails: Iterable[str]) -> list[str]:
    """Take none of these in again; their hashes."""
    digests = sorted({digest(email) for email in emails if email.strip()})
    BlockedEmail.objects.bulk_create([BlockedEmail(digest=found) for found in digests], ignore_conflicts=True)
    return digests


def blocked(emails: Iterable[str]) -> set[str]:
    """Those of `emails`, in lower case, that are blocked. One query; none for no e-mails."""
    by_digest = {digest(email): email.strip().lower() for email in emails if email.strip()}
    if not by_digest:
        return set()
    found = BlockedEmail.objects.filter(digest__in=by_digest).values_list("digest", flat=True)
    return {by_digest[each] for each in found}
