from django.db import migrations, models


def fill_sent(apps, schema_editor):
    """Of what had no answer so far, all but the plans that still wait for a person may have been sent."""
    rows = apps.get_model("sync", "SyncChange").objects.exclude(run__outcome="held").exclude(run__kind="preview")
    rows = rows.filter(side="outlook", action__in=("update", "link", "delete"), outcome__in=("planned", "stale"))
    rows.update(sent_at=models.F("created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0007_moved_words'),
    ]

    operations = [
        migrations.AddField(
            model_name='syncchange',
            name='sent_at',
            field=models.DateTimeField(help_text='When a change of an item went to Outlook; none where Outlook surely has not made it.', null=True),
        ),
        migrations.RunPython(fill_sent, migrations.RunPython.noop),
    ]
