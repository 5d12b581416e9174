"""The slug of an endpoint is unique within its project, no longer in the installation."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery


def give_projects(apps, schema_editor):
    """Each endpoint is of its model's project."""
    endpoint, model = apps.get_model("catalog", "Endpoint"), apps.get_model("catalog", "RegisteredModel")
    endpoint.objects.update(project=Subquery(model.objects.filter(pk=OuterRef("model")).values("project")))


WORDS = {"config", "infer", "ready", "stats", "versions"}  # lifecycle.inference.names.WORDS: what follows a name in an address


def name_words(apps, schema_editor):
    """Tell the operator which endpoints have a slug that none may have any more."""
    for slug, project in apps.get_model("catalog", "Endpoint").objects.filter(slug__in=WORDS).values_list("slug", "project__slug"):
        name = f"{project}/{slug}"
        print(f"\nThe endpoint {name} answers under its slug alone: its full name means another address. Create one with another slug.")


def refuse_namesakes(apps, schema_editor):
    """The schema of before holds no two endpoints of one slug, whose addresses clients call: nobody but a person can choose between them."""
    rows = apps.get_model("catalog", "Endpoint").objects.order_by()
    shared = sorted(rows.values("slug").annotate(n=Count("pk")).filter(n__gt=1).values_list("slug", flat=True))
    if shared:
        raise RuntimeError(f"Several projects have an endpoint {', '.join(shared)}. The release before cannot hold them: restore a backup.")


class Migration(migrations.Migration):
    dependencies = [("access", "0006_keys_of_user_names"), ("catalog", "0003_verified_copies")]

    operations = [
        migrations.AddField(
            "endpoint",
            "project",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="endpoints", to="access.project"),
        ),
        migrations.RunPython(give_projects, migrations.RunPython.noop),
        migrations.RunPython(name_words, migrations.RunPython.noop),
        migrations.AlterField(
            "endpoint",
            "project",
            models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="endpoints", to="access.project"),
        ),
        migrations.AlterField(
            "endpoint", "slug", models.SlugField(help_text="in the address: /v2/models/<project>/<slug>/infer", max_length=60)
        ),
        migrations.AddConstraint("endpoint", models.UniqueConstraint(fields=["project", "slug"], name="one_endpoint_per_slug")),
        migrations.RunPython(migrations.RunPython.noop, refuse_namesakes),
    ]
