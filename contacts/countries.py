"""ISO 3166 country codes and their names in English and Danish.

The CRM stores the two-letter code; Outlook, spreadsheets and people write names. `code_for` understands both
languages, the formal and the everyday names, two- and three-letter codes, and the aliases that Outlook itself offers.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache

from django.utils.translation import override
from django_countries import countries
from django_countries.data import COUNTRIES

LANGUAGES = ("en", "da")
LONGEST = 100  # no country's name comes near it, so longer text is not worth looking at

ALIASES = {
    "AE": ["UAE", "De Forenede Arabiske Emirater", "Emirates"],
    "AT": ["Österreich", "Oesterreich"],
    "BE": ["België", "Belgique"],
    "BO": ["Plurinational State of Bolivia"],
    "CD": ["Congo (DRC)", "DR Congo", "DRC", "Den Demokratiske Republik Congo"],
    "CG": ["Republic of the Congo", "Congo-Brazzaville", "Republikken Congo"],
    "CH": ["Suisse", "Svizzera"],
    "CI": ["Ivory Coast"],
    "CN": ["PRC", "People's Republic of China", "Folkerepublikken Kina", "中国"],
    "CV": ["Cape Verde", "Kap Verde"],
    "CZ": ["Czech Republic", "Den Tjekkiske Republik"],
    "DE": ["Deutschland", "Federal Republic of Germany", "Forbundsrepublikken Tyskland"],
    "DO": ["Den Dominikanske Republik"],
    "ES": ["España"],
    "FI": ["Suomi"],
    "FK": ["Falkland Islands"],
    "GB": ["UK", "Great Britain", "Britain", "England", "Scotland", "Wales", "Northern Ireland", "Skotland",
           "Nordirland", "Det Forenede Kongerige"],
    "GR": ["EL", "Hellas"],
    "HK": ["Hong Kong SAR", "Hongkong"],
    "IE": ["Republic of Ireland", "Eire"],
    "IT": ["Italia"],
    "KR": ["Korea", "Republic of Korea"],
    "MK": ["Macedonia", "Makedonien", "FYRO Macedonia", "Macedonia, FYRO"],
    "MM": ["Burma"],
    "MO": ["Macao SAR", "Macau"],
    "NL": ["The Netherlands", "Nederland", "Nederlandene"],
    "PN": ["Pitcairn Islands"],
    "PS": ["Palestinian Authority"],
    "PT": ["Portuguese Republic"],
    "RU": ["Russian Federation", "Den Russiske Føderation"],
    "SH": ["Saint Helena, Ascension and Tristan da Cunha", "St Helena"],
    "SJ": ["Svalbard"],
    "SZ": ["Swaziland"],
    "TL": ["East Timor"],
    "TR": ["Turkey"],
    "US": ["USA", "United States", "America", "De Forenede Stater", "Forenede Stater", "Amerikas Forenede Stater"],
    "VA": ["Vatican", "Holy See", "Vatikanet"],
    "VG": ["British Virgin Islands"],
    "VI": ["US Virgin Islands", "United States Virgin Islands"],
    "VN": ["Viet Nam"],
}  # fmt: skip


def code_for(text: str) -> str | None:
    """The two-letter code that `text` (a code or a name) stands for, or None when no country is known by it."""
    return _codes().get(_key(text)) if len(text) <= LONGEST else None


def name_for(code: str) -> str:
    """The English name of a two-letter code; an unknown code comes back as it is."""
    return _names("en").get(code, code)


def danish_name_for(code: str) -> str:
    """The Danish name of a two-letter code; an unknown code comes back as it is."""
    return _names("da").get(code, code)


@cache
def _names(language: str) -> dict[str, str]:
    with override(language):
        return {code: name.replace("\N{NO-BREAK SPACE}", " ") for code, name in countries}


@cache
def _codes() -> dict[str, str]:
    """Every spelling that `code_for` understands. The first one to claim a spelling keeps it, so codes come first."""
    found: dict[str, str] = {}
    for code, spelling in _spellings():
        found.setdefault(_key(spelling), code)
    return found


def _spellings() -> Iterator[tuple[str, str]]:
    yield from ((code, code) for code in COUNTRIES)
    yield from ((code, countries.alpha3(code)) for code in COUNTRIES)
    for language in LANGUAGES:
        yield from _names(language).items()
    yield from ((code, str(formal)) for code, formal in COUNTRIES.items())
    yield from ((code, alias) for code, aliases in ALIASES.items() for alias in aliases)


def _key(text: str) -> str:
    """`text` without case, accents, punctuation and "the", so that "U.S.A." is "USA" and "Türkiye" is "Turkiye"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    plain = plain.replace("&", " and ").replace(".", "").replace("'", "").replace("’", "")
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    return " ".join(word for word in words if word != "the")
