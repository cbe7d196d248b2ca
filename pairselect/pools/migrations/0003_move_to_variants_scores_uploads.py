from django.db import migrations

BATCH = 2000


def move(apps, schema_editor):
    """Samplers become variants, scores of files score sets, files of prompt sets uploads."""
    Pool = apps.get_model("pools", "Pool")
    for pool in Pool.objects.iterator():
        if pool.source == "generated":
            variant = apps.get_model("pools", "Variant").objects.create(
                pool=pool,
                position=0,
                model=pool.model,
                temperature=pool.temperature if pool.temperature is not None else 1.0,
                top_p=pool.top_p if pool.top_p is not None else 1.0,
                completions_per_prompt=pool.completions_per_prompt or 0,
                fingerprint=pool.fingerprint,
            )
            pool.completions.update(variant=variant)
        _move_scores(apps, pool)
    for prompt_set in apps.get_model("pools", "PromptSet").objects.iterator():
        if prompt_set.old_upload:
            prompt_set.upload = apps.get_model("pools", "Upload").objects.create(
                name=prompt_set.name,
                file=prompt_set.old_upload.name,
                file_name=prompt_set.file_name,
                sha256=prompt_set.sha256,
                row_count=prompt_set.prompt_count if prompt_set.imported_at else None,
                created_by=prompt_set.created_by,
            )
            prompt_set.save()


def _move_scores(apps, pool):
    ScoreSet, Score = apps.get_model("pools", "ScoreSet"), apps.get_model("pools", "Score")
    scored = pool.completions.filter(score__isnull=False).order_by("pk")
    if not scored.exists():
        return
    score_set = ScoreSet.objects.create(
        pool=pool, name="file", source="file", completed_at=pool.completed_at
    )
    rows = []
    for completion_id, value in scored.values_list("pk", "score").iterator(chunk_size=BATCH):
        rows.append(Score(score_set=score_set, completion_id=completion_id, value=value))
        if len(rows) == BATCH:
            Score.objects.bulk_create(rows)
            rows = []
    Score.objects.bulk_create(rows)


class Migration(migrations.Migration):

    dependencies = [
        ('pools', '0002_variants_scores_uploads'),
    ]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
