"""`manage.py export_contacts [--format csv|json]`: every contact that is not in the trash, to standard output."""

import io
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from contacts.models import Contact
from contacts.transfer.exporting import FORMATS


class Command(BaseCommand):
    help = "Writes all contacts (those in the trash apart) to standard output, in UTF-8."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=sorted(FORMATS), default="csv")

    def handle(self, *args: Any, format: str, **options: Any) -> None:
        lines, _content_type = FORMATS[format]
        out = getattr(self.stdout, "_out", sys.stdout)
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(encoding="utf-8", newline="")
        for line in lines(Contact.objects.alive()):
            out.write(line)
