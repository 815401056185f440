"""The WSGI application, for gunicorn, waitress or any other server. It refuses to serve while a setting is wrong."""

import os

from django.core.checks import ERROR, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crmsync.settings")
application = get_wsgi_application()

if wrong := [str(check) for check in run_checks(tags=["crmsync"]) if check.level >= ERROR]:
    raise ImproperlyConfigured("\n".join(wrong))
