"""/people: the mailbox as its owner sees it in Outlook, so that anybody can play the other side of a sync.

Whose mailbox it is stands in the address, so two people can be played in two tabs. Every change is a form with a token.
"""

import secrets
import sqlite3
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for

from crmsync.sandbox import contact, people_form, people_switches
from crmsync.sandbox.answers import Refusal
from crmsync.sandbox.contact import Edit
from crmsync.sandbox.mailbox import CONTACT, CONTACTS, DELETED, ITEM_COLUMNS, Folder, Item, Mailbox
from crmsync.sandbox.sandbox import Sandbox
from crmsync.sandbox.tenant import UnknownPerson

PAGE = 100
SEARCHED = ("companyName", "emailAddresses", "businessPhones", "mobilePhone")


def pages(sandbox: Sandbox) -> Blueprint:
    """The addresses of the People page."""
    blueprint = Blueprint("people", __name__, url_prefix="/people")
    blueprint.before_request(_check_token)
    blueprint.app_context_processor(lambda: {"form_token": _token})
    blueprint.register_error_handler(UnknownPerson, lambda error: (_problem(f"Nobody here is {error}."), 404))
    blueprint.register_error_handler(Refusal, lambda error: (_problem(error.message), error.status))
    people_switches.add_pages(blueprint, sandbox)

    @blueprint.get("/")
    def pick() -> str:
        return render_template("pick.html", people=sandbox.people.all())

    @blueprint.get("/<email>/")
    def home(email: str) -> Any:
        folder = sandbox.people.mailbox(email).special(CONTACTS)
        return redirect(url_for("people.folder", email=email, number=folder.number))

    _folder_pages(blueprint, sandbox)
    _contact_pages(blueprint, sandbox)
    return blueprint


class Desk:
    """One person's mailbox on the page: what its panes show."""

    def __init__(self, sandbox: Sandbox, email: str) -> None:
        self.person: sqlite3.Row = sandbox.people.find(email)
        self.mailbox = Mailbox(sandbox.store, self.person)

    def page(self, folder: Folder, *, item: Item | None = None, editing: Any = None, **extra: Any) -> str:
        """The three panes: folders, the list of `folder`, and `item` as a card or in the form `editing`."""
        words, start = request.args.get("q", "").strip(), max(0, request.args.get("from", 0, type=int))
        found, total = self.found(folder, words, start)
        deleted = self.mailbox.special(DELETED)
        return render_template(
            "people.html",
            person=self.person,
            folders=self.mailbox.folders(),
            deleted=deleted,
            deleted_folders=self.mailbox.folders(deleted=True) if folder.number == deleted.number else [],
            counts=self.counts(),
            folder=folder,
            items=found,
            total=total,
            words=words,
            start=start,
            page=PAGE,
            item=item,
            is_deleted=folder.kind == DELETED or folder.deleted,
            extended=self.extended(item) if item else {},
            change_key=self.mailbox.ids.change_key(item.change) if item else "",
            ids=(self.mailbox.item_id(item, True), self.mailbox.item_id(item, False)) if item else (),
            editing=editing,
            form=people_form,
            contact=contact,
            **extra,
        )

    def found(self, folder: Folder, words: str, start: int) -> tuple[list[Item], int]:
        """A page of the folder's contacts by name, those with all of `words` in them, and how many there are."""
        where, values = "item.folder = ? AND item.kind = ?", [folder.number, CONTACT]
        for word in words.split():
            parts = [f"json_extract(item.body, '$.{name}') LIKE ?" for name in SEARCHED]
            where += f" AND (item.sort_key LIKE ? OR {' OR '.join(parts)})"
            values += [f"%{word.casefold()}%", *[f"%{word}%"] * len(parts)]
        db = self.mailbox.store.db
        total = db.execute(f"SELECT count(*) FROM item WHERE {where}", values).fetchone()[0]
        rows = db.execute(
            f"SELECT {ITEM_COLUMNS} FROM item WHERE {where} ORDER BY sort_key, number LIMIT ? OFFSET ?",
            [*values, PAGE, start],
        )
        return [Item.of(row) for row in rows], total

    def counts(self) -> dict[int, int]:
        rows = self.mailbox.store.db.execute(
            "SELECT folder, count(*) FROM item WHERE oid = ? GROUP BY folder", (self.mailbox.oid,)
        )
        return {row[0]: row[1] for row in rows}

    def extended(self, item: Item) -> dict[str, str]:
        return {key: value for key, _, value in self.mailbox.extended([item.number])[item.number]}

    def to_folder(self, number: int, message: str) -> Any:
        flash(message)
        return redirect(url_for("people.folder", email=self.person["email"], number=number))

    def to_item(self, item: Item, message: str) -> Any:
        flash(message)
        return redirect(url_for("people.card", email=self.person["email"], number=item.number))


# --- Folders --------------------------------------------------------------------------------------------------------


