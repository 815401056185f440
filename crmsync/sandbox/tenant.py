"""The tenant's people."""

import sqlite3
import uuid

from crmsync.sandbox.mailbox import CONTACTS, DELETED, Mailbox
from crmsync.sandbox.store import Store


class UnknownPerson(LookupError):
    """Nobody of this tenant has that address or id."""


class People:
    """Who is in the tenant of `store`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> list[sqlite3.Row]:
        return self.store.db.execute("SELECT * FROM person ORDER BY name, email").fetchall()

    def find(self, reference: str) -> sqlite3.Row:
        """The person with this object id, user principal name or e-mail. UnknownPerson if there is none."""
        row: sqlite3.Row | None = self.store.db.execute(
            "SELECT * FROM person WHERE oid = :it UNION SELECT * FROM person WHERE upn = :it"
            " UNION SELECT * FROM person WHERE email = :it",
            {"it": reference},
        ).fetchone()
        if row is None:
            raise UnknownPerson(reference)
        return row

    def mailbox(self, reference: str) -> Mailbox:
        return Mailbox(self.store, self.find(reference))

    def add(self, email: str, name: str = "", password: str = "", upn: str = "") -> sqlite3.Row:
        """A person with an empty mailbox; one who is already there gets the new name and password."""
        with self.store.write() as db:
            oid = str(uuid.uuid4())
            row = db.execute(
                "INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, 0)"
                " ON CONFLICT (email) DO UPDATE SET name = excluded.name, password = excluded.password RETURNING oid",
                (oid, email, upn or email, name or email.partition("@")[0], password, str(uuid.uuid4())),
            ).fetchone()
            if row["oid"] == oid:
                for kind, label in ((CONTACTS, "Contacts"), (DELETED, "Deleted Items")):
                    number = self.store.next()
                    db.execute(
                        "INSERT INTO folder (number, oid, parent, name, kind, change) VALUES (?, ?, NULL, ?, ?, ?)",
                        (number, oid, label, kind, number),
                    )
        return self.find(email)
