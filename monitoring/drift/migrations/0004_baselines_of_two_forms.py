from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("drift", "0003_between")]

    operations = [
        migrations.RemoveConstraint("baseline", "one_baseline_per_evaluation"),
        migrations.AddField("baseline", "form", models.PositiveSmallIntegerField(default=1)),  # what there was before
        migrations.AlterField(
            "baseline",
            "form",
            models.PositiveSmallIntegerField(default=2, help_text="what the calibration holds: see drift.reference.calibrate"),
        ),
        migrations.AddConstraint(
            "baseline", models.UniqueConstraint(fields=["version", "evaluation", "form"], name="one_baseline_per_evaluation")
        ),
    ]
