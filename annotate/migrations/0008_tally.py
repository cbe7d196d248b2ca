import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotate", "0007_campaign_invitations")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("answers", models.JSONField(help_text="as annotate.counting has them")),
                ("people", models.JSONField(help_text="a row a person, likewise")),
                ("counted_at", models.DateTimeField(help_text="when the count began")),
                ("seconds", models.FloatField(help_text="that it took")),
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tally",
                        to="annotate.campaign",
                    ),
                ),
            ],
            options={"verbose_name_plural": "tallies"},
        ),
        migrations.AddIndex(
            model_name="comparison",
            index=models.Index(fields=["campaign", "kind", "labelled_at"], name="how_far"),
        ),
    ]
