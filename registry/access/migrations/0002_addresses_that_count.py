"""The address that an account has counts as verified: an admin gave it, or the person lived with it. One that is only added does not."""

from django.conf import settings
from django.db import migrations


def verify_present_addresses(apps, schema_editor):
    """Each person's own address becomes their verified one; of two accounts with the same address the older one's."""
    user_model, address_model = apps.get_model("access", "User"), apps.get_model("account", "EmailAddress")
    taken = set(address_model.objects.filter(verified=True).values_list("email", flat=True))
    for user in user_model.objects.exclude(email="").order_by("-is_active", "pk").iterator():
        address = user.email.lower()
        address_model.objects.filter(user=user, primary=True).exclude(email=address).update(primary=False)
        row, _ = address_model.objects.get_or_create(user=user, email=address)
        row.verified, row.primary = row.verified or address not in taken, True
        row.save()
        taken.add(address)


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(verify_present_addresses, migrations.RunPython.noop)]
