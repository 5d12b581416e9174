from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("promotions", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="promotionrequest",
            name="plan",
            field=models.JSONField(
                default=dict, help_text="how the version gets its traffic, see plans; empty: chosen at start, as before requests had one"
            ),
        ),
        migrations.AddField(
            model_name="promotionrequest",
            name="by_system",
            field=models.BooleanField(
                default=False, help_text="the product asked by fixed rules, on behalf of the requester, whose own work it is not"
            ),
        ),
        migrations.AddField(
            model_name="promotionrequest",
            name="behind",
            field=models.JSONField(
                default=list, help_text="uuids of others whose work it is: who proposed the retraining, who labeled for it"
            ),
        ),
    ]
