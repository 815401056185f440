"""What is left out, and the decisions about it."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from crmsync.sync import words
from crmsync.sync.decisions import Choice, Locked, Outdated, RunAtWork
from crmsync.sync.forms import ConflictRuleForm, DecisionForm, GroupDecisionForm
from crmsync.sync.left_out import LeftOut, setup_of
from crmsync.sync.models import ContactLink
from exchange_setup.models import ExchangeSync

DONE = {
    Choice.LET_IN: gettext_lazy("%(name)s comes into the CRM with the next sync."),
    Choice.KEEP_OUT: gettext_lazy("%(name)s stays out of the CRM for good."),
    Choice.ASK_AGAIN: gettext_lazy("Nothing is decided about %(name)s any more."),
    Choice.CRM: gettext_lazy("The CRM's value for %(name)s goes to Outlook with the next sync."),
    Choice.BOTH: gettext_lazy("Both values for %(name)s are kept; the next sync writes them to Outlook."),
    Choice.OUTLOOK: gettext_lazy("Outlook's value for %(name)s goes to the CRM with the next sync."),
}
DONE_FOR_ALL = ngettext_lazy("%(shown)s contact is decided.", "%(shown)s contacts are decided.", "count")


@require_safe
@login_required
def left_out(request: HttpRequest) -> HttpResponse:
    """Everything that is not, or not completely, on both sides of my sync: by reason, with what to do about it."""
    return show(request)


@require_POST
@login_required
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what is to become of one contact that was left out of my sync."""
    mine = ContactLink.objects.filter(setup__user=request.user).select_related("setup", "contact")
    link = get_object_or_404(mine, pk=pk)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    name = str(link.contact) if link.contact else link.outlook_name or link.email
    return answer(request, lambda: form.save(link), DONE[form.cleaned_data["choice"]] % {"name": name}, pk)


@require_POST
@login_required
def decide_group(request: HttpRequest) -> HttpResponse:
    """Say what is to become of all contacts that were left out for one reason."""
    setup = get_object_or_404(ExchangeSync, user=request.user)
    form = GroupDecisionForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    return answer(request, lambda: form.save(setup), words.counted(DONE_FOR_ALL, form.cleaned_data["count"]))


@require_POST
@login_required
def conflict_rule(request: HttpRequest) -> HttpResponse:
    """Have one side win every conflict from now on."""
    setup = get_object_or_404(ExchangeSync, user=request.user)
    form = ConflictRuleForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    return answer(request, lambda: form.save(setup), _("This is your rule now. The next sync settles what is open."))


def answer(request: HttpRequest, verb: Callable[[], None], done: str, pk: int = 0) -> HttpResponse:
    """Carry out `verb`, and show the list again with what came of it."""
    try:
        verb()
    except RunAtWork:
        text, tone = _("A sync is running just now. Decide again when it has ended."), "warn"
    except Locked:
        text, tone = _("Your organisation has set this rule for everybody."), "warn"
    except Outdated:
        text, tone = _("This has changed meanwhile, so nothing was decided. Have another look."), "warn"
    else:
        text, tone = done, "ok"
    if request.htmx:
        return trigger_client_event(show(request, decided=pk), "toast", {"text": text, "tone": tone})
    messages.add_message(request, messages.SUCCESS if tone == "ok" else messages.WARNING, text)
    query = request.GET.urlencode()
    return redirect(reverse("sync:left-out") + (f"?{query}" if query else ""))


def show(request: HttpRequest, decided: int | None = None) -> HttpResponse:
    """The page. The keyboard goes on from the row that was just `decided`; from the top where that were many (0)."""
    shown = LeftOut(setup_of(request.user), request.GET)
    focus = shown.focus_after(decided) if decided else 0
    return render(request, "sync/left_out.html", {"left_out": shown, "decided": decided, "focus": focus})
