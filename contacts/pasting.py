"""What is pasted into a form, without what came along from a web page, a mail or a spreadsheet."""

import re

# Nobody sees them: zero-width spaces, soft hyphens, byte order marks, and the marks that turn the direction of text,
# which come with every phone number that is copied from Outlook's or Windows' contacts. The joiners stay: names in
# Persian or Hindi, and emoji, are spelled with them.
UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
BREAKS = re.compile("[ ]*[\t\n\v\f\r\u0085\u2028\u2029]+[ ]*")
MAIL = re.compile(r"(?:mailto:)?(?:[^<>]*<)?\s*(?:mailto:)?([^<>?;,\s]+)(?:\?[^<>]*)?>?[\s;,.]*", re.IGNORECASE)
PHONE = re.compile(r"(?:tel|callto|sip):(?://)?", re.IGNORECASE)


def line(text: str) -> str:
    """For a field of one line."""
    return BREAKS.sub(" ", lines(text).strip()) if text else text


def lines(text: str) -> str:
    """For a field of several lines."""
    return BLANKS.sub(" ", UNSEEN.sub("", text))


def email(text: str) -> str:
    """The address of `Anne Berg <anne@x.example>` or a mailto link; anything else as a line."""
    text = line(text)
    found = MAIL.fullmatch(text)
    return found[1] if found and "@" in found[1] else text


def phone(text: str) -> str:
    text = line(text)
    return PHONE.sub("", text, count=1) if PHONE.match(text) else text


def web(text: str) -> str:
    return line(text).strip("<>")
