"""Why one contact is, or isn't, in one user's Outlook."""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from contacts.models import Contact
from crmsync.sync.why import Answer
from crmsync.sync.why_report import as_json, as_text


class Command(BaseCommand):
    help = "Say why a contact is, or isn't, in a user's Outlook: every check, and the one thing to do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", metavar="NUMBER", help="the contact's number, such as CT000012")
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user's e-mail, or authentication email")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, number: str, user: str, **options: Any) -> None:
        users = get_user_model().objects
        owner = users.filter(email__iexact=user).first() or users.filter(authentication_email__iexact=user).first()
        if owner is None:
            raise CommandError(f"There is no user with the e-mail {user}.")
        contacts = Contact.objects.select_related("company", "salesperson", "merged_into")
        contact = contacts.filter(number__iexact=number).first()
        if contact is None:
            raise CommandError(f"There is no contact with the number {number}.")
        answer = Answer(contact, owner, mine=True)
        form = options["format"]
        self.stdout.write(
            json.dumps(as_json(answer), ensure_ascii=False, indent=2) if form == "json" else as_text(answer)
        )
