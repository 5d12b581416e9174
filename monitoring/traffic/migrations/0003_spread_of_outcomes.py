"""The sum of squared values of a day's outcomes becomes the sum of squared deviations from their mean, which large values leave exact."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import migrations, models


def spread(apps: Any, _schema: Any) -> None:
    """From the outcomes themselves where a day has all of them, which are figures of numbers; else from its sums."""
    days, outcomes = apps.get_model("traffic", "OutcomeDay"), apps.get_model("traffic", "Outcome")
    for row in days.objects.select_related("kpi").iterator(chunk_size=500):
        begin = datetime(row.day.year, row.day.month, row.day.day, tzinfo=UTC)
        kept = outcomes.objects.filter(kpi=row.kpi_id, arm=row.arm, at__gte=begin, at__lt=begin + timedelta(days=1))
        values = list(kept.values_list("value", flat=True)) if row.kpi.kind == "number" else []
        mean = row.total / row.n if row.n else 0.0
        row.spread = math.fsum((value - mean) ** 2 for value in values) if len(values) == row.n else max(0.0, row.spread - row.total * mean)
        row.save(update_fields=["spread"])


def squares(apps: Any, _schema: Any) -> None:
    """Back."""
    for row in apps.get_model("traffic", "OutcomeDay").objects.iterator(chunk_size=500):
        row.spread += row.total * row.total / row.n if row.n else 0.0
        row.save(update_fields=["spread"])


class Migration(migrations.Migration):
    dependencies = [("traffic", "0002_lost_requests")]

    operations = [
        migrations.RenameField("outcomeday", "squares", "spread"),
        migrations.AlterField(
            "outcomeday",
            "spread",
            models.FloatField(default=0.0, help_text="sum of the squared deviations from the mean of the day"),
        ),
        migrations.RunPython(spread, squares),
    ]
