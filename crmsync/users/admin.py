"""Users on Django's own admin site, which is for superusers and signs in by our sign-in page."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from crmsync.users.models import User

admin.site.login = secure_admin_login(admin.site.login)


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["name", "email", "code", "role", "authentication_email", "is_active"]
    list_filter = ["role", "is_active"]
    search_fields = ["name", "email", "code", "authentication_email"]
    fields = ["name", "email", "code", "role", "language", "authentication_email", "is_active"]

    def has_delete_permission(self, request: object, obj: User | None = None) -> bool:
        """Users are deactivated: what they did stays theirs."""
        return False
