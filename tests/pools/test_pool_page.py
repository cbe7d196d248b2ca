"""What a pool's page says of where its completions come from."""

import pytest
from django.test import Client

from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Variant
from tests.conftest import People, run_queued_jobs
from tests.pools.support import POOL, address, confirm, lines, send


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def page_of(client: Client, pool: Pool) -> str:
    response = client.get(f"/pools/{pool.pk}/")
    assert response.status_code == 200
    return str(response.content.decode())


def test_an_imported_pool_leads_to_its_file_and_says_where_its_models_are(admin: Client) -> None:
    answers = [{"text": "a", "model": "one"}, {"text": "b", "model": "two"}]
    upload = send(admin, lines({"prompt": "Q", "completions": answers}))
    confirm(admin, upload, POOL)
    run_queued_jobs()
    page = page_of(admin, Pool.objects.get())
    assert f'<a href="{address(upload)}">p.jsonl</a>' in page
    assert "stated with each completion" in page
    assert "not stated" not in page


def test_completions_of_two_system_prompts_are_told_apart(admin: Client) -> None:
    prompt_set = PromptSet.objects.create(name="p", prompt_count=1)
    messages = [{"role": "user", "content": "Q"}]
    prompt = Prompt.objects.create(prompt_set=prompt_set, position=0, messages=messages)
    pool = Pool.objects.create(prompt_set=prompt_set, name="pool", model="m", seed=0)
    for i, system in enumerate(["Be <b>brief</b>.", "Be long."]):
        variant = Variant.objects.create(
            pool=pool, position=i, model="m", system_prompt=system,
            temperature=1, top_p=1, completions_per_prompt=1,
        )  # fmt: skip
        Completion.objects.create(pool=pool, prompt=prompt, index=i, variant=variant, text="x")
    page = page_of(admin, pool)
    for shown in ("Be &lt;b&gt;brief&lt;/b&gt;.", "Be long."):
        assert f'with a system prompt: <q dir="auto">{shown}</q>' in page


def test_progress_has_separators_in_its_numbers(admin: Client) -> None:
    job = Job.objects.create(kind="import_prompts", subject_id=1, done=5001, total=100000)
    job.status = "running"
    job.save()
    page = admin.get(f"/jobs/{job.pk}/progress/").content.decode()
    assert "5,001 of 100,000" in page
    assert 'max="100000" value="5001"' in page
