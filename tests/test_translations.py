"""Danish: whatever a person may read has it, and it fits. Needs none of the gettext tools (docs/translations.md)."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import polib
import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation.template import templatize

from crmsync.sync import words
from crmsync.sync.choices import Reason
from crmsync.sync.spans import duration
from tests.factories import AdministratorFactory, ChangeFactory, LinkFactory, RunFactory, SetupFactory, UserFactory

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("contacts", "exchange_setup", "crmsync")
FOLDER = ROOT / "locale/da/LC_MESSAGES"

# How many leading arguments of each function are texts, and whether the first of them is a context.
WITH_PLURAL = {"ngettext", "ngettext_lazy", "npgettext", "npgettext_lazy"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"}
LAZY = {"gettext_lazy", "gettext_noop", "ngettext_lazy", "pgettext_lazy", "npgettext_lazy"}
FUNCTIONS = {"gettext"} | LAZY | WITH_PLURAL | WITH_CONTEXT
# `_` in a template is Django's own; what templatize makes of a template calls functions by their names.
TEMPLATE_CALL = re.compile(
    r"""(?<!\w)(?P<name>_|n?p?gettext)\((?P<texts>u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?:,\s*u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))*)"""
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}|</?\w+>")


class Text(NamedTuple):
    """A text as gettext knows it: '' stands for no context and for no plural."""

    context: str
    singular: str
    plural: str


class Call(NamedTuple):
    """A call of one of FUNCTIONS in a module. `text` is None where an argument is no literal."""

    place: str
    alias: str
    function: str
    text: Text | None
    is_at_import: bool
    is_in_f_string: bool


def text_of(function: str, arguments: list[str]) -> Text:
    context = arguments.pop(0) if function in WITH_CONTEXT else ""
    return Text(context, arguments[0], arguments[1] if function in WITH_PLURAL else "")


# --- What people may read --------------------------------------------------------------------------------------------


class Calls(ast.NodeVisitor):
    """The calls of gettext's functions in one module, under whatever names it imports them."""

    def __init__(self, path: Path) -> None:
        self.place = str(path.relative_to(ROOT))
        self.aliases: dict[str, str] = {}
        self.functions = self.f_strings = 0
        self.found: list[Call] = []
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "django.utils.translation":
            self.aliases |= {alias.asname or alias.name: alias.name for alias in node.names}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.decorator_list, node.args]:
            self.visit(part)
        self.functions += 1
        for part in node.body:
            self.visit(part)
        self.functions -= 1

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.functions += 1
        self.generic_visit(node)
        self.functions -= 1

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.f_strings += 1
        self.generic_visit(node)
        self.f_strings -= 1

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        alias = node.func.id if isinstance(node.func, ast.Name) else ""
        function = self.aliases.get(alias, "")
        if function not in FUNCTIONS:
            return
        needed = 1 + (function in WITH_PLURAL) + (function in WITH_CONTEXT)
        arguments = [part.value for part in node.args[:needed] if isinstance(part, ast.Constant)]
        text = text_of(function, arguments) if len(arguments) == needed else None
        place = f"{self.place}:{node.lineno}"
        self.found.append(Call(place, alias, function, text, not self.functions, bool(self.f_strings)))


@cache
def calls() -> list[Call]:
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [call for path in modules if "migrations" not in path.parts for call in Calls(path).found]


def texts_in_templates() -> Iterator[tuple[str, Text]]:
    """(file, text) for every text that a page or a mail marks for translation."""
    for path in sorted(path for folder in ("templates", *PACKAGES) for path in (ROOT / folder).rglob("*")):
        if path.suffix in {".html", ".txt"}:
            name = str(path.relative_to(ROOT))
            for match in TEMPLATE_CALL.finditer(templatize(path.read_text(encoding="utf-8"), origin=name)):
                texts = ast.literal_eval(f"[{match['texts']}]")
                yield name, text_of("gettext" if match["name"] == "_" else match["name"], texts)


@cache
def texts() -> dict[Text, str]:
    """Every text of ours, with a place where it stands."""
    in_templates = {text: place for place, text in texts_in_templates()}
    return in_templates | {call.text: call.place for call in calls() if call.text}


# --- The catalogue ---------------------------------------------------------------------------------------------------


@cache
def catalogue() -> polib.POFile:
    return polib.pofile(str(FOLDER / "django.po"))


def danish(entry: polib.POEntry) -> list[str]:
    """The entry's Danish, in both numbers where it has two."""
    return [entry.msgstr_plural[number] for number in (0, 1)] if entry.msgid_plural else [entry.msgstr]


def english(entry: polib.POEntry) -> list[str]:
    return [entry.msgid, entry.msgid_plural] if entry.msgid_plural else [entry.msgid]


