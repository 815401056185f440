"""How addresses and phone numbers are written, for reading. What is stored stays as it was typed."""

import re
from itertools import accumulate, pairwise
from typing import Any

CITY_AND_STATE = {"US", "CA", "AU", "NZ"}  # Portland OR 97201
CODE_LAST = {"GB", "IE", "IN", "SG", "ZA"}  # the city, and below it the code
BARE = re.compile(r"(?P<abroad>\+|00)?(?P<digits>\d{5,15})", re.ASCII)
# Calling code → number of digits → how they are grouped. A number that fits none is shown as it was typed.
GROUPS = {
    "1": {10: (3, 3, 4)},
    "31": {9: (2, 3, 4)},
    "32": {8: (1, 3, 2, 2), 9: (3, 2, 2, 2)},
    "33": {9: (1, 2, 2, 2, 2)},
    "34": {9: (3, 3, 3)},
    "41": {9: (2, 3, 2, 2)},
    "44": {10: (4, 6)},
    "45": {8: (2, 2, 2, 2)},
    "46": {8: (1, 3, 2, 2), 9: (2, 3, 2, 2)},
    "47": {8: (2, 2, 2, 2)},
    "48": {9: (3, 3, 3)},
    "49": {10: (3, 7), 11: (3, 8)},
    "298": {6: (2, 2, 2)},
    "299": {6: (2, 2, 2)},
    "354": {7: (3, 4)},
    "358": {9: (2, 3, 4)},
}
CODES = {
    "BE": "32", "CA": "1", "CH": "41", "DE": "49", "DK": "45", "ES": "34", "FI": "358", "FO": "298", "FR": "33",
    "GB": "44", "GL": "299", "IS": "354", "NL": "31", "NO": "47", "PL": "48", "SE": "46", "US": "1",
}  # fmt: skip
WITHOUT_TRUNK = {"45", "47", "298", "299", "354", "34", "48", "1"}  # a number at home begins with no 0 there


def address_lines(contact: Any) -> list[str]:
    """The address as it stands on a letter, in the order of its country."""
    country = contact.country.code or ""
    code, city, county = contact.post_code, contact.city, contact.county
    if country in CITY_AND_STATE:
        place = [joined(city, county, code)]
    elif country in CODE_LAST:
        place = [city, county, code]
    else:
        place = [joined(code, city), county]
    lines = [contact.address, *contact.address_2.splitlines(), *place, str(contact.country.name or country)]
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))  # a city may be its own county


def joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def phone(text: str, country: str) -> str:
    """A number that was typed without any spaces, in groups and with its country; every other one as it was typed."""
    found = BARE.fullmatch(text.strip())
    if not found:
        return text
    digits = found["digits"]
    if found["abroad"]:
        code = next((code for code in GROUPS if digits.startswith(code)), "")
        rest = digits[len(code) :]
    else:
        code = CODES.get(country, "")
        rest = digits if code in WITHOUT_TRUNK else digits.removeprefix("0")
    sizes = GROUPS.get(code, {}).get(len(rest))
    if not sizes:
        return text
    parts = [rest[start:stop] for start, stop in pairwise(accumulate(sizes, initial=0))]
    return f"+{code} {' '.join(parts)}"
