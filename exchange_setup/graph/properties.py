"""Which properties of a contact are read, and the ids of those that Graph v1.0 keeps only as extended properties.

The two named properties each take one of a mailbox's limited slots for ever, so their ids never change.
"""

MARKER = "String {b3d6f0a4-7c1e-4d59-9a0b-2f6e8c54d1a7} Name CrmMarker"
CRM_LINK = "String {b3d6f0a4-7c1e-4d59-9a0b-2f6e8c54d1a7} Name CrmLink"
FAX = "String 0x3A24"
SENSITIVITY = "Integer 0x36"
PERSONAL_HOME_PAGE = "String 0x3A50"

SELECT = ",".join(
    [
        "id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId", "categories", "displayName",
        "givenName", "middleName", "surname", "initials", "title", "jobTitle", "department", "companyName",
        "emailAddresses", "businessPhones", "mobilePhone", "homePhones", "businessHomePage", "businessAddress",
        "birthday", "personalNotes",
    ]
)  # fmt: skip


def expand(*properties: str) -> str:
    """The value of $expand that brings these extended properties."""
    wanted = " or ".join(f"id eq '{name}'" for name in properties)
    return f"singleValueExtendedProperties($filter={wanted})"


def has_marker(marker: str) -> str:
    """The value of $filter that finds the item with this marker."""
    value = marker.replace("'", "''")
    return f"singleValueExtendedProperties/any(ep: ep/id eq '{MARKER}' and ep/value eq '{value}')"
