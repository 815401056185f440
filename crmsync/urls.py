"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from crmsync import views
from crmsync.styleguide import styleguide
from crmsync.sync.views import status
from crmsync.sync.views.home import home
from crmsync.users.views import set_language

urlpatterns = [
    path("", home, name="home"),
    path("healthz", status.healthz, name="healthz"),
    path("healthz/web", status.healthz_web, name="healthz-web"),
    path("metrics", status.metrics, name="metrics"),
    path("contacts/", include("contacts.urls")),
    path("exchange-setup/", include("exchange_setup.urls")),
    path("sync/", include("crmsync.sync.urls")),
    path("users/", include("crmsync.users.urls")),
    path("accounts/", include("crmsync.users.account_urls")),
    path("i18n/setlang/", set_language, name="set_language"),
    path("styleguide/", styleguide, name="styleguide"),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler500 = views.server_error
