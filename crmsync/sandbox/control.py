"""/control: the switches, the faults, the people and what they do in Outlook, as JSON, for tests and for the demo.

No sign-in: the sandbox listens on this machine only, and every change must come as JSON, which no page of another site
can send here.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from crmsync.sandbox.answers import Refusal
from crmsync.sandbox.outlook import Outlook
from crmsync.sandbox.sandbox import Sandbox
from crmsync.sandbox.tenant import UnknownPerson
from crmsync.sandbox.tokens import granted


def pages(sandbox: Sandbox) -> Blueprint:
    """The addresses of the controls."""
    blueprint = Blueprint("control", __name__, url_prefix="/control")
    blueprint.register_error_handler(UnknownPerson, lambda error: (jsonify(error=f"Nobody here is {error}."), 404))
    blueprint.register_error_handler(LookupError, lambda error: (jsonify(error=str(error)), 404))
    blueprint.register_error_handler(ValueError, lambda error: (jsonify(error=str(error)), 400))
    blueprint.register_error_handler(TypeError, lambda error: (jsonify(error=str(error)), 400))
    blueprint.register_error_handler(
        Refusal, lambda error: (jsonify(error=error.message, code=error.code), error.status)
    )

    @blueprint.before_request
    def only_json() -> Any:
        if request.method in {"POST", "PATCH", "PUT"} and not request.is_json:
            return jsonify(error="Send JSON."), 415
        return None

    _tenant_pages(blueprint, sandbox)
    _people_pages(blueprint, sandbox)
    _fault_pages(blueprint, sandbox)
    _folder_pages(blueprint, sandbox)
    _contact_pages(blueprint, sandbox)
    return blueprint


def _tenant_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/")
    def facts() -> Response:
        registration = sandbox.registration
        return jsonify(
            tenant=registration.tenant,
            client_id=registration.client_id,
            people=[_person(person) for person in sandbox.people.all()],
            switches=sandbox.store.switches.turned(),
            faults=[rule.as_dict() for rule in sandbox.faults.all()],
        )

    @blueprint.post("/reset")
    def reset() -> Response:
        sandbox.reset()
        return jsonify({})

    @blueprint.get("/notifications")
    def notified() -> Response:
        return jsonify(answered=sandbox.subscriptions.settle())

    @blueprint.post("/lifecycle")
    def lifecycle() -> Response:
        sandbox.subscriptions.lifecycle(request.get_json()["event"])
        return jsonify(answered=sandbox.subscriptions.settle())

    @blueprint.get("/settings")
    def settings() -> Response:
        return jsonify(sandbox.store.switches.as_dict())

    @blueprint.post("/settings")
    def turn() -> Response:
        sandbox.store.turn(**request.get_json())
        return jsonify(sandbox.store.switches.as_dict())


def _people_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/people")
    def all_people() -> Response:
        return jsonify([_person(person) for person in sandbox.people.all()])

    @blueprint.post("/people")
    def add_person() -> Response:
        return jsonify(_person(sandbox.people.add(**request.get_json())))

    @blueprint.post("/token")
    def token() -> Response:
        values = request.get_json()
        oid = sandbox.people.find(values["email"])["oid"] if values.get("email") else ""
        scopes = granted(values.get("scope") or "User.Read Contacts.ReadWrite")
        return jsonify(access_token=sandbox.tokens.access_token(oid, scopes, sandbox.registration.client_id))

    @blueprint.post("/revoke")
    def revoke() -> Response:
        oid = sandbox.people.find(request.get_json()["email"])["oid"]
        with sandbox.store.write() as db:
            db.execute("UPDATE refresh SET revoked = 1 WHERE oid = ?", (oid,))
        return jsonify({})


def _fault_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/faults")
    def faults() -> Response:
        return jsonify([rule.as_dict() for rule in sandbox.faults.all()])

    @blueprint.post("/faults")
    def add_fault() -> Response:
        return jsonify(sandbox.faults.add(**request.get_json()).as_dict())

    @blueprint.delete("/faults")
    def no_faults() -> Response:
        sandbox.faults.remove()
        return jsonify({})

    @blueprint.delete("/faults/<int:number>")
    def remove_fault(number: int) -> Response:
        sandbox.faults.remove(number)
        return jsonify({})

    @blueprint.get("/requests")
    def requests() -> Response:
        entries = [entry.as_dict() for entry in list(sandbox.traffic.entries)]
        peaks = {person["email"]: sandbox.traffic.peaks.get(person["oid"], 0) for person in sandbox.people.all()}
        return jsonify(requests=entries, peaks=peaks)

    @blueprint.delete("/requests")
    def clear_requests() -> Response:
        sandbox.traffic.clear()
        return jsonify({})


def _folder_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    def outlook(email: str) -> Outlook:
        return Outlook(sandbox.people.mailbox(email))

    @blueprint.route("/mailboxes/<email>/folders", methods=["GET", "POST"])
    def folders(email: str) -> Response:
        if request.method == "POST":
            return jsonify(outlook(email).create_folder(request.get_json()["name"]))
        return jsonify(outlook(email).folders())

    @blueprint.route("/mailboxes/<email>/folders/<path:folder>", methods=["PATCH", "DELETE"])
    def one_folder(email: str, folder: str) -> Response:
        if request.method == "PATCH":
            return jsonify(outlook(email).rename_folder(folder, request.get_json()["name"]))
        outlook(email).delete_folder(folder)
        return jsonify({})

    @blueprint.post("/mailboxes/<email>/empty")
    def empty(email: str) -> Response:
        return jsonify(removed=outlook(email).empty(request.get_json()["folder"]))

    @blueprint.post("/mailboxes/<email>/expire")
    def expire(email: str) -> Response:
        outlook(email).expire_links()
        return jsonify({})


def _contact_pages(blueprint: Blueprint, sandbox: Sandbox) -> None:
    def outlook(email: str) -> Outlook:
        return Outlook(sandbox.people.mailbox(email))

    @blueprint.route("/mailboxes/<email>/contacts", methods=["GET", "POST"])
    def contacts(email: str) -> Response:
        if request.method == "GET":
            return jsonify(outlook(email).contacts(request.args.get("folder", "Contacts")))
        values = request.get_json()
        return jsonify(outlook(email).add(values["folder"], values["contacts"], values.get("kind", "contact")))

    @blueprint.route("/mailboxes/<email>/contacts/<item>", methods=["GET", "PATCH", "DELETE"])
    def one_contact(email: str, item: str) -> Response:
        if request.method == "PATCH":
            return jsonify(outlook(email).edit(item, request.get_json()))
        if request.method == "DELETE":
            outlook(email).remove(item)
            return jsonify({})
        return jsonify(outlook(email).contact(item))

    @blueprint.post("/mailboxes/<email>/contacts/<item>/<any(restore, move, copy, purge, touch):verb>")
    def do(email: str, item: str, verb: str) -> Response:
        return jsonify(outlook(email).do(verb, item, request.get_json().get("folder", "")))


def _person(person: Any) -> dict[str, str]:
    return {name: person[name] for name in ("oid", "email", "upn", "name")}
