"""Signing in: the tenant's discovery document, its sign-in page and its token endpoint."""

import base64
import hashlib
import json
import secrets
import sqlite3
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request

from crmsync.sandbox.answers import Answer
from crmsync.sandbox.faults import CUT, LOGIN, Cut, Rule, spoiled
from crmsync.sandbox.sandbox import Sandbox
from crmsync.sandbox.tenant import UnknownPerson
from crmsync.sandbox.tokens import client_info, granted, unsigned
from crmsync.sandbox.traffic import Entry

CODE_SECONDS = 600
COMMON = {"common", "organizations"}
FOREIGN_TENANT = "99999999-9999-4999-8999-999999999999"


class SignInError(Exception):
    """An answer of the token endpoint that is an error; `error` is what a client branches on."""

    def __init__(self, error: str, number: int, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.number, self.description, self.status = error, number, description, status

    def body(self) -> dict[str, Any]:
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.description}",
            "error_codes": [self.number],
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
            "trace_id": secrets.token_hex(16),
            "correlation_id": secrets.token_hex(16),
        }


def pages(sandbox: Sandbox) -> Blueprint:
    """The addresses of signing in."""
    blueprint = Blueprint("login", __name__)

    @blueprint.get("/<tenant>/v2.0/.well-known/openid-configuration")
    def discovery(tenant: str) -> Response | tuple[Response, int]:
        _noted(sandbox, 200)
        if not _is_ours(sandbox, tenant):
            error = SignInError("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
            return jsonify(error.body()), 400
        return jsonify(_document(sandbox))

    @blueprint.get("/common/discovery/instance")
    def instances() -> Response:
        host = urlsplit(_root()).netloc
        names = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net", host]
        root = f"https://{host}/{sandbox.registration.tenant}/v2.0/.well-known/openid-configuration"
        facts = [{"preferred_network": names[0], "preferred_cache": names[1], "aliases": names}]
        return jsonify({"tenant_discovery_endpoint": root, "api-version": "1.1", "metadata": facts})

    @blueprint.route("/<tenant>/oauth2/v2.0/authorize", methods=["GET", "POST"])
    def authorize(tenant: str) -> Any:
        values = request.values.to_dict()
        problem = _authorize_problem(sandbox, tenant, values)
        if problem:
            return render_template("sign_in_error.html", problem=problem), 400
        if request.method == "GET":
            return _sign_in_page(sandbox, values)
        return _signed_in(sandbox, values)

    @blueprint.post("/<tenant>/oauth2/v2.0/token")
    def token(tenant: str) -> Response:
        return _token_response(sandbox, tenant)

    return blueprint


# --- The sign-in page -----------------------------------------------------------------------------------------------


def _authorize_problem(sandbox: Sandbox, tenant: str, values: dict[str, str]) -> str:
    """Why nobody can be sent back to whoever asked; '' when they can."""
    if not _is_ours(sandbox, tenant):
        return f"AADSTS90002: Tenant '{tenant}' not found."
    if values.get("client_id") != sandbox.registration.client_id:
        return (
            f"AADSTS700016: Application with identifier '{values.get('client_id', '')}' was not found in the directory."
        )
    target = urlsplit(values.get("redirect_uri", ""))
    if target.scheme != "https" and (
        target.scheme != "http" or target.hostname not in {"127.0.0.1", "localhost", "testserver"}
    ):
        return "AADSTS50011: The redirect URI is not one that may be registered: https, or http on this machine."
    return ""


def _sign_in_page(sandbox: Sandbox, values: dict[str, str], error: str = "", email: str = "") -> Any:
    if values.get("response_type", "code") != "code":
        return _back(values, error="unsupported_response_type", error_description="Only the code flow works here.")
    if values.get("prompt") == "none":
        return _back(values, error="login_required", error_description="AADSTS50058: Nobody is signed in.")
    hint = email or values.get("login_hint", "")
    chosen = next(
        (p["email"] for p in sandbox.people.all() if hint.lower() in {p["email"].lower(), p["upn"].lower()}), ""
    )
    kept = {name: value for name, value in values.items() if name not in {"email", "typed", "password", "answer"}}
    return render_template(
        "sign_in.html",
        people=sandbox.people.all(),
        chosen=chosen,
        typed="" if chosen else hint,
        kept=kept,
        error=error,
        scopes=granted(values.get("scope", "")),
    )


def _signed_in(sandbox: Sandbox, values: dict[str, str]) -> Any:
    if values.get("answer") != "accept":
        return _back(
            values, error="access_denied", error_subcode="cancel",
            error_description="AADSTS65004: User declined to consent to access the app.",
        )  # fmt: skip
    email = values.get("typed", "").strip() or values.get("email", "")
    try:
        person = sandbox.people.find(email)
    except UnknownPerson:
        return _sign_in_page(sandbox, values, f"AADSTS50034: There is no account {email} in this tenant.", email)
    if values.get("password") and person["password"] and values["password"] != person["password"]:
        return _sign_in_page(sandbox, values, "AADSTS50126: That is not the password of this account.", email)
    code = secrets.token_urlsafe(24)
    names = ("redirect_uri", "scope", "nonce", "code_challenge", "code_challenge_method", "client_id")
    details = {name: values.get(name, "") for name in names} | {"until": time.time() + CODE_SECONDS}
    with sandbox.store.write() as db:
        db.execute("INSERT INTO code VALUES (?, ?, ?)", (code, person["oid"], json.dumps(details)))
    extra = (
        {"client_info": client_info(person["oid"], sandbox.registration.tenant)} if values.get("client_info") else {}
    )
    return _back(values, code=code, session_state=secrets.token_hex(8), **extra)


def _back(values: dict[str, str], **answer: str) -> Any:
    """To the application that asked, with the answer."""
    if values.get("state"):
        answer["state"] = values["state"]
    target = values["redirect_uri"]
    return redirect(f"{target}{'&' if urlsplit(target).query else '?'}{urlencode(answer)}")


# --- The token endpoint ---------------------------------------------------------------------------------------------


def _token_response(sandbox: Sandbox, tenant: str) -> Response:
    rules = sandbox.faults.striking(LOGIN, "POST", request.path, _hinted_mailbox(sandbox))
    try:
        answer = _token_answer(sandbox, tenant, rules)
        status = answer.status
    except Cut:
        request.environ[CUT] = True
        answer, status = Answer(500), 0
    _noted(sandbox, status)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **answer.headers}
    return Response(answer.content(), answer.status, headers)


