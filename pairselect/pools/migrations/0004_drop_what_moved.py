from django.db import migrations


IRREVERSIBLE = (
    "The columns that go here must have a value in each row, and the values went to other tables in "
    "0003: the way back is the backup made before."
)


class Migration(migrations.Migration):

    dependencies = [
        ('pools', '0003_move_to_variants_scores_uploads'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='completion',
            name='score',
        ),
        migrations.RemoveField(
            model_name='pool',
            name='fingerprint',
        ),
        migrations.RemoveField(
            model_name='pool',
            name='temperature',
        ),
        migrations.RemoveField(
            model_name='pool',
            name='top_p',
        ),
        migrations.RemoveField(
            model_name='promptset',
            name='file_name',
        ),
        migrations.RemoveField(
            model_name='promptset',
            name='sha256',
        ),
        migrations.RemoveField(
            model_name='promptset',
            name='old_upload',
        ),
    ]
