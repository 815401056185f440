"""The answer to "why?" as data and as text: what `explain_contact` prints. Values that are only in Outlook stay out."""

from typing import Any

from django.conf import settings

from crmsync.sync.remedies import Remedy, remedy
from crmsync.sync.why import Answer

SIGNS = {True: "✓", False: "✗", None: "–"}


def as_json(answer: Answer) -> dict[str, Any]:
    """The answer in the form that scripts rely on (docs/sync.md, "Why is it, why isn't it")."""
    verdict, to_do, last = answer.verdict, remedy(answer), answer.last_look
    return {
        "contact": answer.contact.number,
        "name": answer.contact.name,
        "user": answer.owner.email,
        "state": verdict.state.value,
        "in_outlook": answer.is_in_outlook,
        "reason": verdict.reason,
        "contacts": verdict.named,
        "filter": [
            {"field": row.name, "expression": row.expression, "value": row.value, "passes": row.passes}
            for row in answer.clauses
        ],
        "filter_error": answer.filter_error.message if answer.filter_error else "",
        "checks": [
            {"check": row.code, "passes": row.passes, "text": str(row.text), "value": row.value}
            for row in answer.checks
        ],
        "last_run": {
            "run": last.run.pk,
            "started_at": last.run.started_at.isoformat(),
            "action": last.change.action if last.change else "",
            "outcome": last.change.outcome if last.change else "",
            "reason": last.change.reason if last.change else "",
        }
        if last
        else None,
        "pending": [{"side": row.side, "field": row.name} for row in answer.pending],
        "do": {"text": str(to_do.text), "button": str(to_do.caption), "url": address(to_do)},
    }


def as_text(answer: Answer) -> str:
    """The answer for a terminal."""
    verdict, to_do = answer.verdict, remedy(answer)
    lines = [f"{answer.contact.number} {answer.contact} · {answer.owner}: {verdict.text}"]
    if verdict.advice:
        lines.append(" ".join(filter(None, (str(verdict.advice.happened), str(verdict.advice.did), *verdict.named))))
    if answer.filter_error:
        lines.append(answer.filter_error.pointer)
    for row in answer.clauses:
        lines.append(f"  {SIGNS[row.passes]} {row.label}: {row.expression}  ({row.value})")
    for check in answer.checks:
        lines.append(f"  {SIGNS[check.passes]} {check.text}" + (f": {check.value}" if check.value else ""))
    if answer.pending:
        lines.append("→ " + ", ".join(f"{row.side}: {row.label}" for row in answer.pending))
    if answer.last_look:
        lines.append(f"{answer.last_look.run}: {answer.last_look.what}")
    lines.append(f"⇒ {to_do.text} {address(to_do)}".rstrip())
    return "\n".join(lines)


def address(to_do: Remedy) -> str:
    """Where it is done; '' where there is nothing to do, or only by a button."""
    return f"{settings.BASE_URL}{to_do.url}" if to_do.url and not to_do.posts else ""