def _token_answer(sandbox: Sandbox, tenant: str, rules: list[Rule]) -> Answer:
    time.sleep(sum(rule.seconds for rule in rules if rule.do == "delay"))
    for rule in rules:
        if rule.answers_early:
            return rule.early_answer()
    with sandbox.store.write():
        try:
            answer = Answer(200, _tokens(sandbox, tenant, {rule.do for rule in rules}))
        except SignInError as error:
            # Caught inside the transaction: a code that failed is used up all the same.
            answer = Answer(error.status, error.body())
    return spoiled(rules, answer)


def _tokens(sandbox: Sandbox, tenant: str, faults: set[str]) -> dict[str, Any]:
    form = request.form
    if not _is_ours(sandbox, tenant):
        raise SignInError("invalid_request", 90002, f"Tenant '{tenant}' not found.")
    _check_client(sandbox)
    if "revoked" in faults:
        raise SignInError("invalid_grant", 50173, "The provided grant has expired due to it being revoked.")
    if "consent_required" in faults:
        raise SignInError("invalid_grant", 65001, "The user or administrator has not consented to use the application.")
    grant = form.get("grant_type", "")
    if grant == "authorization_code":
        return _from_code(sandbox, faults)
    if grant == "refresh_token":
        return _from_refresh_token(sandbox, faults)
    if grant == "client_credentials":
        return _from_client(sandbox, tenant)
    raise SignInError("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.")


def _check_client(sandbox: Sandbox) -> None:
    authorization = request.authorization
    client_id, secret = request.form.get("client_id"), request.form.get("client_secret")
    if authorization and authorization.type == "basic":
        client_id, secret = authorization.username, authorization.password
    if client_id != sandbox.registration.client_id:
        raise SignInError("unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found.")
    if secret != sandbox.registration.client_secret:
        raise SignInError("invalid_client", 7000215, "Invalid client secret provided.", 401)


def _from_code(sandbox: Sandbox, faults: set[str]) -> dict[str, Any]:
    form = request.form
    row = sandbox.store.db.execute(
        "DELETE FROM code WHERE code = ? RETURNING oid, details", (form.get("code"),)
    ).fetchone()
    if row is None:
        raise SignInError("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, or never given out.")
    details = json.loads(row["details"])
    if details["until"] < time.time():
        raise SignInError("invalid_grant", 70008, "The provided authorization code has expired.")
    if details["redirect_uri"] != form.get("redirect_uri"):
        raise SignInError("invalid_grant", 50011, "The redirect URI is not the one that the code was asked for with.")
    if details["code_challenge"]:
        _check_verifier(details, form.get("code_verifier", ""))
    person = sandbox.people.find(row["oid"])
    if "foreign_account" in faults:
        others = [other for other in sandbox.people.all() if other["oid"] != person["oid"]]
        person = others[0] if others else person
    nonce = "another-nonce" if "wrong_nonce" in faults else details["nonce"]
    return _answer_for(sandbox, person, details["scope"], nonce, faults)


