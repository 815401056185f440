"""`manage.py import_contacts FILE [--dry-run]`: contacts from a CSV file, all or none."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.transfer.importing import Choices, import_contacts
from contacts.transfer.report import Report
from contacts.transfer.sheet import UnreadableFile
from contacts.transfer.twins import Duplicates


class Command(BaseCommand):
    help = (
        "Brings in contacts from a CSV file: one of ours, or one that Outlook or Google exported. "
        "Nothing is half imported."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and store nothing")
        parser.add_argument(
            "--duplicates",
            choices=Duplicates.values,
            default=Duplicates.SAME,
            help="rows without a number that look like a contact: leave out those with the same name and e-mail "
            "(same), leave out all (skip), fill in what is blank there (fill), or add them anyway (add)",
        )

    def handle(self, *args: Any, file: Path, dry_run: bool, duplicates: str, **options: Any) -> None:
        choices = Choices(duplicates=Duplicates(duplicates))
        try:
            with file.open("rb") as opened:
                report = import_contacts(opened, by=None, choices=choices, report=Report(is_dry_run=dry_run))
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except UnreadableFile as error:
            raise CommandError(f"{file}: {error}") from error
        self.say(report)
        if report.mistakes:
            raise CommandError(f"{report.mistakes} mistakes, so nothing was imported. Mend the rows and try again.")

    def say(self, report: Report) -> None:
        for note in report.notes_on_left_out:
            self.stdout.write(f"left out: {note}")
        for note in report.notes_on_mistakes:
            self.stderr.write(str(note))
        if len(report.notes_on_mistakes) < report.mistakes:
            self.stderr.write(f"… and {report.mistakes - len(report.notes_on_mistakes)} more.")
        if report.unused:
            self.stdout.write(f"columns not used: {', '.join(report.unused)}")
        if not report.mistakes:
            done = "would be " if report.is_dry_run else ""
            counts = ("created", "updated", "unchanged", "left_out")
            words = ", ".join(f"{getattr(report, name)} {done}{name.replace('_', ' ')}" for name in counts)
            self.stdout.write(f"{report.rows} rows: {words}.")