def test_whatever_a_person_may_read_has_danish() -> None:
    entries = [entry for entry in catalogue() if not entry.obsolete and "fuzzy" not in entry.flags]
    known = {
        Text(entry.msgctxt or "", entry.msgid, entry.msgid_plural or "") for entry in entries if all(danish(entry))
    }
    missing = sorted(f"{place}: {text.singular!r}" for text, place in texts().items() if text not in known)
    assert len(texts()) > 900, "the scan finds hardly anything"
    assert not missing, "no Danish (docs/translations.md says how to add it):\n" + "\n".join(missing)


def test_no_danish_is_a_guess_or_left_over() -> None:
    assert [entry.msgid for entry in catalogue() if "fuzzy" in entry.flags] == []
    assert [entry.msgid for entry in catalogue() if entry.obsolete] == []


def test_danish_holds_what_is_put_into_it() -> None:
    """The same placeholders and tags as the English, in each number."""
    wrong = [
        f"{theirs!r} → {ours!r}"
        for entry in catalogue()
        for theirs, ours in zip(english(entry), danish(entry), strict=True)
        if sorted(PLACEHOLDER.findall(theirs)) != sorted(PLACEHOLDER.findall(ours))
    ]
    assert not wrong, "\n".join(wrong)


def test_danish_begins_and_ends_as_the_english_does() -> None:
    """A sentence stays one, a question a question; no space gets lost or comes in."""
    wrong = [
        f"{theirs!r} → {ours!r}"
        for entry in catalogue()
        for theirs, ours in zip(english(entry), danish(entry), strict=True)
        if ending(theirs) != ending(ours) or theirs != theirs.strip() or ours != ours.strip()
    ]
    assert not wrong, "\n".join(wrong)


def test_danish_quotes_as_danes_do() -> None:
    """”These” on both sides, as docs/translations.md says."""
    assert not [ours for entry in catalogue() for ours in danish(entry) if "“" in ours]


def ending(text: str) -> str:
    is_caption = len(text.split()) < 4 and text.lower().endswith(("no.", "nr."))
    return text[-1] if text[-1] in ".?!:…," and not is_caption else ""


def test_the_compiled_catalogue_is_the_written_one() -> None:
    compiled = polib.mofile(str(FOLDER / "django.mo"))
    stored, written = ({(e.msgctxt, e.msgid): danish(e) for e in file} for file in (compiled, catalogue()))
    assert stored == written, "compile it again (docs/translations.md)"
    assert compiled.metadata == catalogue().metadata


def test_the_catalogue_says_nothing_of_the_machine_or_the_day_it_was_made_on() -> None:
    assert not {name for name in catalogue().metadata if "Date" in name or "Translator" in name}
    places = {place for entry in catalogue() for place in entry.occurrences}
    assert not [name for name, line in places if line or name.startswith(("/", "."))]


# --- How texts are written -------------------------------------------------------------------------------------------


def test_the_gettext_tools_find_every_text() -> None:
    """They know the functions by their own names and `_`, read literals only, and do not look into f-strings."""
    hidden = [
        f"{call.place}: {call.alias}"
        for call in calls()
        if call.text is None or call.is_in_f_string or call.alias not in {call.function, "_"}
    ]
    assert not hidden, "\n".join(hidden)


def test_texts_that_are_made_while_a_module_loads_are_lazy() -> None:
    """Any others would be in whichever language was active then, for everybody."""
    early = [call.place for call in calls() if call.is_at_import and call.function not in LAZY]
    assert not early, "\n".join(early)


# --- The words -------------------------------------------------------------------------------------------------------

BUSINESS_CENTRAL = {
    "Contacts": "Kontakter",
    "Persons": "Personer",
    "Sync with Microsoft 365": "Synkroniser med Microsoft 365",
    "Full sync with Microsoft 365": "Fuld synkronisering med Microsoft 365",
    "Exchange sync setup": "Opsætning af Exchange-synkronisering",
    "Validate Exchange connection": "Valider Exchange-forbindelse",
    "Activity log": "Aktivitetslogfil",
    "Users": "Brugere",
    "Microsoft 365 authentication": "Microsoft 365-godkendelse",
    "Authentication email": "Godkendelsesmail",
    "Folder": "Mappe",
    "Last sync": "Seneste synkronisering",
    "Automatic sync": "Automatisk synkronisering",
    "Filter": "Filter",
    "No.": "Nummer",
    "Name": "Navn",
    "Person": "Person",
    "Company": "Virksomhed",
    "First name": "Fornavn",
    "Middle name": "Mellemnavn",
    "Surname": "Efternavn",
    "Initials": "Initialer",
    "Job title": "Stilling",
    "Company name": "Virksomhedsnavn",
    "Company no.": "Virksomhedsnr.",
    "Salesperson": "Sælger",
    "Territory": "Distrikt",
    "Phone no.": "Telefon",
    "Mobile phone no.": "Mobiltelefon",
    "Fax no.": "Telefax",
    "Home page": "Hjemmeside",
    "E-mail": "Mail",
    "E-mail 2": "Mail 2",
    "Address": "Adresse",
    "Address 2": "Adresse 2",
    "City": "By",
    "County": "Amt",
    "Post code": "Postnr.",
    "Country/Region": "Land/område",
    "Privacy blocked": "Beskyttelse af personlige oplysninger spærret",
}


