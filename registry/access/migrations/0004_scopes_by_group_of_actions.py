"""A token for writing keeps what it could change except production: `deploy` is given anew, on purpose. A token may have one project."""

import django.db.models.deletion
from django.db import migrations, models

INSTEAD = ["label", "request", "train"]


def divide_write(apps, schema_editor):
    """write becomes label, train and request."""
    for token in apps.get_model("access", "ApiToken").objects.iterator():
        if "write" in token.scopes:
            token.scopes = sorted({*token.scopes, *INSTEAD} - {"write"})
            token.save(update_fields=["scopes"])


class Migration(migrations.Migration):
    dependencies = [("access", "0003_names_that_tell_people_apart")]

    operations = [
        migrations.AddField(
            "apitoken",
            "project",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="access.project"),
        ),
        migrations.RunPython(divide_write, migrations.RunPython.noop),
    ]
