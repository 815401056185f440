from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExchangeSetupConfig(AppConfig):
    name = "exchange_setup"
    verbose_name = _("Exchange sync setup")
