"""Google's exports, whose e-mails, phones and addresses are numbered and labelled: "Phone 2 - Value" is a mobile one
where "Phone 2 - Label" (before 2024 "Phone 2 - Type") says so.

A cell may hold several values with ` ::: ` between them. What finds no field of ours goes to the notes.
"""

import re

NUMBERED = re.compile(r"(e-mail|phone|address|organization|website) ([1-9]\d?) - ([a-z .]+)", re.ASCII)
PARTS = {
    "e-mail": {"value", "label"},
    "phone": {"value", "label"},
    "website": {"value"},
    "organization": {"name", "title", "department"},
    "address": {"label", "street", "extended address", "po box", "city", "region", "postal code", "country"},
}
PREFIX = "google"
SEPARATOR = " ::: "
EMAILS = ["email", "email_2", "email_3"]
WORK_PHONES = ["phone", "phone_2"]
WORDS = [  # part of a label → the fields that such a number may stand in
    ("fax", ["fax"]),
    ("mobil", ["mobile_phone"]),
    ("home", ["home_phone"]),
    ("hjem", ["home_phone"]),
    ("privat", ["home_phone"]),
]
WORK = ("work", "arbejde")
OF_ADDRESS = {
    "street": "street",
    "extended address": "street_2",
    "po box": "street_3",
    "city": "city",
    "region": "county",
    "postal code": "post_code",
    "country": "country",
}
OF_COMPANY = {"name": "company_name", "title": "job_title", "department": "department"}
NAME_PARTS = ["first_name", "middle_name", "surname"]
NO_YEAR = re.compile(r"--\d\d-?\d\d", re.ASCII)

Groups = dict[tuple[str, int], dict[str, str]]


def name_of(heading: str) -> str:
    """`google.phone.2.value` for "phone 2 - value", in lower case; '' for what is not one of these."""
    found = NUMBERED.fullmatch(heading)
    if not found:
        return ""
    kind, number, part = found.groups()
    part = "label" if part == "type" else part
    return f"{PREFIX}.{kind}.{number}.{part}" if part in PARTS[kind] else ""


def is_numbered(name: str) -> bool:
    return name.startswith(f"{PREFIX}.")


def gather(cells: dict[str, str]) -> dict[str, str]:
    """The row's cells with the numbered ones put into fields."""
    plain = {name: cell for name, cell in cells.items() if not is_numbered(name)}
    groups: Groups = {}
    for name, cell in cells.items():
        if is_numbered(name):
            _prefix, kind, number, part = name.split(".")
            groups.setdefault((kind, int(number)), {})[part] = cell
    if "birthday" in plain:
        plain["birthday"] = NO_YEAR.sub("", plain["birthday"].strip())  # the CRM holds whole dates alone
    spare = put(plain, "E-mail", [(EMAILS, value) for value in emails(groups)])
    spare += put(plain, "Phone", phones(groups))
    put_address(plain, groups)
    put_company(plain, groups)
    spare += put(plain, "Web", [(["home_page"], value) for _label, value in values(groups, "website")])
    if spare:
        plain["notes"] = "\n".join(filter(None, [plain.get("notes", "").rstrip(), *spare]))
    if not any(plain.get(part, "").strip() for part in NAME_PARTS) and plain.get("name", "").strip():
        plain = {name: cell for name, cell in plain.items() if name not in NAME_PARTS}
    return plain


def values(groups: Groups, kind: str) -> list[tuple[str, str]]:
    """(label, value) of each, the one that Google marks with a star first."""
    found = []
    for (its_kind, number), parts in sorted(groups.items()):
        if its_kind == kind:
            label = parts.get("label", "")
            split = [value.strip() for value in parts.get("value", "").split(SEPARATOR.strip())]
            found += [(not label.startswith("*"), number, label, value) for value in split if value]
    found.sort(key=lambda each: each[:2])
    return [(label.lstrip("* ").casefold(), value) for _is_second, _number, label, value in found]


def emails(groups: Groups) -> list[str]:
    return [value for _label, value in values(groups, "e-mail")]


def phones(groups: Groups) -> list[tuple[list[str], str]]:
    """Each number with the fields that it may stand in, by its label."""
    return [
        (next((fields for word, fields in WORDS if word in label), WORK_PHONES), value)
        for label, value in values(groups, "phone")
    ]


def put(cells: dict[str, str], caption: str, wanted: list[tuple[list[str], str]]) -> list[str]:
    """Each value into the first of its fields that is free; lines for those that find none."""
    spare = []
    for names, value in wanted:
        free = next((name for name in names if not cells.get(name)), None)
        if free:
            cells[free] = value
        elif value not in cells.values():
            spare.append(f"{caption}: {value}")
    return spare


def put_address(cells: dict[str, str], groups: Groups) -> None:
    """The address at work, or else the first."""
    found = [parts for (kind, _number), parts in sorted(groups.items()) if kind == "address"]
    filled = [parts for parts in found if any(parts.get(part, "").strip() for part in OF_ADDRESS)]
    filled.sort(key=lambda parts: not any(word in parts.get("label", "").casefold() for word in WORK))
    if found:
        chosen = filled[0] if filled else {}
        cells |= {name: chosen.get(part, "").strip() for part, name in OF_ADDRESS.items()}


def put_company(cells: dict[str, str], groups: Groups) -> None:
    found = [parts for (kind, _number), parts in sorted(groups.items()) if kind == "organization"]
    if found:
        cells |= {name: found[0].get(part, "").strip() for part, name in OF_COMPANY.items()}
