"""Both sides whole, for comparing: whatever the way there, the end must be the same."""

from typing import Any

from contacts.models import Contact
from crmsync.sync.models import ContactLink
from tests.outlook import Mailbox
from tests.scene import FOLDER, Salesperson

COMPARED = [
    "number", "type", "first_name", "middle_name", "surname", "initials", "name", "title", "job_title", "department",
    "company_name", "email", "email_2", "email_3", "phone", "phone_2", "mobile_phone", "home_phone", "fax", "home_page",
    "address", "address_2", "city", "county", "post_code", "country", "birthday", "notes", "salesperson", "company",
]  # fmt: skip
PASSING = {"id", "defaultId", "createdDateTime", "lastModifiedDateTime", "changeKey", "parentFolderId"}


def settle(jens: Salesperson, runs: int = 3) -> None:
    """Sync until there is nothing to do; that must not take long, and then really nothing is done."""
    for _ in range(runs):
        report = jens.sync()
        assert report["outcome"] == "done", report
        if not report["changes"] and report["requests"] == 1:
            return
    raise AssertionError(f"{report['requests']} requests: {report['changes']}")


def quiet(jens: Salesperson) -> bool:
    """Whether a further run finds nothing to do, in one request.

    The first after a removal of ours may need another to see that the item is gone, and was not brought back at once.
    """
    report = jens.sync()
    if report["requests"] == 2 and not report["changes"]:
        report = jens.sync()
    return report["outcome"] == "done" and report["changes"] == [] and report["requests"] == 1


def both_sides(jens: Salesperson) -> dict[str, object]:
    """Everything that matters of both sides and of what pairs them."""
    contacts = [
        {**{name: getattr(contact, name) for name in COMPARED}, "trashed": contact.is_trashed}
        for contact in Contact.objects.order_by("number")
    ]
    folders = {folder: contents(jens.outlook, folder) for folder in (FOLDER, "Contacts", "Deleted Items")}
    names = {item["id"]: item["displayName"] for folder in folders for item in jens.outlook.contacts(folder)}
    links = sorted(
        (link.state, link.contact.number if link.contact else "", names.get(link.outlook_id, ""), link.problem)
        for link in ContactLink.objects.select_related("contact")
    )
    return {"contacts": contacts, "folders": folders, "links": links}


def contents(mailbox: Mailbox, folder: str) -> list[dict[str, Any]]:
    """The items of a folder in a lasting order, without ids, dates and markers."""
    items = []
    for item in mailbox.contacts(folder):
        extended = {key: value for key, value in item["extended"].items() if "CrmMarker" not in key}
        items.append({name: value for name, value in item.items() if name not in PASSING} | {"extended": extended})
    return sorted(items, key=lambda item: str(sorted(item.items(), key=str)))


def differences(expected: object, found: object, place: str = "") -> list[str]:
    """Where two nests of dicts and lists differ, told shortly."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [line for key in expected for line in differences(expected[key], found[key], f"{place}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for at, (one, other) in pairs for line in differences(one, other, f"{place}/{at}")]
    return [] if expected == found else [f"{place}: {expected!r} != {found!r}"]
