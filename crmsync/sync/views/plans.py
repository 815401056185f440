"""A preview's page, what a person does with it, and any run as a file."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from crmsync.sync import previewing, words
from crmsync.sync.brakes import check
from crmsync.sync.choices import Kind, Outcome
from crmsync.sync.decisions import Outdated, RunAtWork
from crmsync.sync.forms import LeaveForm
from crmsync.sync.models import SyncRun
from crmsync.sync.plan_format import FORMATS
from crmsync.sync.plan_page import PlanPage
from crmsync.sync.runs import NotReady, check_ready

LEFT_OUT = ngettext_lazy("%(shown)s contact is left out.", "%(shown)s contacts are left out.", "count")
TAKEN_IN = ngettext_lazy("%(shown)s contact is in again.", "%(shown)s contacts are in again.", "count")


@require_safe
@never_cache
@login_required
def preview_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What a sync would do: by kind and cause, one line for each contact, with what is left out of it."""
    return show(request, my_preview(request, pk))


@require_POST
@login_required
def preview_leave(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave one contact, or a whole group, out of a preview of mine; or take them in again."""
    preview = my_preview(request, pk)
    form = LeaveForm(request.POST, preview=preview)
    if not form.is_valid():
        return HttpResponseBadRequest()
    try:
        count = form.save()
    except previewing.CarriedOut:
        return answer(request, preview, _("This preview was carried out already."), "warn")
    phrase = LEFT_OUT if form.cleaned_data["leave"] else TAKEN_IN
    return answer(request, preview, words.counted(phrase, count), "ok", form.cleaned_data["change"])


@require_POST
@login_required
def preview_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Carry out what is left of a preview of mine; leads to the run that does it."""
    preview = my_preview(request, pk)
    count = request.POST.get("count", "")
    try:
        agreed = request.POST.get("agreed", "")
        wanted = int(count) if count.isascii() and count.isdigit() and len(count) < 10 else -1
        return redirect(previewing.carry_out(preview, request.user, count=wanted, agreed=agreed))
    except previewing.CarriedOut as done:
        messages.info(request, _("This preview was carried out already; here is what came of it."))
        return redirect(done.run)
    except Outdated:
        problem = _("The preview has changed since you looked at it. Nothing was done; have another look.")
    except previewing.Unconfirmed:
        problem = _("This is more than usual, so it needs your decision: tick the box above “Apply”. Nothing was done.")
    except RunAtWork:
        problem = _("Another sync of your mailbox is open. Nothing was done; apply the preview when it has ended.")
    except NotReady as missing:
        problem = str(missing.message)
    messages.warning(request, problem)
    return redirect("sync:preview", pk=preview.pk)


@require_safe
@login_required
def run_export(request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """A run of mine as a file; `format` is csv or json."""
    run = get_object_or_404(SyncRun.objects.mine(request.user), pk=pk)
    name = request.GET.get("format", "csv")
    if name not in FORMATS:
        return HttpResponseBadRequest()
    lines, content_type = FORMATS[name]
    named = f'attachment; filename="{run.kind}-{run.pk}.{name}"'
    return StreamingHttpResponse(lines(run), content_type=content_type, headers={"Content-Disposition": named})


def my_preview(request: HttpRequest, pk: int) -> SyncRun:
    mine = SyncRun.objects.mine(request.user).select_related("setup__user")
    return get_object_or_404(mine, pk=pk, kind=Kind.PREVIEW, outcome=Outcome.DONE)


def answer(request: HttpRequest, preview: SyncRun, text: str, tone: str, change: int | None = None) -> HttpResponse:
    """The page again, with what came of it."""
    if request.htmx:
        return trigger_client_event(show(request, preview, change or 0), "toast", {"text": text, "tone": tone})
    messages.add_message(request, messages.SUCCESS if tone == "ok" else messages.WARNING, text)
    query = request.GET.urlencode()
    return redirect(reverse("sync:preview", args=[preview.pk]) + (f"?{query}" if query else ""))


def show(request: HttpRequest, preview: SyncRun, focus: int = 0) -> HttpResponse:
    """The page. The keyboard goes on at the contact that was just decided about (`focus`)."""
    plan = PlanPage(preview, request.GET)
    carried_out = previewing.carried_out_by(preview)
    held = None if carried_out else preview.setup.runs.filter(outcome=Outcome.HELD).first()
    found = [] if carried_out or held else check(preview)
    context = {
        "run": preview,
        "plan": plan,
        "picked": plan.picked,
        "page": plan.page,
        "focus": focus,
        "carried_out": carried_out,
        "headline": words.headline(preview),
        "notes": words.notes(preview),
        "brakes": words.brakes_of(found),
        "agreed": previewing.sight(found),
        "missing": "" if carried_out else what_is_missing(preview),
        "held": held,
        "begins": preview.setup.is_first_sync,
        "outdated": not carried_out and previewing.synced_since(preview),
    }
    return render(request, "sync/preview.html", context)


def what_is_missing(preview: SyncRun) -> str:
    """Why the preview cannot be carried out yet, '' where it can."""
    try:
        check_ready(preview.setup)
    except NotReady as missing:
        return str(missing.missing)
    return ""
