"""Which rows of a file empty a field is kept beside it. What waits is looked at once more."""

from typing import Any

from django.db import migrations, models


def look_again(apps: Any, schema_editor: Any) -> None:
    apps.get_model("contacts", "Upload").objects.update(digest="")


class Migration(migrations.Migration):
    dependencies = [("contacts", "0009_own_contacts_by_name")]

    operations = [
        migrations.AddField(model_name="upload", name="emptied", field=models.JSONField(default=list)),
        migrations.AddField(model_name="upload", name="emptying", field=models.PositiveIntegerField(default=0)),
        migrations.RunPython(look_again, migrations.RunPython.noop, elidable=True),
    ]
