from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def keep(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Instructions become the first version; a campaign that runs goes on without checks."""
    campaigns = apps.get_model("annotate", "Campaign").objects.all()
    guidelines = apps.get_model("annotate", "Guideline").objects
    for campaign in campaigns.exclude(instructions=""):
        guidelines.create(campaign=campaign, number=1, text=campaign.instructions)
    campaigns.update(repeat_share=0.0, gold_share=0.0)


def give_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    campaigns = apps.get_model("annotate", "Campaign").objects
    for guideline in apps.get_model("annotate", "Guideline").objects.order_by("number"):
        campaigns.filter(pk=guideline.campaign_id).update(instructions=guideline.text)


class Migration(migrations.Migration):
    dependencies = [("annotate", "0002_the_annotators_desk")]
    operations = [migrations.RunPython(keep, give_back)]
