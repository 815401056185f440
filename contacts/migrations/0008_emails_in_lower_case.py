"""E-mails with letters beyond ASCII in lower case, as they are stored from now on: LOWER need not know these letters."""

from typing import Any

from django.db import migrations

EMAILS = ("email", "email_2", "email_3")


def lower(apps: Any, schema_editor: Any) -> None:
    contacts = apps.get_model("contacts", "Contact").objects
    rows = contacts.values_list("pk", *EMAILS).iterator()
    for pk, *emails in [row for row in rows if not all(email.isascii() for email in row[1:])]:
        wanted = (email if email.isascii() else email.lower() for email in emails)
        contacts.filter(pk=pk).update(**dict(zip(EMAILS, wanted, strict=True)))


class Migration(migrations.Migration):
    dependencies = [("contacts", "0007_blocked_emails")]

    operations = [migrations.RunPython(lower, migrations.RunPython.noop, elidable=True)]
