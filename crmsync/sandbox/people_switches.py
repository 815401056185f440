"""/people/switches: turning latency, limits and faults on for a rehearsal."""

from dataclasses import fields
from itertools import groupby
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from crmsync.sandbox.faults import WORDS
from crmsync.sandbox.sandbox import Sandbox
from crmsync.sandbox.switches import Switches

DEFAULT = Switches()
SHOWN_REQUESTS = 25
NUMBERS = {"nth": int, "times": int, "status": int, "seconds": float, "rows": int}


def add_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    """The addresses of the switches."""

    @blueprint.get("/switches")
    def switches() -> str:
        return _page(sandbox)

    @blueprint.post("/switches")
    def turn_switches() -> Any:
        values = {
            item.name: item.name in request.form if isinstance(item.default, bool) else request.form.get(item.name, "")
            for item in fields(Switches)
            if isinstance(item.default, bool) or item.name in request.form
        }
        if "defaults" in request.form:
            values = DEFAULT.as_dict()
        try:
            sandbox.store.turn(**values)
        except ValueError as error:
            return _page(sandbox, str(error)), 400
        flash("The switches are set.")
        return redirect(url_for("people.switches"))

    @blueprint.post("/switches/faults")
    def add_fault() -> Any:
        try:
            rule = sandbox.faults.add(**_fault_values())
        except (TypeError, ValueError) as error:
            return _page(sandbox, f"That is no fault: {error}"), 400
        flash(f"On: {WORDS[rule.do]}.")
        return redirect(url_for("people.switches"))

    @blueprint.post("/switches/faults/off")
    def remove_fault() -> Any:
        sandbox.faults.remove(request.form.get("number", type=int))
        flash("Off.")
        return redirect(url_for("people.switches"))


def _page(sandbox: Sandbox, problem: str = "") -> str:
    grouped = groupby(fields(Switches), lambda item: item.metadata["group"])
    return render_template(
        "switches.html",
        groups=[(name, list(items)) for name, items in grouped],
        switches=sandbox.store.switches,
        turned=sandbox.store.switches.turned(),
        faults=sandbox.faults.all(),
        words=WORDS,
        people=sandbox.people.all(),
        requests=list(sandbox.traffic.entries)[: -SHOWN_REQUESTS - 1 : -1],
        problem=problem,
    )


def _fault_values() -> dict[str, Any]:
    """The fault that the form asks for; what is left empty keeps its usual value."""
    values: dict[str, Any] = {name: text for name, text in request.form.items() if text and name != "form_token"}
    for name, kind in NUMBERS.items():
        if name in values:
            values[name] = kind(values[name])
    for name in ("commit", "empty"):
        if name in values:
            values[name] = True
    return values
