"""A migration of its own: PostgreSQL alters no table in the transaction that has written to it."""

from django.db import migrations


def carry_over(apps, schema_editor):
    """Each evaluation's first computation with disturbed texts becomes an analysis of it."""
    Analysis = apps.get_model("evaluation", "Analysis")
    Analysis._meta.get_field("created_at").auto_now_add = False  # what was found then was found then
    seen = set()
    for old in apps.get_model("evaluation", "Robustness").objects.order_by("id").iterator():
        if old.evaluation_id in seen:
            continue
        seen.add(old.evaluation_id)
        Analysis.objects.create(
            uuid=old.uuid, evaluation_id=old.evaluation_id, kind="robustness", report=old.report, rows_id=old.flips_id,
            created_by_id=old.created_by_id, created_at=old.created_at,
        )


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0004_analysis_of_disturbed_texts'),
    ]

    operations = [
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.DeleteModel(
            name='Robustness',
        ),
    ]
