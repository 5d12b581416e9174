"""Each account has the key of its user name, so that a display name that reads the same is found without reading all user names."""

from django.db import migrations, models

from registry.access import names

BATCH = 500


def give_keys(apps, schema_editor):
    """Placeholders of people without an account have none: they sign in nowhere."""
    user_model = apps.get_model("access", "User")
    batch = []
    for user in user_model.objects.exclude(username__startswith="brought:").only("pk", "username").order_by("pk").iterator():
        user.username_key = names.key(user.username)
        batch.append(user)
        if len(batch) == BATCH:
            user_model.objects.bulk_update(batch, ["username_key"])
            batch = []
    user_model.objects.bulk_update(batch, ["username_key"])


class Migration(migrations.Migration):
    dependencies = [("access", "0005_role_proposals")]

    operations = [
        migrations.AlterModelManagers("user", []),
        migrations.AddField(
            "user",
            "username_key",
            models.CharField(
                blank=True,
                db_index=True,
                default="",
                editable=False,
                help_text="how the user name reads: nobody's name reads the same",
                max_length=400,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(give_keys, migrations.RunPython.noop),
    ]
