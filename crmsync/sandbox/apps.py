from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Only there for its management command: the sandbox itself is a WSGI application of its own."""

    name = "crmsync.sandbox"
    label = "sandbox"