@pytest.mark.parametrize(("caption", "word"), BUSINESS_CENTRAL.items())
def test_captions_are_business_centrals_own(caption: str, word: str) -> None:
    with translation.override("da"):
        assert translation.gettext(caption) == word


# --- The pages -------------------------------------------------------------------------------------------------------

DANISH = {"accept-language": "da"}
SAID = {"aria-label", "title", "placeholder", "alt"}
OPEN_PAGES = ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/accounts/3rdparty/login/error/"]
PAGES = [
    "/",
    "/contacts/",
    "/contacts/?trash=1",
    "/contacts/?f-city=(A",
    "/contacts/new/",
    "/contacts/import/",
    "/contacts/{contact}/",
    "/contacts/{contact}/edit/",
    "/contacts/{contact}/history/",
    "/exchange-setup/",
    "/exchange-setup/defaults/",
    "/sync/",
    "/sync/start/",
    "/sync/chip/",
    "/sync/left-out/",
    "/sync/contacts/{contact}/",
    "/sync/runs/{run}/",
    "/sync/mailboxes/",
    "/sync/mailboxes/{user}/",
    "/users/",
    "/users/new/",
    "/users/{user}/",
    "/accounts/password/change/",
    "/accounts/logout/",
    "/nowhere/",
]


class Read(HTMLParser):
    """All texts of a page that people see, hear or point at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.texts |= {value for name, value in attributes if value and name in SAID or name.startswith("data-")}

    def handle_data(self, data: str) -> None:
        self.texts.add(" ".join(data.split()))


def english_on(page: str) -> set[str]:
    """What a Danish page says in English although the catalogue has Danish for it."""
    foreign = {entry.msgid for entry in catalogue() if danish(entry)[0] != entry.msgid}
    return Read(page).texts & foreign


@pytest.fixture
def places(client: Client, db: None) -> dict[str, object]:
    """An administrator, signed in, with one of everything; what the addresses of its pages need."""
    setup = SetupFactory(user=AdministratorFactory(), enabled_at=timezone.now(), last_sync_at=timezone.now())
    client.force_login(setup.user)
    done = RunFactory(setup=setup, counts={"outlook": {"created": 1}, "skipped": 1})
    change = ChangeFactory(run=done, fields={"city": ["", "Aarhus"]})
    for action in ("update", "link"):
        ChangeFactory(run=done, action=action, fields={"phone": ["1", "2"]}, reason=Reason.TOO_LONG)
    for reason in Reason.values:
        LinkFactory(setup=setup, problem=reason, problem_since=timezone.now())
    return {"user": setup.user.pk, "contact": change.contact.number, "run": done.pk, "setup": setup}


@pytest.mark.parametrize("address", PAGES)
def test_a_danish_page_has_no_english_left(client: Client, places: dict[str, object], address: str) -> None:
    response = client.get(address.format(**places), headers=DANISH)

    assert response.status_code == (404 if address == "/nowhere/" else 200)
    assert not english_on(response.text)


def test_a_held_run_has_no_english_left(client: Client, places: dict[str, object]) -> None:
    brakes = [{"brake": "deletions", "side": "outlook", "cause": "left_filter", "count": 30, "limit": 20}]
    run = RunFactory(setup=places["setup"], outcome="held", brakes=brakes)

    response = client.get(run.get_absolute_url(), headers=DANISH)

    assert "30\u00a0kontakter vil blive fjernet fra din Outlook." in response.text
    assert not english_on(response.text)


@pytest.mark.parametrize("address", OPEN_PAGES)
def test_a_danish_page_for_anybody_has_no_english_left(client: Client, db: None, address: str) -> None:
    response = client.get(address, headers=DANISH)

    assert response.headers["content-language"] == "da"
    assert not english_on(response.text)


def test_a_mistake_at_the_sign_in_is_told_in_danish(client: Client, db: None) -> None:
    values = {"login": "nobody@crm.example", "password": "wrong"}

    assert "Mailadressen eller adgangskoden er ikke" in client.post("/accounts/login/", values, headers=DANISH).text


def test_the_mail_with_a_link_for_a_new_password_is_in_danish(client: Client, db: None, settings: Any) -> None:
    settings.EMAIL_IS_SENT = True
    user = UserFactory(name="Bo")

    client.post("/accounts/password/reset/", {"email": user.email}, headers=DANISH)

    (message,) = mail.outbox
    assert message.subject == "Vælg en ny adgangskode til crmsync"
    assert message.body.strip().startswith("Hej Bo\n\nNogen,")


@pytest.mark.parametrize(("language", "shown"), [("en", "1,200 · 4.2\u00a0s"), ("da", "1.200 · 4,2\u00a0s")])
def test_numbers_are_written_as_the_reader_writes_them(language: str, shown: str) -> None:
    with translation.override(language):
        assert f"{words.number(1200)} · {duration(timedelta(seconds=4.2))}" == shown
