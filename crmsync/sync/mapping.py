"""Graph JSON ↔ ContactFields, and Contact ↔ ContactFields. Loops over the field table; touches nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from email_validator import EmailNotValidError, validate_email

from contacts.models import Contact, full_name
from crmsync.sync.choices import Reason
from crmsync.sync.fields import BY_NAME, EMAILS, FIELDS, ContactFields, Field, normalise, normalised, with_positions
from crmsync.sync.slots import Broken, Json, NotUnderstood, as_list, as_text, close_holes, extended
from exchange_setup.graph.properties import MARKER, PERSONAL_HOME_PAGE, SENSITIVITY

CATEGORY = "CRM"
PRIVATE = {"1", "2"}  # MAPI's PidTagSensitivity: personal, private
MARKED_PRIVATE = "2"
RAW = ("emailAddresses", "businessPhones", "homePhones", "businessAddress", "categories")
PARTS = {field.slot.property for field in FIELDS} | {"id", "displayName", "parentFolderId"}
COLUMNS = {column.name: column for column in Contact._meta.concrete_fields}
LIMITS: dict[str, int | None] = {name: COLUMNS[name].max_length for name in BY_NAME}


@dataclass(frozen=True)
class OutlookItem:
    """An Outlook contact, read: `kept_out` are fields whose value the CRM cannot take, {name: (reason, text)}."""

    id: str
    fields: dict[str, str]
    kept_out: dict[str, tuple[str, str]]
    raw: Json
    change_key: str
    folder_id: str
    created_at: datetime | None
    modified_at: datetime | None
    name: str
    problem: str

    @property
    def email(self) -> str:
        return self.fields["email"].lower()


def read_whole(item: Json) -> OutlookItem:
    """`read_item` for a whole item. Raises Broken where a part is missing too: that does not mean that it is empty."""
    if missing := PARTS - item.keys():
        raise Broken(f"{min(missing)} is missing")
    return read_item(item)


def read_fields(item: Json, fields: Iterable[Field] = FIELDS) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The values of `fields` in `item`, and those that are kept out. Raises Broken."""
    values: dict[str, str] = {}
    kept_out: dict[str, tuple[str, str]] = {}
    for field in fields:
        try:
            values[field.name] = accepted(field.name, normalise(field.slot.read(item), multiline=field.multiline))
        except NotUnderstood as error:
            values[field.name] = ""
            kept_out[field.name] = (Reason.NOT_UNDERSTOOD, error.text[:200])
        except Unacceptable as error:
            values[field.name] = ""
            kept_out[field.name] = (error.reason, error.text)
    return values, kept_out


def read_item(item: Json) -> OutlookItem:
    """`item` as Graph sent it, with its extended properties where they are known. Raises Broken."""
    values, kept_out = read_fields(item)
    shown = normalise(as_text(item.get("displayName")))[:400]
    parts = full_name(*(values[field.name] for field in FIELDS if field.part_of_name))
    return OutlookItem(
        id=as_text(item["id"]),
        fields=values,
        kept_out=kept_out,
        raw={name: item[name] for name in RAW if item.get(name)},
        change_key=change_key(item),
        folder_id=as_text(item.get("parentFolderId")),
        created_at=moment(item.get("createdDateTime")),
        modified_at=moment(item.get("lastModifiedDateTime")),
        name=(parts or shown)[:400],
        problem=why_not(item, values, kept_out, parts, shown),
    )


def change_key(item: Json) -> str:
    """The item's version, '' where it has none: letters of a header, since that is how it goes back."""
    key = as_text(item.get("changeKey"))
    if len(key) > 255 or not (key.isascii() and key.isprintable()):
        raise Broken("a change key that cannot be one")
    return key


class Unacceptable(ValueError):
    """A value that the CRM cannot take."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def accepted(name: str, value: str) -> str:
    """`value`, if the CRM's own form would take it for this field. Raises Unacceptable."""
    if not fits(name, value):
        raise Unacceptable(Reason.TOO_LONG, f"{len(value)} > {LIMITS[name]}")
    if name in EMAILS and value and not is_email(value):
        raise Unacceptable(Reason.BAD_EMAIL, value[:200])
    return value


def fits(name: str, value: str) -> bool:
    limit = LIMITS[name]
    return limit is None or len(value) <= limit


@lru_cache(maxsize=4096)  # the same address is looked at in the plan, in the answer and in the echo
def is_email(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def why_not(item: Json, values: ContactFields, kept_out: Mapping[str, tuple[str, str]], parts: str, shown: str) -> str:
    """The reason why such an item can never enter the CRM as it stands, '' for none."""
    if extended(item).get(SENSITIVITY.lower()) in PRIVATE:
        return Reason.PRIVATE
    if not parts and values["company_name"]:
        return Reason.NOT_A_PERSON
    if "email" in kept_out:
        return Reason.BAD_EMAIL
    if not values["email"]:
        return Reason.NO_EMAIL
    if any(field.part_of_name and field.name in kept_out for field in FIELDS):
        return Reason.TOO_LONG
    if parts:
        return ""
    if not shown or "@" in shown:
        return Reason.NO_NAME
    return "" if all(fits(name, part) for name, part in split_name(shown).items()) else Reason.TOO_LONG


def moment(value: Any) -> datetime | None:
    """A Graph timestamp, None for anything else."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else None


def split_name(shown: str) -> dict[str, str]:
    """First name and surname from a name in one piece: the last word is the surname."""
    first, _, last = shown.rpartition(" ")
    return {"first_name": first or last, "surname": last if first else ""}


def stamped(item_categories: Iterable[str]) -> list[str]:
    """The user's own categories, and ours."""
    kept = [name for name in item_categories if name != CATEGORY]
    return [*kept, CATEGORY]


def categories_of(raw: Json) -> list[str]:
    try:
        return [as_text(name) for name in as_list(raw.get("categories"))]
    except Broken:
        return []


def item_body(names: Iterable[str], target: ContactFields, raw: Json, kept_out: Iterable[str] = ()) -> Json:
    """The JSON that makes Outlook hold `target` in the fields `names`, and leaves all else as it is in `raw`."""
    changed = set(names)
    label = full_name(*(target[field.name] for field in FIELDS if field.part_of_name))
    body: Json = {}
    places = with_positions(changed) - (set(kept_out) - changed)
    for field in FIELDS:
        if field.name in places:
            field.slot.write(body, raw, target[field.name], label)
    if any(BY_NAME[name].part_of_name for name in changed):
        body["displayName"] = label
    close_holes(body)
    return body


def stamp(body: Json, marker: object, link: str = "") -> Json:
    """`body` with our marker and, where given, the address of the contact's page in the CRM."""
    properties = body.setdefault("singleValueExtendedProperties", [])
    properties.append({"id": MARKER, "value": str(marker)})
    if link:
        properties.append({"id": PERSONAL_HOME_PAGE, "value": link})
    return body


def contact_fields(contact: Contact) -> dict[str, str]:
    """What the CRM holds, in the form that both sides are compared in."""
    return normalised({name: as_stored(getattr(contact, name)) for name in BY_NAME})


def as_stored(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(getattr(value, "code", value) or "")


def contact_values(fields: Mapping[str, str]) -> dict[str, Any]:
    """The reverse of `contact_fields`: attributes to assign."""
    values: dict[str, Any] = dict(fields)
    if "birthday" in values:
        values["birthday"] = date.fromisoformat(values["birthday"]) if values["birthday"] else None
    return values
