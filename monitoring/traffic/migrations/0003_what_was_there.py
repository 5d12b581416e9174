"""Rows of the first form get what the second form knows of them: the words their window, the minutes their endings and distributions."""

from collections import defaultdict

from django.db import migrations
from django.db.models import OuterRef, Subquery

from monitoring.traffic.histogram import bucket
from monitoring.traffic.rules import CONFIDENCE_BINS, share_bin

ROWS = 1000
BY_TEXT = 5  # uuids of this kind are of a request's second and further texts


def fill(apps, schema_editor):
    """Nothing here depends on the clock, and a second time changes nothing."""
    alias = schema_editor.connection.alias
    prediction, feedback, minute = (apps.get_model("traffic", name) for name in ("Prediction", "Feedback", "MinuteRollup"))
    place = ' ON "traffic_feedback"' if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP TRIGGER IF EXISTS traffic_feedback_no_update{place}")  # put back at the end of every migrate
    own = prediction.objects.using(alias).filter(pk=OuterRef("prediction"))
    feedback.objects.using(alias).filter(endpoint=None).update(
        endpoint=Subquery(own.values("endpoint")[:1]), predicted_at=Subquery(own.values("at")[:1])
    )
    found = defaultdict(lambda: {"answers": 0, "refused": 0, "shed": 0, "confidence": {}, "chars": {}, "tokens": {}})
    rows = prediction.objects.using(alias).values_list(
        "endpoint", "version", "at", "uuid", "code", "label", "confidence", "chars", "tokens"
    )
    for endpoint, version, at, uuid, code, label, confidence, chars, tokens in rows.order_by("pk").iterator(ROWS):
        counts = found[endpoint, version, at.replace(second=0, microsecond=0)]
        if uuid.version != BY_TEXT:
            counts["shed"] += code == 429
            counts["refused"] += 400 <= code < 500 and code != 429
        if label:
            counts["answers"] += 1
            for name, key in (
                ("confidence", None if confidence is None else share_bin(confidence, CONFIDENCE_BINS)),
                ("chars", bucket(chars) if chars else None),
                ("tokens", bucket(tokens) if tokens else None),
            ):
                if key is not None:
                    counts[name][str(key)] = counts[name].get(str(key), 0) + 1
    changed = []
    for row in minute.objects.using(alias).filter(answers=0, refused=0, shed=0).order_by("pk").iterator(ROWS):
        counts = found.get((row.endpoint_id, row.version_id, row.start))
        if counts:
            row.errors = max(0, row.errors - counts["refused"] - counts["shed"])
            for name, value in counts.items():
                setattr(row, name, value)
            changed.append(row)
    minute.objects.using(alias).bulk_update(
        changed, ["errors", "answers", "refused", "shed", "confidence", "chars", "tokens"], batch_size=50
    )


class Migration(migrations.Migration):

    dependencies = [
        ("traffic", "0002_figures"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
