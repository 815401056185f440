"""What administrators may look up. Nothing secret is shown, and nothing here is for changing by hand."""

from django.contrib import admin
from django.http import HttpRequest

from exchange_setup.models import ExchangeSync, MailboxSignIn


class ReadOnly(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest, *args: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, *args: object) -> bool:
        return False


@admin.register(ExchangeSync)
class ExchangeSyncAdmin(ReadOnly):
    list_display = ["user", "mailbox", "folder_name", "enabled", "auto_sync", "last_sync_at", "next_sync_at", "trouble"]
    list_filter = ["enabled", "auto_sync", "trouble"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email", "mailbox"]
    exclude = ["delta_link", "delta_next_link"]


@admin.register(MailboxSignIn)
class MailboxSignInAdmin(ReadOnly):
    list_display = ["account", "setup", "status", "connected_at", "last_error"]
    list_filter = ["status"]
    list_select_related = ["setup__user"]
    search_fields = ["account"]
    fields = ["setup", "account", "status", "last_error", "connected_at"]