def _check_verifier(details: dict[str, Any], verifier: str) -> None:
    expected = verifier
    if details["code_challenge_method"].upper() == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if expected != details["code_challenge"]:
        raise SignInError("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")


def _from_refresh_token(sandbox: Sandbox, faults: set[str]) -> dict[str, Any]:
    form = request.form
    row = sandbox.store.db.execute("SELECT * FROM refresh WHERE token = ?", (form.get("refresh_token"),)).fetchone()
    if row is None or row["revoked"]:
        raise SignInError("invalid_grant", 50173, "The provided grant has expired due to it being revoked.")
    asked = set(granted(form.get("scope", ""))) or set(granted(row["scope"]))
    if not asked <= set(granted(row["scope"])):
        raise SignInError("invalid_grant", 65001, "The user or administrator has not consented to use the application.")
    if sandbox.store.switches.strict_rotation:
        sandbox.store.db.execute("UPDATE refresh SET revoked = 1 WHERE token = ?", (row["token"],))
    return _answer_for(sandbox, sandbox.people.find(row["oid"]), row["scope"], "", faults)


def _from_client(sandbox: Sandbox, tenant: str) -> dict[str, Any]:
    scope = request.form.get("scope", "")
    if tenant in COMMON:
        raise SignInError("invalid_request", 9001023, "The grant type is not supported over the /common endpoint.")
    if not scope.endswith("/.default"):
        raise SignInError("invalid_scope", 1002012, "The scope is not valid: it must end in '/.default'.")
    roles = sandbox.store.switches.app_roles.split()
    seconds = sandbox.store.switches.access_token_seconds
    token = sandbox.tokens.access_token("", roles, sandbox.registration.client_id)
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}


def _answer_for(sandbox: Sandbox, person: sqlite3.Row, scope: str, nonce: str, faults: set[str]) -> dict[str, Any]:
    """Tokens of all kinds for a person."""
    registration, now = sandbox.registration, int(time.time())
    scopes, seconds = granted(scope), sandbox.store.switches.access_token_seconds
    tenant = FOREIGN_TENANT if "wrong_tid" in faults else registration.tenant
    claims = {
        "aud": registration.client_id,
        "iss": f"{_root()}/{tenant}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "sub": hashlib.sha256(person["oid"].encode()).hexdigest()[:43],
        "oid": person["oid"],
        "tid": tenant,
        "name": person["name"],
        "email": person["email"],
        "preferred_username": person["upn"],
        "ver": "2.0",
        **({"nonce": nonce} if nonce else {}),
    }
    answer = {
        "token_type": "Bearer",
        "scope": " ".join(scopes),
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": sandbox.tokens.access_token(person["oid"], scopes, registration.client_id),
        "id_token": unsigned(claims),
        "client_info": client_info(person["oid"], tenant),
    }
    if "offline_access" in scope.split() and "no_refresh_token" not in faults:
        answer["refresh_token"] = secrets.token_urlsafe(48)
        row = (answer["refresh_token"], person["oid"], registration.client_id, scope, 0)
        sandbox.store.db.execute("INSERT INTO refresh VALUES (?, ?, ?, ?, ?)", row)
    return answer


# --- Addresses ------------------------------------------------------------------------------------------------------


def _document(sandbox: Sandbox) -> dict[str, Any]:
    """The discovery document. The browser goes to where the sandbox is; a client may come by another address."""
    tenant, root = sandbox.registration.tenant, _root()
    return {
        "issuer": f"{root}/{tenant}/v2.0",
        "authorization_endpoint": f"{request.host_url}{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{root}/{tenant}/oauth2/v2.0/token",
        "jwks_uri": f"{root}/{tenant}/discovery/v2.0/keys",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["none"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": "EU",
    }


def _root() -> str:
    """The address that the client used: this host's own, or the one that X-Forwarded-Proto and -Host name.

    msal insists on https; an adapter that stands in for it says with these headers which address it rewrote.
    """
    scheme, host = request.headers.get("X-Forwarded-Proto"), request.headers.get("X-Forwarded-Host")
    return f"{scheme or request.scheme}://{host or request.host}"


def _is_ours(sandbox: Sandbox, tenant: str) -> bool:
    return tenant.lower() == sandbox.registration.tenant.lower() or tenant in COMMON


def _hinted_mailbox(sandbox: Sandbox) -> str:
    """Whose tokens are asked for, as far as the request tells."""
    form, db = request.form, sandbox.store.db
    row = (
        db.execute("SELECT oid FROM code WHERE code = ?", (form.get("code"),)).fetchone()
        or db.execute("SELECT oid FROM refresh WHERE token = ?", (form.get("refresh_token"),)).fetchone()
    )
    return sandbox.people.find(row["oid"])["email"] if row else ""


def _noted(sandbox: Sandbox, status: int) -> None:
    sandbox.traffic.note(Entry(LOGIN, request.method, request.path, status))
