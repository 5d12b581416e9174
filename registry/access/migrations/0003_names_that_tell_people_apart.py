"""No two accounts read the same. Where two do already, the older account keeps the name; the user name is put behind the other's."""

from django.db import migrations, models

from registry.access import names


def tell_apart(apps, schema_editor):
    """Give each account the key of its name. Placeholders of people without an account have none: they sign in nowhere."""
    user_model = apps.get_model("access", "User")
    taken = set()
    for user in user_model.objects.exclude(display_name="").exclude(username__startswith="brought:").order_by("pk").iterator():
        if names.key(user.display_name) in taken:
            user.display_name = f"{user.display_name[: max(77 - len(user.username), 10)]} ({user.username})"[:80]
        key = names.key(user.display_name)
        user.name_key = "" if key in taken else key
        taken.add(user.name_key)
        user.save(update_fields=["display_name", "name_key"])


class Migration(migrations.Migration):
    dependencies = [("access", "0002_addresses_that_count")]

    operations = [
        migrations.AddField(
            "user",
            "name_key",
            models.CharField(blank=True, default="", editable=False, help_text="how the name reads: no two accounts share one", max_length=400),
            preserve_default=False,
        ),
        migrations.RunPython(tell_apart, migrations.RunPython.noop),
        migrations.AddConstraint(
            "user",
            models.UniqueConstraint(condition=models.Q(("name_key", ""), _negated=True), fields=("name_key",), name="one_person_a_name"),
        ),
    ]
