from django.apps import AppConfig
from django.core.checks import register

from crmsync import checks


class CrmsyncConfig(AppConfig):
    """The product itself: its system checks and the `demo` command."""

    name = "crmsync"

    def ready(self) -> None:
        for check in checks.ALL:
            register("crmsync")(check)
