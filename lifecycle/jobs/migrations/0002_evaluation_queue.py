"""Evaluations have a queue of their own; those that wait go there."""

from django.db import migrations, models


def move(apps, schema_editor):
    apps.get_model("jobs", "Job").objects.filter(kind__startswith="evaluation.", queue="training", state="queued").update(queue="evaluation")


def move_back(apps, schema_editor):
    apps.get_model("jobs", "Job").objects.filter(queue="evaluation").update(queue="training")


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="queue",
            field=models.CharField(
                choices=[("default", "Default"), ("scans", "Scans"), ("evaluation", "Evaluation"), ("training", "Training")],
                default="default",
                max_length=20,
            ),
        ),
        migrations.RunPython(move, move_back),
    ]
