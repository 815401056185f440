"""Django's own admin site: for looking, and for mending one contact. It keeps the rules that every write keeps."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from contacts.models import Contact, NumberSeries


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):
    list_display = [
        "number",
        "type",
        "name",
        "company_name",
        "email",
        "city",
        "salesperson",
        "modified_at",
        "deleted_at",
    ]
    list_display_links = ["number", "name"]
    list_filter = ["type", "privacy_blocked", ("deleted_at", admin.EmptyFieldListFilter), "salesperson"]
    list_select_related = ["salesperson"]
    search_fields = ["number", "name", "company_name", "email", "email_2", "email_3"]
    raw_id_fields = ["company"]
    readonly_fields = ["number", "created_at", "modified_at", "modified_by", "deleted_at", "version"]
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        obj.write({name: form.cleaned_data[name] for name in form.changed_data}, by=request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        """Contacts go to the trash, from the contact card, so that they can come back."""
        return False


@admin.register(NumberSeries)
class NumberSeriesAdmin(admin.ModelAdmin):
    list_display = ["prefix", "last"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: NumberSeries | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: NumberSeries | None = None) -> bool:
        return False
