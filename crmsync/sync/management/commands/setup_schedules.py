"""Writes the schedules that the product needs; safe to run at every deployment."""

from typing import Any

from django.core.management.base import BaseCommand
from django_q.models import Schedule

SWEEP = {"func": "crmsync.sync.jobs.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
WATCH = {"func": "crmsync.sync.jobs.watch", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
PURGE = {"func": "crmsync.sync.jobs.purge_trash", "schedule_type": Schedule.DAILY, "repeats": -1}


class Command(BaseCommand):
    help = "Create or update the schedules: one sweep and one watch a minute, and the trash emptied once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        Schedule.objects.update_or_create(name="sync sweep", defaults=SWEEP)
        Schedule.objects.update_or_create(name="sync watch", defaults=WATCH)
        Schedule.objects.update_or_create(name="purge trash", defaults=PURGE)
        self.stdout.write("One sweep and one watch a minute, and one look into the trash a day are scheduled.")
