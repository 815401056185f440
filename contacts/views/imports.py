"""Importing a file: choosing it, saying what its columns hold, looking at what it would do, and doing it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contacts.import_form import ColumnsForm, UploadForm
from contacts.models import ContactType
from contacts.reading import Marked, mark, shown
from contacts.transfer.checking import carry_out, check, choose_columns, prepare, wrong_rows
from contacts.transfer.report import Kind, Report, label
from contacts.transfer.said import told
from contacts.transfer.sheet import UnreadableFile
from contacts.transfer.twins import Duplicates, likeness
from contacts.uploads import Upload, UploadRow
from contacts.views.transfer import BYTE_ORDER_MARK

ROWS_ON_PAGE = 25
SUMMARY = ["email", "phone", "mobile_phone", "company", "company_name", "city"]
OFFERED = [Duplicates.SKIP, Duplicates.FILL, Duplicates.ADD]
LIKE = "like"
DELIMITERS = {
    ",": gettext_lazy("commas"),
    ";": gettext_lazy("semicolons"),
    "\t": gettext_lazy("tabs"),
    "|": gettext_lazy("bars"),
}
ENCODINGS = {"utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "cp1252": "Windows-1252"}
TONES = {
    Kind.NEW: ("plus", "ok"),
    Kind.CHANGED: ("pencil", "info"),
    Kind.SAME: ("equal", "muted"),
    Kind.LEFT_OUT: ("circle-minus", "muted"),
    Kind.WRONG: ("circle-alert", "bad"),
}


@dataclass(frozen=True)
class Line:
    label: str
    before: Marked
    after: Marked
    empties: bool


@dataclass(frozen=True)
class RowShown:
    """A row of the file as the preview shows it."""

    row: UploadRow

    @property
    def kind(self) -> str:
        return str(Kind(self.row.kind).label)

    @property
    def empties(self) -> bool:
        return bool(self.row.emptied)

    @property
    def icon(self) -> str:
        return TONES[Kind(self.row.kind)][0]

    @property
    def tone(self) -> str:
        return "warn" if self.empties else TONES[Kind(self.row.kind)][1]

    @property
    def summary(self) -> str:
        """A new contact in a line."""
        fields = self.row.fields
        texts = [as_read(name, fields[name][1]) for name in SUMMARY if self.row.kind == Kind.NEW and name in fields]
        return " · ".join(dict.fromkeys(texts))

    @property
    def lines(self) -> list[Line]:
        """What changes."""
        if self.row.kind != Kind.CHANGED:
            return []
        return [
            Line(str(label(name)), *mark(*(as_read(name, text) for text in texts)), name in self.row.emptied)
            for name, texts in self.row.fields.items()
        ]

    @property
    def mistakes(self) -> list[tuple[str, str]]:
        return [(str(label(name)), told(message)) for name, message in self.row.mistakes]

    @property
    def like(self) -> str:
        return likeness(self.row.like)

    @property
    def reason(self) -> str:
        return told(self.row.reason)


def as_read(name: str, text: str) -> str:
    """A text of the report as people write it."""
    if name == "type" and text:
        return str(ContactType(text).label)
    if name == "privacy_blocked":
        return _("Yes") if text else _("No")
    return shown(name, text)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_import(request: HttpRequest) -> HttpResponse:
    """Take a file, and go on to its columns where they are not clear, or else to what it would do."""
    if request.method != "POST":
        return render(request, "contacts/contact_import.html", {"form": UploadForm()})
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(request, "contacts/contact_import.html", {"form": form}, status=422)
    file = form.cleaned_data["file"]
    upload = Upload.keep(file, user=request.user, name=file.name)
    try:
        prepare(upload)
        if upload.needs_a_look:
            if len(upload.columns) > 1 or upload.columns[0]["name"]:
                return redirect("contacts:import-columns")
            raise UnreadableFile(_("This is no table of contacts: its first row must hold the names of columns."))
        check(upload, by=request.user)
    except UnreadableFile as error:
        upload.delete()
        form.add_error("file", str(error))
        return render(request, "contacts/contact_import.html", {"form": form}, status=422)
    return redirect("contacts:import-preview")


def waiting(request: HttpRequest) -> Upload | None:
    """The file that this user has waiting; where there is none, they are told why."""
    uploads = Upload.objects.waiting_of(request.user)
    upload = (uploads.defer("content") if request.method in ("GET", "HEAD") else uploads).first()
    if upload is None:
        messages.info(request, _("No file is waiting: it was imported already, or a day has passed. Choose it again."))
    return upload


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def import_columns(request: HttpRequest) -> HttpResponse:
    upload = waiting(request)
    if upload is None:
        return redirect("contacts:contact-import")
    form = ColumnsForm(request.POST if request.method == "POST" else None, upload=upload)
    if request.method == "POST" and form.is_valid():
        try:
            choose_columns(upload, form.names)
            check(upload, by=request.user)
        except UnreadableFile as error:
            form.add_error(None, str(error))
        else:
            return redirect("contacts:import-preview")
    status = 422 if form.errors else 200
    return render(request, "contacts/import_columns.html", {"form": form, "upload": upload}, status=status)


@require_safe
@login_required
def import_preview(request: HttpRequest) -> HttpResponse:
    """What the file would do, row by row."""
    upload = waiting(request)
    if upload is None:
        return redirect("contacts:contact-import")
    if not upload.digest:
        return redirect("contacts:import-columns")
    counts = upload.counts()
    tab = request.GET.get("tab", "")
    rows = upload.rows.select_related("contact")
    if tab == LIKE:
        rows = rows.exclude(like="")
    elif tab in Kind.values:
        rows = rows.filter(kind=tab)
    page = Paginator(rows, ROWS_ON_PAGE).get_page(request.GET.get("page"))
    context = {
        "upload": upload,
        "counts": counts,
        "total": sum(counts.get(kind, 0) for kind in Kind),
        "to_do": counts.get(Kind.NEW, 0) + counts.get(Kind.CHANGED, 0),
        "emptied": emptied_words(upload),
        "alike": alike_words(counts),
        "encoding": ENCODINGS.get(upload.encoding, upload.encoding.upper()),
        "delimiter": DELIMITERS.get(upload.delimiter, upload.delimiter),
        "tabs": tabs(counts, tab),
        "choices": [(choice, offer(choice, counts), choice == upload.duplicates) for choice in OFFERED],
        "page": page,
        "rows": [RowShown(row) for row in page.object_list],
    }
    return render(request, "contacts/import_preview.html", context)


def emptied_words(upload: Upload) -> str:
    """Which rows empty what, the first of them, and what follows."""
    sentences = []
    for row, name, fields in upload.emptied:
        values = {"row": row, "name": name, "fields": ", ".join(str(label(field)) for field in fields)}
        sentences.append((_("Row %(row)d, %(name)s: %(fields)s.") if name else _("Row %(row)d: %(fields)s.")) % values)
    if more := upload.emptying - len(upload.emptied):
        sentences.append(ngettext("And %(count)d more.", "And %(count)d more.", more) % {"count": more})
    if any("email" in fields for _row, _name, fields in upload.emptied):
        sentences.append(_("The e-mail goes from Outlook, too; who is not there yet stays out of it."))
    return " ".join(sentences)


def alike_words(counts: dict[str, int]) -> str:
    """How many rows look like contacts of the CRM, and how many like earlier rows of the file."""
    earlier = counts["like_earlier"]
    stored = counts[LIKE] - earlier
    sentences = [
        (
            stored,
            ngettext(
                "%(count)d row looks like a contact that is here",
                "%(count)d rows look like contacts that are here",
                stored,
            ),
        ),
        (
            earlier,
            ngettext(
                "%(count)d row looks like an earlier row of the file",
                "%(count)d rows look like earlier rows of the file",
                earlier,
            ),
        ),
    ]
    return " · ".join(sentence % {"count": count} for count, sentence in sentences if count)


def offer(choice: Duplicates, counts: dict[str, int]) -> str:
    """The caption of what can be done with rows that look like somebody."""
    if choice != Duplicates.FILL or not counts["like_earlier"]:
        return str(choice.label)
    if counts["like_earlier"] == counts[LIKE]:
        return _("Fill in what is blank in the earlier row")
    return _("Fill in what is blank in the existing contact or the earlier row")


def tabs(counts: dict[str, int], current: str) -> Iterable[dict[str, Any]]:
    """All, and each kind that there is."""
    captions = [(kind.value, kind.label) for kind in Kind] + [(LIKE, _("Duplicates"))]
    yield {"key": None, "label": _("All"), "count": None, "is_current": current not in dict(captions)}
    for key, caption in captions:
        if counts.get(key) or key == current:
            yield {"key": key, "label": caption, "count": counts.get(key, 0), "is_current": key == current}


@require_POST
@login_required
def import_duplicates(request: HttpRequest) -> HttpResponse:
    """Decide about the rows that look like somebody, and look anew."""
    upload = waiting(request)
    if upload is None:
        return redirect("contacts:contact-import")
    choice = request.POST.get("duplicates")
    if choice in OFFERED:
        upload.duplicates = choice
        upload.save(update_fields=["duplicates"])
        check(upload, by=request.user)
    return redirect("contacts:import-preview")


@require_POST
@login_required
@transaction.atomic
def import_confirm(request: HttpRequest) -> HttpResponse:
    """Import the file that was looked at. A second click waits, finds it gone, and imports nothing twice."""
    wanted = request.POST.get("digest", "")
    upload = (
        Upload.objects.waiting_of(request.user).select_for_update().filter(digest=wanted).exclude(digest="").first()
    )
    if upload is None:
        messages.info(request, _("That file was imported already, or you chose another one since."))
        return redirect("contacts:contact-import")
    report = carry_out(upload, by=request.user)
    if report is None:
        check(upload, by=request.user)
        messages.warning(request, _("The CRM has changed since you looked. Nothing was imported: look once more."))
        return redirect("contacts:import-preview")
    messages.success(request, words_of(report))
    return redirect("contacts:contact-list")


@require_POST
@login_required
def import_cancel(request: HttpRequest) -> HttpResponse:
    """Forget the file."""
    Upload.objects.filter(user=request.user).delete()
    messages.info(request, _("The file is forgotten. Nothing was imported."))
    return redirect("contacts:contact-list")


@require_safe
@login_required
def import_mistakes(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The rows that are wrong as a file, each with what is wrong."""
    upload = Upload.objects.waiting_of(request.user).first()
    if upload is None or not upload.digest:
        return redirect("contacts:contact-import")
    named = {"Content-Disposition": 'attachment; filename="wrong-rows.csv"'}
    body = chain([BYTE_ORDER_MARK], wrong_rows(upload))
    return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=named)


def words_of(report: Report) -> str:
    created = ngettext("%(count)d contact was added", "%(count)d contacts were added", report.created)
    updated = ngettext("%(count)d was updated", "%(count)d were updated", report.updated)
    return f"{created % {'count': report.created}}, {updated % {'count': report.updated}}."
