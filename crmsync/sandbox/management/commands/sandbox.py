"""`manage.py sandbox`: the pretend Microsoft 365 tenant, alone."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

try:
    from crmsync.sandbox import sandbox, server
except ModuleNotFoundError as error:
    if error.name != "flask":
        raise
    server = None  # type: ignore[assignment]


class Command(BaseCommand):
    help = "Serve a pretend Microsoft 365 tenant on this machine: sign-in, Graph for contacts, and a People page."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (%(default)s).")
        parser.add_argument("--port", type=int, default=8365, help="Port to listen on (%(default)s).")
        parser.add_argument(
            "--state", type=Path, default=settings.VAR_DIR / "sandbox.sqlite3", help="Where the tenant is kept."
        )
        parser.add_argument("--latency", type=int, metavar="MS", help="Milliseconds by which each answer is late.")
        parser.add_argument(
            "--item-latency", type=int, metavar="MS", help="Milliseconds for each call within Exchange."
        )
        parser.add_argument("--tenant", help="The tenant's id.")
        parser.add_argument("--client-id", help="The id of the application that is registered in the tenant.")
        parser.add_argument("--client-secret", help="The application's secret.")
        parser.add_argument(
            "--person",
            action="append",
            default=[],
            metavar="EMAIL[=NAME]",
            help="Somebody to be in the tenant; repeat for more.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if server is None:
            raise CommandError("The sandbox needs Flask, which is not installed: install the project's extra “demo”.")
        given = {
            "tenant": options["tenant"],
            "client_id": options["client_id"],
            "client_secret": options["client_secret"],
        }
        registration = sandbox.Registration(**{name: value for name, value in given.items() if value})
        try:
            serving = server.Server(
                options["state"], host=options["host"], port=options["port"], registration=registration
            )
        except OSError as error:
            raise CommandError(f"Cannot listen on port {options['port']}: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        for person in options["person"]:
            email, _, name = person.partition("=")
            serving.sandbox.people.add(email, name)
        turned = {"latency_ms": options["latency"], "item_ms": options["item_latency"]}
        serving.sandbox.store.turn(**{name: value for name, value in turned.items() if value is not None})
        self.stdout.write(
            f"Sandbox tenant {registration.tenant}\n"
            f"  People (Outlook)  {serving.url}/people/\n"
            f"  Switches, faults  {serving.url}/people/switches\n"
            f"  M365_LOGIN_URL    {serving.url}\n"
            f"  M365_GRAPH_URL    {serving.url}/v1.0\n"
            f"  M365_TENANT_ID    {registration.tenant}\n"
            f"  M365_CLIENT_ID    {registration.client_id}\n"
            f"  state             {options['state']}"
        )
        self.stdout.flush()
        serving.serve()
