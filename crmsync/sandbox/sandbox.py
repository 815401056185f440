"""The tenant as a whole: its registration, its state, and the parts that work on it."""

from dataclasses import dataclass
from pathlib import Path

from crmsync.sandbox.faults import Faults
from crmsync.sandbox.graph import Graph
from crmsync.sandbox.store import Store
from crmsync.sandbox.subscriptions import Subscriptions
from crmsync.sandbox.tenant import People
from crmsync.sandbox.tokens import Tokens
from crmsync.sandbox.traffic import Traffic


@dataclass(frozen=True)
class Registration:
    """The tenant, and the one application that is registered in it."""

    tenant: str = "8f3c5a1e-6b2d-4c7a-9e10-5d2b7a4c8f01"
    client_id: str = "2b9d4f60-1c3e-4a58-8f72-0e6d5c4b3a21"
    client_secret: str = "sandbox-secret"


class Sandbox:
    """Everything behind the application, for its parts to share."""

    def __init__(self, state: Path, registration: Registration) -> None:
        self.registration = registration
        self.store = Store(state)
        self.people = People(self.store)
        self.faults = Faults(self.store)
        self.traffic = Traffic()
        self.tokens = Tokens(self.store, registration.tenant)
        self.graph = Graph(self.store, self.faults, self.traffic)
        self.subscriptions = Subscriptions(self.people)

    def reset(self) -> None:
        """An empty tenant without faults, its log empty."""
        self.store.reset()
        self.faults.remove()
        self.subscriptions.clear()
        self.traffic.clear()
