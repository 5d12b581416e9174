from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="card",
            name="signature",
            field=models.TextField(blank=True, help_text="OpenSSF model signature over README.md and card.json; empty before cards were signed"),
        ),
        migrations.AddField(model_name="card", name="key_fingerprint", field=models.CharField(blank=True, max_length=64)),
    ]
