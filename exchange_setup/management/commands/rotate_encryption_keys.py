"""Seals every stored sign-in anew with the newest of CRMSYNC_ENCRYPTION_KEYS, so that older keys can be dropped."""

from typing import Any

from django.core.management.base import BaseCommand

from exchange_setup.fields import CannotUnseal
from exchange_setup.models import MailboxSignIn


class Command(BaseCommand):
    help = "Seal every stored sign-in with the newest key. Afterwards the older keys can be taken away."

    def handle(self, *args: Any, **options: Any) -> None:
        sealed, lost = 0, 0
        for pk in list(MailboxSignIn.objects.values_list("pk", flat=True)):
            try:
                sealed += self.seal_anew(pk)
            except CannotUnseal:
                lost += 1
        self.stdout.write(f"Sealed {sealed} sign-ins with the newest key.")
        if lost:
            self.stdout.write(f"{lost} were sealed with a key that is gone: those users have to connect again.")

    def seal_anew(self, pk: int) -> int:
        """1 when done; 0 when a worker renewed the sign-in meanwhile, which sealed it with the newest key already."""
        sign_in = MailboxSignIn.objects.defer(None).get(pk=pk)
        rows = MailboxSignIn.objects.filter(pk=pk, version=sign_in.version)
        return rows.update(token_cache=sign_in.token_cache)
