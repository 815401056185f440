from django.apps import AppConfig
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from contacts import extra_column
from contacts.signals import contacts_written


class SyncConfig(AppConfig):
    name = "crmsync.sync"
    label = "sync"
    verbose_name = _("Contact sync")

    def ready(self) -> None:
        """Listen to the contacts, which know nothing of the sync."""
        contacts_written.connect(import_string("crmsync.sync.push.note"), dispatch_uid="sync.push")
        extra_column.register("crmsync.sync.contact_column.outlook_column")
