"""The style guide: every part of docs/design-system.md in each of its states. For developers: in English, and only with
CRMSYNC_DEBUG."""

import json

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from contacts.reading import mark

TONES = ["ok", "info", "warn", "bad"]
TOKENS = {
    "Surfaces": ["canvas", "surface", "subtle", "line", "control"],
    "Text and accent": ["text", "muted", "accent", "accent-fill", "accent-soft"],
    "Tones": ["ok", "ok-soft", "warn", "warn-soft", "bad", "bad-soft", "info", "info-soft"],
}
ICONS = {"ok": "circle-check", "info": "info", "warn": "triangle-alert", "bad": "circle-alert", "muted": "circle-minus"}
SPACES = ["s1", "s2", "s3", "s4", "s5", "s6", "s8", "s12"]
STEPS = [
    ("done", "Connect", "anna@contoso.example"),
    ("warn", "Folder", "“Business Central” is gone"),
    ("now", "Filter", "All people with a name and an e-mail"),
    ("todo", "Schedule", "By hand only"),
]
DIFFS = [
    ("A word of it", mark("+45 20 30 40 50", "+45 20 99 40 50")),
    ("All of it", mark("Buyer", "Head of Purchasing")),
    ("Was empty", mark("", "Aarhus")),
    ("Is empty now", mark("Aarhus", "")),
]
REFUSED = {"name": "", "email": "anne@", "folder": "x", "notes": "Too short."}
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"


class SampleForm(forms.Form):
    """A field of each kind. It is shown empty, filled in and refused."""

    name = forms.CharField(label="Name", help_text="As it stands on the business card.")
    email = forms.EmailField(label="E-mail", required=False, error_messages={"invalid": "This is no e-mail address."})
    country = forms.ChoiceField(label="Country/Region", choices=[("", "—"), ("DK", "Denmark"), ("DE", "Germany")])
    locked = forms.CharField(label="Number", disabled=True, initial="CT000001", required=False)
    folder = forms.ChoiceField(label="Folder", choices=[("new", "A new one"), ("old", LONG)], widget=forms.RadioSelect)
    agreed = forms.BooleanField(label="Privacy blocked", help_text="Stays out of every Outlook.", required=False)
    notes = forms.CharField(label="Notes", widget=forms.Textarea(attrs={"rows": 3}), required=False, min_length=20)


@login_required
@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """The page; with `part`, what one of its buttons asks for: the dialog, or a toast in a tone."""
    if not settings.DEBUG:
        raise Http404
    part = request.GET.get("part", "")
    if part in TONES:
        told = {"toast": {"text": f"This is what “{part}” looks like.", "tone": part}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(told)})
    if part == "dialog":
        return render(request, "styleguide/dialog.html", {"form": SampleForm(prefix="dialog")})
    context = {
        "tokens": TOKENS,
        "spaces": SPACES,
        "tones": TONES,
        "badges": ICONS.items(),
        "steps": STEPS,
        "diffs": DIFFS,
        "long": LONG,
        "now": timezone.now(),
        "form": SampleForm(prefix="plain", initial={"name": "Anne Nørgård", "folder": "new"}),
        "kept": {"kept_form": True},
        "refused": SampleForm({f"refused-{name}": text for name, text in REFUSED.items()}, prefix="refused"),
        "page": Paginator(range(1284), 50).get_page(request.GET.get("page", 2)),
    }
    return render(request, "styleguide/page.html", context)
