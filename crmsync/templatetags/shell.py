"""The few things that the shell's partials need beyond Django's own tags."""

from datetime import datetime, timedelta

from django import forms, template
from django.contrib.humanize.templatetags.humanize import NaturalTimeFormatter, naturaltime
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.forms.boundfield import BoundField
from django.template.context import Context
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from crmsync.rail import place_of
from crmsync.users.kept_forms import OWNER, signed

register = template.Library()

TONES = {constants.SUCCESS: "ok", constants.WARNING: "warn", constants.ERROR: "bad"}
ICONS = {"ok": "circle-check", "warn": "triangle-alert", "bad": "circle-alert", "muted": "circle-minus"}


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """The field's own control, in the look of the theme."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return choices(field)
    kind = "form-control"
    if isinstance(widget, forms.Select):
        kind = "form-select"
    elif isinstance(widget, forms.CheckboxInput):
        kind = "form-check-input"
    classes = [kind, widget.attrs.get("class", ""), "is-invalid" if field.errors else ""]
    attrs: dict[str, object] = {"class": " ".join(filter(None, classes))}
    if field.errors and field.name == next(bound.name for bound in field.form if bound.errors):
        attrs["autofocus"] = True  # where a form is refused one goes on from the first mistake
    return field.as_widget(attrs=attrs)


def choices(field: BoundField) -> SafeString:
    """The field's radio buttons or tick boxes; the widget would give their class to the frame around them, too."""
    for option in field.subwidgets:
        option.data["attrs"]["class"] = "form-check-input is-invalid" if field.errors else "form-check-input"
    rows = ((option.id_for_label, option.tag(), option.choice_label) for option in field.subwidgets)
    return format_html("<div>{}</div>", format_html_join("", '<div><label for="{}">{}{}</label></div>', rows))


@register.simple_tag(takes_context=True)
def form_owner(context: Context) -> SafeString:
    """Whose form it is, so that it survives a session that ends meanwhile. Beside the csrf_token."""
    return format_html('<input type="hidden" name="{}" value="{}">', OWNER, signed(context["request"].user))


@register.simple_tag(takes_context=True)
def rail_place(context: Context) -> str:
    """Which entry of the rail the page belongs to; "" where nobody asked for a page."""
    match = getattr(context.get("request"), "resolver_match", None)
    is_administrator = getattr(context.get("user"), "is_administrator", False)
    return place_of(match, is_administrator=is_administrator, of_another=context.get("mine") is False)


@register.filter
def is_check(field: BoundField) -> bool:
    """Whether it is a single tick box, whose label stands behind it."""
    return isinstance(field.field.widget, forms.CheckboxInput)


@register.filter
def error_id(field: BoundField) -> str:
    """The id under which Django's aria-describedby looks for the field's errors."""
    return f"{field.auto_id}_error" if field.auto_id else ""


@register.filter
def ago(when: datetime) -> str:
    """How long ago it was, or how soon it will be, in its largest unit: "3 weeks ago"."""
    now, words = timezone.now(), NaturalTimeFormatter
    if abs(now - when) < timedelta(days=1):
        return naturaltime(when)
    if when < now:
        pattern, age = words.time_strings["past-day"], timesince(when, now, time_strings=words.past_substrings, depth=1)
    else:
        pattern, age = words.time_strings["future-day"], timeuntil(when, now, words.future_substrings, depth=1)
    return pattern % {"delta": age}


@register.filter
def initials(name: str) -> str:
    """Two letters for a person: of the first and the last word, or the first two of an only word."""
    words = name.replace("@", " ").split()
    letters = words[0][0] + words[-1][0] if len(words) > 1 else name[:2]
    return letters.upper()


@register.filter
def breakable(text: str) -> SafeString:
    """The text, with a place after each @ where an address may go on in the next line, and not at its hyphens."""
    parts = [conditional_escape(part) for part in text.split("@")]
    if len(parts) > 1 and " " not in text:
        parts = [f'<span class="unit">{part}</span>' if "-" in part else part for part in parts]
    return SafeString("@<wbr>".join(parts))


@register.filter
def message_tone(message: Message) -> str:
    return TONES.get(message.level, "info")


@register.filter
def tone_icon(tone: str) -> str:
    return ICONS.get(tone, "info")
