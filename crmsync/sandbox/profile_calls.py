"""Calls on the person: who am I, and translating ids."""

from typing import Any

from crmsync.sandbox.answers import Answer, Refusal, bad_request
from crmsync.sandbox.call import Call
from crmsync.sandbox.tenant import People


def profile(call: Call) -> Answer:
    """The person whose mailbox it is."""
    person = People(call.mailbox.store).find(call.mailbox.oid)
    first, _, last = person["name"].partition(" ")
    row: dict[str, Any] = {
        "businessPhones": [],
        "displayName": person["name"],
        "givenName": first or None,
        "jobTitle": None,
        "mail": person["email"],
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": last or None,
        "userPrincipalName": person["upn"],
        "id": person["oid"],
    }
    select = [name.strip() for name in call.query.get("$select", "").split(",") if name.strip()]
    if select:
        row = {name: row[name] for name in select if name in row}
    return Answer(200, {"@odata.context": f"{call.root}/$metadata#users/$entity", **row})


def translate_ids(call: Call) -> Answer:
    """REST ids to immutable ones and back."""
    body = call.body if isinstance(call.body, dict) else {}
    known = {"restid": False, "restimmutableentryid": True}
    target = known.get(str(body.get("targetIdType", "")).lower())
    texts = body.get("inputIds")
    if target is None or str(body.get("sourceIdType", "")).lower() not in known or not isinstance(texts, list):
        raise bad_request("Only restId and restImmutableEntryId are translated here.")
    if len(texts) > 1000:
        raise bad_request("No more than 1000 ids can be translated at a time.")
    rows = []
    for text in texts:
        try:
            rows.append(
                {"sourceId": text, "targetId": call.mailbox.item_id(call.mailbox.item_by_id(str(text)), target)}
            )
        except Refusal as refusal:
            rows.append({"sourceId": text, "errorDetails": {"code": refusal.code, "message": refusal.message}})
    return Answer(200, {"@odata.context": f"{call.root}/$metadata#Collection(convertIdResult)", "value": rows})
