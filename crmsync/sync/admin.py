"""The sync's rows in Django's admin site, for looking only: runs, links and changes are the engine's to write."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from crmsync.sync.models import ContactLink, SyncChange, SyncRun


class ReadOnlyAdmin(admin.ModelAdmin):
    """Lists and shows, and can change nothing."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "setup", "kind", "trigger", "outcome", "error", "created_at", "finished_at", "requests"]
    list_filter = ["outcome", "kind", "trigger", "error"]
    list_select_related = ["setup__user"]
    date_hierarchy = "created_at"


class ListOnlyAdmin(ReadOnlyAdmin):
    """Rows without a page of their own: whom they are about is for the mailbox's owner to see."""

    list_display_links = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)


@admin.register(ContactLink)
class ContactLinkAdmin(ListOnlyAdmin):
    list_display = ["id", "setup", "contact_id", "state", "problem", "synced_at"]
    list_filter = ["state", "problem"]
    list_select_related = ["setup__user"]


@admin.register(SyncChange)
class SyncChangeAdmin(ListOnlyAdmin):
    list_display = ["id", "run_id", "side", "action", "cause", "outcome", "reason", "applied_at"]
    list_filter = ["outcome", "side", "action", "reason"]
