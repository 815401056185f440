"""Creates or changes one user's setup from the command line, for administrators who roll it out."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from contacts.filters import FilterError, as_q
from exchange_setup.forms import FolderForm, ScheduleForm
from exchange_setup.mailbox import uses_application_access
from exchange_setup.models import ExchangeSync, MailboxSignIn, OrganisationDefaults


class Command(BaseCommand):
    help = "Create or change a user's Exchange sync setup, and enable it. Running it again changes nothing more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--user", required=True, metavar="EMAIL", help="whose setup it is (the e-mail to sign in with)"
        )
        parser.add_argument(
            "--mailbox", metavar="ADDR", help="sets the user's authentication email, which is the mailbox"
        )
        parser.add_argument("--folder", metavar="NAME", help="the folder in Outlook; taken if it exists, else made")
        parser.add_argument(
            "--filter", action="append", default=[], metavar="FIELD=EXPR",
            help="which contacts go to Outlook, such as city=A*; several are all to hold; an empty EXPR takes one away",
        )  # fmt: skip
        parser.add_argument(
            "--auto-sync", type=int, metavar="MINUTES", help="sync by itself, 5 to 1440 minutes apart; 0: by hand only"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        user = self.user(options["user"])
        if options["mailbox"] is not None:
            self.set_mailbox(user, options["mailbox"])
        if not user.authentication_email:
            raise CommandError(f"{user.email} has no authentication email. Give one with --mailbox.")
        created = not ExchangeSync.objects.filter(user=user).exists()
        setup = ExchangeSync.objects.for_user(user)
        setup.organisation = OrganisationDefaults()  # an administrator's word goes above the locks
        setup.move_to(user.authentication_email)
        if options["folder"] is not None:
            self.set_folder(setup, options["folder"])
        self.set_filter(setup, options["filter"])
        if options["auto_sync"] is not None:
            self.set_schedule(setup, options["auto_sync"])
        setup.allow_first_sync()
        setup.enable()
        self.report(setup, created)

    def user(self, email: str) -> Any:
        try:
            return get_user_model().objects.get_by_natural_key(email)
        except get_user_model().DoesNotExist:
            raise CommandError(f"No user has the e-mail {email}.") from None

    def set_mailbox(self, user: Any, mailbox: str) -> None:
        user.authentication_email = mailbox
        try:
            user.full_clean()
        except ValidationError as error:
            raise CommandError(f"--mailbox {mailbox}: {' '.join(error.messages)}") from None
        user.save()

    def set_folder(self, setup: ExchangeSync, name: str) -> None:
        form = FolderForm({"name": name}, setup=setup)
        if not form.is_valid():
            raise CommandError(f"--folder: {first_error(form)}")
        form.save()

    def set_filter(self, setup: ExchangeSync, entries: list[str]) -> None:
        contact_filter = dict(setup.contact_filter)
        for entry in entries:
            name, separator, expression = entry.partition("=")
            if not separator:
                raise CommandError(f"--filter {entry}: write it as FIELD=EXPR, such as city=A*.")
            contact_filter[name.strip()] = expression
        try:
            as_q(contact_filter, setup.user)
        except FilterError as error:
            raise CommandError(pointed_at(error, contact_filter[error.field])) from None
        setup.contact_filter = {name: text for name, text in contact_filter.items() if text.strip()}
        setup.save(update_fields=["contact_filter"])

    def set_schedule(self, setup: ExchangeSync, minutes: int) -> None:
        interval = minutes or setup.interval_minutes
        form = ScheduleForm({"auto_sync": bool(minutes), "interval_minutes": interval}, instance=setup)
        if not form.is_valid():
            raise CommandError(f"--auto-sync {minutes}: {first_error(form)}")
        form.save()

    def report(self, setup: ExchangeSync, created: bool) -> None:
        verb = "Created" if created else "Kept"
        by_itself = f"every {setup.interval_minutes} minutes" if setup.auto_sync else "by hand only"
        self.stdout.write(
            f"{verb} the setup of {setup.user.email}: {setup.mailbox}, “{setup.folder_name}”, {by_itself}."
        )
        signed_in = MailboxSignIn.objects.filter(setup=setup, account__iexact=setup.mailbox).exists()
        if not uses_application_access() and not signed_in:
            self.stdout.write(
                f"{setup.user.name or setup.user.email} still has to connect Microsoft 365 on the setup page."
            )


def first_error(form: Any) -> str:
    return next(str(error) for errors in form.errors.values() for error in errors)


def pointed_at(error: FilterError, expression: str) -> str:
    """The message, with the expression and a mark below the character that is wrong."""
    return f"--filter {error.field}: {error}\n  {expression}\n  {' ' * error.position}^"
