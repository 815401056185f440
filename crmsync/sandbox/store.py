"""The tenant's state: one SQLite file, so that a restart keeps it.

One connection for each thread; one write transaction at a time, under a lock of this process (SQLite's own waiting
sleeps, which would cost more than the write). Every change takes the next number of one counter: entry ids, change keys
and the marks of a delta chain are all such numbers.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmsync.sandbox.switches import Switches

SCHEMA_VERSION = 1  # another one with every change to SCHEMA
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person (
    oid TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, upn TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL, password TEXT NOT NULL, mailbox TEXT NOT NULL, polls INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folder (
    number INTEGER PRIMARY KEY, oid TEXT NOT NULL, parent INTEGER, name TEXT NOT NULL COLLATE NOCASE,
    kind TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS folder_of ON folder (oid, parent, name);
CREATE TABLE IF NOT EXISTS item (
    number INTEGER PRIMARY KEY, oid TEXT NOT NULL, folder INTEGER NOT NULL, entry INTEGER NOT NULL UNIQUE,
    kind TEXT NOT NULL, change INTEGER NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
    sort_key TEXT NOT NULL, body TEXT NOT NULL, came_from INTEGER
);
CREATE INDEX IF NOT EXISTS item_in ON item (folder, number);
CREATE INDEX IF NOT EXISTS item_by_name ON item (folder, sort_key, number);
CREATE TABLE IF NOT EXISTS email (item INTEGER NOT NULL, oid TEXT NOT NULL, address TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS email_of ON email (item);
CREATE INDEX IF NOT EXISTS email_is ON email (oid, address);
CREATE TABLE IF NOT EXISTS extended (
    item INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (item, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS extended_is ON extended (key, value);
CREATE TABLE IF NOT EXISTS photo (item INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS change (
    folder INTEGER NOT NULL, item INTEGER NOT NULL, seq INTEGER NOT NULL, gone INTEGER NOT NULL, entry INTEGER NOT NULL,
    first INTEGER NOT NULL, born INTEGER NOT NULL, left INTEGER NOT NULL, left_entry INTEGER NOT NULL,
    at REAL NOT NULL, poll INTEGER NOT NULL, born_at REAL NOT NULL, born_poll INTEGER NOT NULL,
    PRIMARY KEY (folder, item)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS change_in ON change (folder, seq);
CREATE TABLE IF NOT EXISTS chain (number INTEGER PRIMARY KEY, folder INTEGER NOT NULL, highest INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS chain_of ON chain (folder);
CREATE TABLE IF NOT EXISTS code (code TEXT PRIMARY KEY, oid TEXT NOT NULL, details TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh (
    token TEXT PRIMARY KEY, oid TEXT NOT NULL, client TEXT NOT NULL, scope TEXT NOT NULL, revoked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault (number INTEGER PRIMARY KEY, rule TEXT NOT NULL);
"""
TABLES = ("person", "folder", "item", "email", "extended", "photo", "change", "chain", "code", "refresh", "fault")


@dataclass(frozen=True)
class News:
    """A contact of a folder was created, updated or deleted (`kind`)."""

    oid: str
    folder: int
    item: int
    entry: int
    change: int
    kind: str


class Store:
    """The state file at `path`, made when it isn't there."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._local = threading.local()
        self._writing = threading.RLock()
        self._counter = self._saved = 0
        self._news: list[News] = []
        self.listener: Callable[[list[News]], None] = lambda news: None
        self._make_tables()
        self.secret = self._remembered("secret", secrets.token_hex(32))
        self._counter = self._saved = int(self._remembered("counter", "1000"))
        self.switches = Switches().changed(json.loads(self._remembered("switches", "{}")))

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, cached_statements=256)
            connection.row_factory = sqlite3.Row
            # A power cut may lose the last seconds of a rehearsal; a crash of the process loses nothing.
            connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-4000")
            self._local.connection = connection
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Inside another one, part of that."""
        with self._writing:
            db = self.db
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                if self._counter != self._saved:
                    db.execute("UPDATE meta SET value = ? WHERE name = 'counter'", (self._counter,))
            except BaseException:
                db.execute("ROLLBACK")
                self._news = []
                raise
            db.execute("COMMIT")
            self._saved = self._counter
            news, self._news = self._news, []
        if news:
            self.listener(news)

    def tell(self, news: News) -> None:
        """Have the listener hear of it once the transaction is through. Only inside `write`."""
        self._news.append(news)

    def next(self) -> int:
        """The next number of the counter. Only inside `write`."""
        self._counter += 1
        return self._counter

    def turn(self, **values: Any) -> None:
        """Set switches, for now and for after a restart. ValueError if one is none."""
        with self.write() as db:
            switches = self.switches.changed(values)
            db.execute("UPDATE meta SET value = ? WHERE name = 'switches'", (json.dumps(switches.turned()),))
            self.switches = switches

    def reset(self) -> None:
        """An empty tenant, with every switch as it was made. The counter goes on, so that no id comes twice."""
        with self.write() as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")
            db.execute("UPDATE meta SET value = '{}' WHERE name = 'switches'")
            self.switches = Switches()

    def _make_tables(self) -> None:
        found = self.db.execute("PRAGMA user_version").fetchone()[0]
        if found not in {0, SCHEMA_VERSION}:
            raise ValueError(f"{self.path} was made by another version of the sandbox. Remove it to start afresh.")
        self.db.executescript(f"{SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")

    def _remembered(self, name: str, default: str) -> str:
        with self.write() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, default))
            return str(db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()["value"])
