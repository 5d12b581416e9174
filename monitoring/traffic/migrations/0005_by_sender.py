"""Feedback and comparisons are counted by group of sticky keys too; feedback that is there already, from its predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from django.db import migrations, models

ROLLUPS = ("minuterollup", "hourrollup", "dayrollup")
HELP = "group of keys with + or - → predictions called right or wrong; of a shadow, those that agree or not; without a key + and -"


def grouped(apps: Any, _schema: Any) -> None:
    """The newest word on each prediction. Comparisons of a shadow stay without keys: what was compared before says nothing of them."""
    words = apps.get_model("traffic", "Feedback").objects
    newest = words.filter(prediction=models.OuterRef("prediction")).order_by("-id").values("id")[:1]
    columns = [f"prediction__{name}" for name in ("endpoint", "version", "arm", "at", "key")]
    rows = words.filter(id=models.Subquery(newest)).order_by("pk").values_list(*columns, "right")
    sides: dict[tuple[str, int, int | None, str, datetime], dict[str, int]] = {}
    for endpoint, version, arm, at, key, right in rows.iterator(chunk_size=2000):
        group = blake2b(key.encode(), digest_size=1).digest()[0] if key else ""
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        starts = {"minuterollup": minute, "hourrollup": minute.replace(minute=0), "dayrollup": minute.replace(hour=0, minute=0)}
        for table, start in starts.items():
            found, side = sides.setdefault((table, endpoint, version, arm, start), {}), f"{group}{'+' if right else '-'}"
            found[side] = found.get(side, 0) + 1
    for (table, endpoint, version, arm, start), found in sides.items():
        place = apps.get_model("traffic", table).objects.filter(endpoint=endpoint, version=version, arm=arm, start=start)
        place.update(by_sender=found)


class Migration(migrations.Migration):
    dependencies = [("traffic", "0004_groups_of_subjects")]

    operations = [
        *(migrations.AddField(name, "by_sender", models.JSONField(default=dict, help_text=HELP)) for name in ROLLUPS),
        migrations.RunPython(grouped, migrations.RunPython.noop),
    ]
