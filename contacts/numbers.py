"""The number series: which number the next contact gets."""

from django.db import models, transaction
from django.db.models import F


class NumberSeries(models.Model):
    """The last number given out, by series; a number is never given twice."""

    CONTACT = "CT"

    prefix = models.CharField(max_length=10, primary_key=True)
    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "number series"

    def __str__(self) -> str:
        return f"{self.prefix}{self.last:06d}"

    @classmethod
    @transaction.atomic
    def take(cls, count: int = 1, prefix: str = CONTACT) -> list[str]:
        """The next `count` numbers (CT000001, …). The row is locked until the caller's transaction ends."""
        if not count:
            return []
        cls.objects.get_or_create(prefix=prefix)
        cls.objects.filter(prefix=prefix).update(last=F("last") + count)
        last = cls.objects.values_list("last", flat=True).get(prefix=prefix)
        return [f"{prefix}{number:06d}" for number in range(last - count + 1, last + 1)]

    @classmethod
    def pass_by(cls, last: int, prefix: str = CONTACT) -> None:
        """Give out no number up to `last` any more: contacts bring theirs along."""
        cls.objects.get_or_create(prefix=prefix)
        cls.objects.filter(prefix=prefix, last__lt=last).update(last=last)
