"""Calls on contact folders."""

from typing import Any

from crmsync.sandbox import odata
from crmsync.sandbox.answers import Answer, Refusal, bad_request
from crmsync.sandbox.call import Call
from crmsync.sandbox.mailbox import CONTACTS, Folder


def entity(call: Call, folder: Folder) -> dict[str, Any]:
    ids = call.mailbox.ids
    return {
        "id": ids.folder(folder.number),
        "parentFolderId": ids.folder(folder.parent or 0),
        "displayName": folder.name,
    }


def listing(call: Call, parent: str = "") -> Answer:
    """The folders under `parent` or the main Contacts folder, which itself is in no list (a switch)."""
    above = call.mailbox.folder_by_id(parent or CONTACTS)
    folders = call.mailbox.folders(above.number)
    if not parent and call.switches.list_default_folder:
        folders.insert(0, above)
    if wanted := odata.folder_filter(call.query):
        folders = [folder for folder in folders if folder.name.casefold() == wanted.name.casefold()]
    top = odata.number(call.query, "$top", call.switches.list_page)
    skip = odata.number(call.query, "$skip", 0)
    path = f"{call.owner}/contactFolders" + (f"('{parent}')/childFolders" if parent else "")
    body: dict[str, Any] = {"@odata.context": f"{call.context}/contactFolders"}
    if call.query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(folders)
    body["value"] = [entity(call, folder) for folder in folders[skip : skip + top]]
    if len(folders) > skip + top:
        body["@odata.nextLink"] = f"{call.root}{path}?{odata.next_query(call.query, top, skip + top)}"
    return Answer(200, body)


def get(call: Call, key: str) -> Answer:
    folder = call.mailbox.folder_by_id(key)
    return Answer(200, {"@odata.context": f"{call.context}/contactFolders/$entity", **entity(call, folder)})


def create(call: Call, parent: str = "") -> Answer:
    name = call.body.get("displayName") if isinstance(call.body, dict) else None
    folder = call.mailbox.create_folder(name, call.mailbox.folder_by_id(parent or CONTACTS))
    return Answer(201, {"@odata.context": f"{call.context}/contactFolders/$entity", **entity(call, folder)})


def update(call: Call, key: str) -> Answer:
    folder = call.mailbox.folder_by_id(key)
    if not isinstance(call.body, dict) or "displayName" not in call.body:
        raise bad_request("Only the displayName of a folder can be changed.")
    folder = call.mailbox.rename_folder(folder, call.body["displayName"])
    return Answer(200, {"@odata.context": f"{call.context}/contactFolders/$entity", **entity(call, folder)})


def delete(call: Call, key: str) -> Answer:
    call.mailbox.delete_folder(call.mailbox.folder_by_id(key))
    return Answer(204)


def delta(call: Call) -> Answer:
    raise Refusal(501, "NotImplemented", "Changes of folders are not modelled here.")
