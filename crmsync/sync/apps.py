from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_delete, post_save, pre_save
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from contacts import extra_column
from contacts.signals import contacts_written


class SyncConfig(AppConfig):
    name = "crmsync.sync"
    label = "sync"
    verbose_name = _("Contact sync")

    def ready(self) -> None:
        """Listen to contacts and users, who know nothing of the sync."""
        contacts_written.connect(import_string("crmsync.sync.push.note"), dispatch_uid="sync.push")
        salespeople = import_module("crmsync.sync.salespeople")
        for signal, receiver in (
            (pre_save, salespeople.note_names),
            (post_save, salespeople.note_saved),
            (post_delete, salespeople.note_deleted),
        ):
            signal.connect(receiver, sender=settings.AUTH_USER_MODEL, dispatch_uid="sync.salespeople")
        extra_column.register("crmsync.sync.contact_column.outlook_column")
