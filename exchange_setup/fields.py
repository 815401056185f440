"""A text column that is sealed at rest with the keys of CRMSYNC_ENCRYPTION_KEYS (the newest first)."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class CannotUnseal(Exception):
    """What is stored was sealed with a key that is not among CRMSYNC_ENCRYPTION_KEYS."""


def box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def unseal(sealed: bytes | memoryview) -> str:
    try:
        return box().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise CannotUnseal from error


class SealedTextField(models.BinaryField):
    """Text in Python, ciphertext in the database. It can be compared with nothing but NULL."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else box().encrypt(value.encode())

    def from_db_value(self, value: Any, *args: Any) -> str | None:
        return None if value is None else unseal(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise TypeError("a sealed field can only be compared with NULL")
        return super().get_lookup(lookup_name)
