"""How a person keeps the Contacts list: views with a name, and the columns and the density that they like."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, user: Any) -> Self:
        """`user`'s own, and those that are shared with everybody; these come last."""
        return self.filter(Q(owner=user) | Q(is_shared=True)).order_by("is_shared", "name", "pk")

    def editable_by(self, user: Any) -> Self:
        """`user`'s own; for an administrator also the shared ones, whoever made them."""
        own = Q(owner=user, is_shared=False)
        return self.filter(own | Q(is_shared=True) if getattr(user, "is_administrator", False) else own)


class SavedView(models.Model):
    """A list worth a name: `query` is its address's query string, without page. Administrators may share theirs."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(_("Name"), max_length=60)
    query = models.TextField()
    is_shared = models.BooleanField(_("Show it to everybody"), default=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="one_view_per_name",
                violation_error_message=_("You have a view of this name already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Density(models.TextChoices):
    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")


class ListLayout(models.Model):
    """The columns (such as 'name,city'; '' for the standard ones) and the density that a person likes in the list."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    columns = models.CharField(max_length=300, blank=True)
    density = models.CharField(max_length=12, choices=Density, default=Density.COMFORTABLE)

    def __str__(self) -> str:
        return f"{self.user}: {self.columns or 'standard'}, {self.density}"

    @classmethod
    def of(cls, user: Any) -> Self:
        """`user`'s layout, unsaved where there is none yet."""
        return cls.objects.filter(user=user).first() or cls(user=user)
