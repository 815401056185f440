"""The Users list and the user card, for administrators; and the language, for everybody."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.account.views import PasswordResetDoneView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import UserPassesTestMixin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import CreateView, ListView, UpdateView
from django.views.i18n import set_language as set_language_of_browser

from crmsync.users.forms import UserForm
from crmsync.users.models import User


class AdministratorsOnly(UserPassesTestMixin):
    """Signed out: to the sign-in page. A salesperson: the 403 page."""

    request: HttpRequest

    def test_func(self) -> bool:
        return is_administrator(self.request)


class KeepsForm:
    """A form that survived a sign-in is shown as it was sent."""

    request: Any

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()  # type: ignore[misc]
        return kwargs | {"data": self.request.kept_form.data} if self.request.kept_form else kwargs


class UserListView(AdministratorsOnly, ListView):
    template_name = "users/user_list.html"
    paginate_by = 50

    @property
    def words(self) -> str:
        return self.request.GET.get("q", "")[:100]

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.search(self.words)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(q=self.words, **kwargs)


class UserCreateView(AdministratorsOnly, KeepsForm, CreateView):
    model = User
    form_class = UserForm
    template_name = "users/user_form.html"

    def get_initial(self) -> dict[str, Any]:
        return {"language": get_language()}

    def form_valid(self, form: BaseModelForm) -> HttpResponse:
        form.instance.set_unusable_password()
        form.save()
        messages.success(self.request, _("{user} is added.").format(user=form.instance))
        return redirect("users:user-password-link", form.instance.pk)


class UserUpdateView(AdministratorsOnly, KeepsForm, UpdateView):
    model = User
    form_class = UserForm
    template_name = "users/user_form.html"
    context_object_name = "colleague"

    @transaction.atomic
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # A refused form has changed its instance in memory; the heading and the status show what is stored.
        return super().get_context_data(colleague=get_object_or_404(User, pk=self.object.pk), **kwargs)

    def form_valid(self, form: BaseModelForm) -> HttpResponse:
        messages.success(self.request, _("{user} is saved.").format(user=form.save()))
        return redirect("users:user-list")


@login_required
@never_cache
def password_link(request: HttpRequest, pk: int) -> HttpResponse:
    """A link with which this user sets a password: good once and for three days. It is computed, never stored."""
    require_administrator(request)
    colleague = get_object_or_404(User, pk=pk, is_active=True)
    key = f"{user_pk_to_url_str(colleague)}-{default_token_generator.make_token(colleague)}"
    context = {
        "colleague": colleague,
        "link": get_adapter(request).get_reset_password_from_key_url(key),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86_400,
    }
    return render(request, "users/password_link.html", context)


def password_reset_done(request: HttpRequest) -> HttpResponse:
    """allauth's page, which promises a mail only where mail is sent."""
    return PasswordResetDoneView.as_view(extra_context={"mail_is_sent": settings.EMAIL_IS_SENT})(request)


@login_required
@require_POST
def deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    require_administrator(request)
    colleague = get_object_or_404(User, pk=pk)
    try:
        colleague.deactivate()
    except ValidationError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("{user} can no longer sign in.").format(user=colleague))
    return redirect(colleague)


@login_required
@require_POST
def reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    require_administrator(request)
    colleague = get_object_or_404(User, pk=pk)
    colleague.reactivate()
    messages.success(request, _("{user} can sign in again.").format(user=colleague))
    return redirect(colleague)


def set_language(request: HttpRequest) -> HttpResponse:
    """Django's own, and the choice stays with the user, for the next browser and for mail."""
    response = set_language_of_browser(request)
    language = request.POST.get("language")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return response


def is_administrator(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_administrator


def require_administrator(request: HttpRequest) -> None:
    """PermissionDenied for everybody else."""
    if not is_administrator(request):
        raise PermissionDenied
