from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("annotate", "0003_instructions_are_guidelines")]
    operations = [migrations.RemoveField(model_name="campaign", name="instructions")]
