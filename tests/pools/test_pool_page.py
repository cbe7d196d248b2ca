"""What a pool's page says of where its completions come from."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Variant
from tests.conftest import People, make_pool, run_queued_jobs
from tests.pools.support import POOL, address, confirm, lines, send

pytestmark = pytest.mark.page


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def page_of(client: Client, pool: Pool) -> str:
    response = client.get(f"/pools/{pool.pk}/")
    assert response.status_code == 200
    return str(response.content.decode())


def test_an_imported_pool_leads_to_its_file_and_says_where_its_models_are(
    admin: Client, settings: Settings, tiny_model: str
) -> None:
    settings.PAIRSELECT_MODEL = tiny_model
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


def test_a_long_list_of_completions_is_folded(admin: Client) -> None:
    few, many = make_pool(1, 3, name="few"), make_pool(1, 16, name="many")
    assert "<details" not in page_of(admin, few).partition('class="completions"')[2]
    before, fold, after = page_of(admin, many).partition("<summary>13 more</summary>")
    assert fold
    assert "Answer 2 to question 0" in before
    assert "Answer 3 to question 0" not in before
    assert '<ol class="completions" start="4">' in after
    assert "Answer 15 to question 0" in after


def test_long_lists_have_pages_and_keep_to_what_is_archived(admin: Client) -> None:
    for i in range(26):
        make_pool(1, 2, name=f"pool {i}")
    Pool.objects.update(archived_at=timezone.now())
    PromptSet.objects.update(archived_at=timezone.now())
    for listed in ("/pools/", "/prompts/"):
        first = admin.get(f"{listed}?archived").content.decode()
        assert "pool 25" in first
        assert ">pool 0<" not in first
        assert 'href="?archived=&amp;page=2"' in first
        last = admin.get(f"{listed}?archived=&page=2").content.decode()
        assert ">pool 0<" in last
        assert "archived.</p>" in admin.get(listed).content.decode()  # every one is
