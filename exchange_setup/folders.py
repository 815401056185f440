"""Which folder of the mailbox is synced: followed by its id, adopted by its name, or made."""

from dataclasses import dataclass, replace

from exchange_setup.graph.client import Folder, GraphClient, same_name
from exchange_setup.models import FOLDER, ExchangeSync


@dataclass(frozen=True)
class FoundFolder:
    """`created`: it was made just now, so that it is empty."""

    folder: Folder
    created: bool


def ensure_folder(setup: ExchangeSync, graph: GraphClient) -> FoundFolder:
    """The setup's folder, as it is called now; what was learnt about it is stored.

    A folder that was once found is known by its id: renamed it is followed, and when it is gone FolderGone is raised.
    Only a setup without an id takes the folder that has the name (case aside), or has one made.
    """
    if setup.folder_id:
        folder = replace(graph.folder(setup.folder_id), is_main=setup.folder_is_main)
        found = FoundFolder(folder, created=False)
    else:
        found = find_or_make(setup.folder_name, graph)
    remember(setup, found.folder)
    return found


def find_or_make(name: str, graph: GraphClient) -> FoundFolder:
    existing = by_name(name, graph)
    if existing:
        return FoundFolder(existing, created=False)
    return FoundFolder(graph.create_folder(name), created=True)


def find_folder(setup: ExchangeSync, graph: GraphClient) -> Folder | None:
    """The folder that `ensure_folder` would take, None where it would make one. Changes nothing in Outlook."""
    folder = graph.folder(setup.folder_id) if setup.folder_id else by_name(setup.folder_name, graph)
    if folder and not setup.folder_id:
        remember(setup, folder)
    return folder


def by_name(name: str, graph: GraphClient) -> Folder | None:
    return next((folder for folder in graph.folders() if same_name(folder.name, name)), None)


def remember(setup: ExchangeSync, folder: Folder) -> None:
    """Store the folder's id and what it is called now, where that is news."""
    if (setup.folder_id, setup.folder_name, setup.folder_is_main) != (folder.id, folder.name, folder.is_main):
        setup.note_folder(folder.id, folder.name, folder.is_main)
        setup.save(update_fields=FOLDER)
