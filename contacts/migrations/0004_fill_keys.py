"""The keys by which duplicates are found, of the contacts that are there already."""

from typing import Any

from django.db import migrations

from contacts.likeness import keys_of

CHUNK = 500


def fill(apps: Any, schema_editor: Any) -> None:
    contact_model, key_model = apps.get_model("contacts", "Contact"), apps.get_model("contacts", "ContactKey")
    last = 0
    contacts = contact_model.objects.filter(deleted_at=None).order_by("pk")
    while chunk := list(contacts.filter(pk__gt=last)[:CHUNK]):
        key_model.objects.bulk_create(
            [key_model(contact=contact, key=key) for contact in chunk for key in keys_of(contact)]
        )
        last = chunk[-1].pk


class Migration(migrations.Migration):
    dependencies = [("contacts", "0003_duplicates_and_merges")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