def _folder_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/<email>/folders/<int:number>/")
    def folder(email: str, number: int) -> str:
        desk = Desk(sandbox, email)
        return desk.page(desk.mailbox.folder(number))

    @blueprint.post("/<email>/folders/new")
    def new_folder(email: str) -> Any:
        desk = Desk(sandbox, email)
        made = desk.mailbox.create_folder(request.form.get("name", ""))
        return desk.to_folder(made.number, f"The folder {made.name} is there.")

    @blueprint.post("/<email>/folders/<int:number>/<any(rename, delete, restore, empty):verb>")
    def change_folder(email: str, number: int, verb: str) -> Any:
        desk = Desk(sandbox, email)
        mailbox, folder = desk.mailbox, desk.mailbox.folder(number)
        if verb == "rename":
            renamed = mailbox.rename_folder(folder, request.form.get("name", ""))
            return desk.to_folder(number, f"The folder is now named {renamed.name}.")
        if verb == "delete":
            mailbox.delete_folder(folder)
            return desk.to_folder(mailbox.special(CONTACTS).number, f"{folder.name} was moved to Deleted items.")
        if verb == "restore":
            mailbox.restore_folder(folder)
            return desk.to_folder(number, f"{folder.name} is back.")
        count = mailbox.empty(folder)
        gone = "for good" if folder.kind == DELETED else "to Deleted items"
        return desk.to_folder(number, f"{count} contacts went {gone}.")


# --- Contacts -------------------------------------------------------------------------------------------------------


def _contact_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/<email>/contacts/<int:number>/")
    def card(email: str, number: int) -> str:
        desk = Desk(sandbox, email)
        item = desk.mailbox.item(number)
        return desk.page(desk.mailbox.folder(item.folder), item=item)

    @blueprint.route("/<email>/folders/<int:number>/new", methods=["GET", "POST"])
    def new_contact(email: str, number: int) -> Any:
        desk = Desk(sandbox, email)
        folder = desk.mailbox.folder(number)
        if request.method == "GET":
            return desk.page(folder, editing={})
        try:
            edit = _edit(None, {})
            item = desk.mailbox.add(folder, edit)
        except Refusal as refusal:
            return desk.page(folder, editing=request.form, problem=refusal.message), 400
        return desk.to_item(item, "The contact was added.")

    @blueprint.route("/<email>/contacts/<int:number>/edit", methods=["GET", "POST"])
    def edit_contact(email: str, number: int) -> Any:
        desk = Desk(sandbox, email)
        item = desk.mailbox.item(number)
        folder, extended = desk.mailbox.folder(item.folder), desk.extended(item)
        if request.method == "GET":
            return desk.page(folder, item=item, editing=people_form.filled(item, extended))
        try:
            edit = _edit(item, extended)
            if edit.values or edit.extended:
                with sandbox.store.write():
                    desk.mailbox.update(desk.mailbox.item(number), edit)
        except Refusal as refusal:
            return desk.page(folder, item=item, editing=request.form, problem=refusal.message), 400
        return desk.to_item(item, "The contact was saved.")

    @blueprint.post("/<email>/contacts/<int:number>/<any(delete, restore, purge, move, copy):verb>")
    def change_contact(email: str, number: int, verb: str) -> Any:
        with sandbox.store.write():
            return _done(Desk(sandbox, email), number, verb)


def _done(desk: Desk, number: int, verb: str) -> Any:
    """Do what a button of the card says; where the person goes then."""
    mailbox, item = desk.mailbox, desk.mailbox.item(number)
    before = item.folder
    if verb == "delete":
        mailbox.remove(item)
        return desk.to_folder(before, "The contact was moved to Deleted items.")
    if verb == "purge":
        mailbox.purge(item)
        return desk.to_folder(before, "The contact is gone for good.")
    if verb == "restore":
        item = mailbox.restore(item)
        return desk.to_item(item, f"The contact is back in {mailbox.folder(item.folder).name}.")
    target = mailbox.folder(request.form.get("folder", 0, type=int))
    if verb == "copy":
        return desk.to_item(mailbox.copy(item, target), f"This is the copy in {target.name}.")
    return desk.to_item(mailbox.move(item, target), f"The contact was moved to {target.name}.")


def _edit(item: Item | None, extended: dict[str, str]) -> Edit:
    """The edit that the sent form makes. Refusal if Exchange would not take it."""
    values = people_form.sent(request.form, item, extended)
    if not item and not values:
        raise Refusal(400, "", "Give the contact a name, a company or an e-mail first.")
    return contact.read_body(values, people_switches.DEFAULT)


# --- Tokens and errors ----------------------------------------------------------------------------------------------


def _token() -> str:
    """The token that this browser's forms carry."""
    return str(session.setdefault("token", secrets.token_urlsafe(16)))


def _check_token() -> None:
    if request.method == "POST" and not secrets.compare_digest(request.form.get("form_token", ""), _token()):
        message = "This form is not from this page, or is too old. Go back, load the page again and try once more."
        raise Refusal(400, "", message)


def _problem(message: str) -> str:
    return render_template("problem.html", message=message)
