"""Sentences about the rows of a file, kept so that whoever reads them later does so in their own language."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import translation


class Said(str):
    """A sentence in the language of now, which knows what it was made of."""

    text: str
    values: dict[str, Any]


def said(text: str, **values: Any) -> Said:
    """`text`, one of the catalogue's, with `values` in it."""
    sentence = Said(translation.gettext(text) % values if values else translation.gettext(text))
    sentence.text, sentence.values = text, values
    return sentence


def said_by(error: ValidationError) -> Said:
    """What a validator says."""
    first = error.error_list[0]
    with translation.override(None):
        text = str(first.message)
    return said(text, **(first.params or {}))


def kept(sentence: str) -> str:
    """The sentence as `told` reads it."""
    return json.dumps([sentence.text, sentence.values]) if isinstance(sentence, Said) else sentence


def told(stored: str) -> str:
    """What was kept, in the language of now; plain text as it is."""
    try:
        text, values = json.loads(stored)
    except (ValueError, TypeError):
        return stored
    return said(text, **values)
