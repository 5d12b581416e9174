"""Where a shadow differs is found without reading where it agrees. On PostgreSQL the index is made while rows are written."""

from django.db import migrations, models


class AddIndexBeside(migrations.AddIndex):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        beside = {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}
        schema_editor.add_index(to_state.apps.get_model(app_label, self.model_name), self.index, **beside)


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes no index beside writers inside a transaction

    dependencies = [("traffic", "0006_pinned")]

    operations = [
        AddIndexBeside(
            "shadowanswer",
            models.Index(fields=["endpoint", "-at", "-id"], condition=models.Q(agrees=False), name="shadow_disagreements"),
        ),
    ]
