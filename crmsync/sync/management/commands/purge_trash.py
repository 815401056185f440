"""Deletes for good what has been in the trash for 30 days. The queue's schedule does the same once a day."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from crmsync.sync.purging import purge_trash


class Command(BaseCommand):
    help = "Delete for good what has been in the trash for 30 days, unless it is still in somebody's Outlook."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{purge_trash(timezone.now())} contacts were deleted for good.")
