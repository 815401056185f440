"""Another word on what a rule has settled."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crmsync.sync.diff import field_label
from crmsync.sync.models import SyncChange
from crmsync.sync.reconsider import NoLongerSo, use_other


@require_POST
@login_required
def other_value(request: HttpRequest, pk: int) -> HttpResponse:
    """Use the value that lost a conflict of my sync, and show the contact with it."""
    mine = SyncChange.objects.filter(run__setup__user=request.user).select_related("run")
    change = get_object_or_404(mine, pk=pk)
    name = request.POST.get("field", "")
    try:
        contact = use_other(change, name, by=request.user)
    except NoLongerSo:
        messages.warning(request, _("This has been changed since, so nothing was done. Edit the contact instead."))
        return redirect(change.contact or change.run)
    told = _("%(field)s has the other value now. The next sync writes it to Outlook.")
    messages.success(request, told % {"field": field_label(name)})
    return redirect(contact)
