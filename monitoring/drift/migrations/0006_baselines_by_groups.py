from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("drift", "0005_not_enough_data")]

    operations = [
        migrations.AlterField(
            "baseline",
            "form",
            models.PositiveSmallIntegerField(default=3, help_text="what the calibration holds: see drift.reference.calibrate"),
        ),
    ]
