from django.urls import path

from exchange_setup.views import connect, defaults, page, steps

app_name = "exchange_setup"
urlpatterns = [
    path("", page.setup_page, name="setup"),
    path("defaults/", defaults.defaults, name="defaults"),
    path("connect/", connect.connect, name="connect"),
    path("callback/", connect.callback, name="callback"),
    path("validate/", connect.validate, name="validate"),
    path("move/", connect.move, name="move"),
    path("folder/", steps.folder, name="folder"),
    path("folder/again/", steps.folder_again, name="folder-again"),
    path("filter/", steps.contact_filter, name="filter"),
    path("rules/", steps.rules, name="rules"),
    path("schedule/", steps.schedule, name="schedule"),
    path("enable/", steps.enable, name="enable"),
    path("pause/", steps.pause, name="pause"),
]
