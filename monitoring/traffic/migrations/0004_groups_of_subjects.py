"""Outcomes of a day are added up by groups of subjects too, from the outcomes themselves, none of which was ever deleted."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date
from typing import Any

import numpy as np
from django.db import migrations, models


def grouped(apps: Any, _schema: Any) -> None:
    """One figure after the other. A day whose outcomes are not all here, which the product never makes, counts as one subject."""
    kpis, days, outcomes = (apps.get_model("traffic", name) for name in ("Kpi", "OutcomeDay", "Outcome"))
    for kpi in kpis.objects.order_by("pk").values_list("pk", flat=True):
        known: set[str] = set()
        sums: dict[tuple[date, str], Any] = {}
        counts: dict[tuple[date, str], list[int]] = {}
        rows = outcomes.objects.filter(kpi=kpi).order_by("pk").values_list("uuid", "arm", "value", "at", "subject")
        for uuid, arm, value, at, subject in rows.iterator(chunk_size=2000):
            place = at.astimezone(UTC).date(), arm
            group = int(subject[:2], 16) if subject else hashlib.sha256(uuid.bytes).digest()[0]
            sums.setdefault(place, np.zeros((2, 256)))[:, group] += 1, value
            count = counts.setdefault(place, [0, 0])
            count[0] += not subject or subject[:16] not in known
            count[1] += not subject
            known.add(subject[:16])
        for row in days.objects.filter(kpi=kpi).order_by("pk"):
            found = sums.get((row.day, row.arm), np.zeros((2, 256)))
            row.subjects, row.unnamed = counts.get((row.day, row.arm), [0, 0])
            if found[0].sum() != row.n:
                found, row.subjects, row.unnamed = np.zeros((2, 256)), 0, 0
                found[:, row.day.toordinal() % 256] = row.n, row.total
            row.groups = found.astype("<f8").tobytes()
            row.save(update_fields=["subjects", "unnamed", "groups"])


def spread(apps: Any, _schema: Any) -> None:
    """Back: the squared deviations from the mean of the day."""
    days, outcomes = apps.get_model("traffic", "OutcomeDay"), apps.get_model("traffic", "Outcome")
    for row in days.objects.order_by("pk").iterator(chunk_size=500):
        kept = outcomes.objects.filter(kpi=row.kpi_id, arm=row.arm, at__date=row.day)
        mean = row.total / row.n if row.n else 0.0
        row.spread = math.fsum((value - mean) ** 2 for value in kept.values_list("value", flat=True))
        row.save(update_fields=["spread"])


class Migration(migrations.Migration):
    dependencies = [("traffic", "0003_spread_of_outcomes")]

    operations = [
        migrations.AddIndex(
            "outcome",
            models.Index(fields=["kpi", "subject"], condition=models.Q(("subject", ""), _negated=True), name="outcome_subject"),
        ),
        migrations.AddField("outcomeday", "subjects", models.PositiveIntegerField(default=0)),
        migrations.AddField("outcomeday", "unnamed", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "outcomeday",
            "groups",
            models.BinaryField(default=b"", help_text="n and total by group of subjects: 2 times 256 doubles, little-endian"),
            preserve_default=False,
        ),
        migrations.RunPython(grouped, spread),
        migrations.RemoveField("outcomeday", "spread"),
    ]
