"""What the zips that wait for their download were when they were made; those from before are made again when they are asked for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_slugs_by_project")]

    operations = [
        migrations.CreateModel(
            name="PackedExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stamp", models.JSONField(help_text="as queries.stamp_of has it")),
                ("used_at", models.DateTimeField(help_text="when it was downloaded last, or made")),
                (
                    "card",
                    models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="packed_export", to="catalog.card"),
                ),
            ],
        ),
    ]
