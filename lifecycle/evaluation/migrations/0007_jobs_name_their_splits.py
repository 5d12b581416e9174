from django.db import migrations


def name_splits(apps, schema_editor):
    """An evaluation that waits over the update measures the one split that it was asked for."""
    for job in apps.get_model("jobs", "Job").objects.filter(kind="evaluation.evaluate", state__in=["queued", "running"]):
        if "split" in job.args:
            job.args["splits"] = [job.args.pop("split")]
            job.save(update_fields=["args"])


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0006_side_by_side"), ("jobs", "0001_initial")]
    operations = [migrations.RunPython(name_splits, migrations.RunPython.noop)]
