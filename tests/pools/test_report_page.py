"""The words and charts of a pool's report, and its page."""

from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from pairselect.pools.models import Pool, PoolReport, Prompt
from pairselect.pools.report import present
from pairselect.pools.report.identity import FILE
from tests.conftest import People, make_pool
from tests.pools.test_report import data_folder as data_folder
from tests.pools.test_report import give_features, report, say, spread_out

pytestmark = [pytest.mark.django_db, pytest.mark.page]


def test_warnings_name_the_share_and_the_limit() -> None:
    pool = make_pool(prompts=4, completions=4)
    Pool.objects.filter(pk=pool.pk).update(max_new_tokens=128)
    pool.refresh_from_db()
    pool.completions.filter(index__lt=1).update(finish_reason="length", text="")
    pool.completions.filter(index=3).update(text="as an AI")
    say(pool, 0, "a", "a", "a", "a")
    assert list(present(report(pool)).warnings) == [
        "25% of the completions were cut at 128 tokens: people would compare answers without an "
        "end. Allow more tokens, or ask for shorter answers.",
        "3 completions (19%) tell who or what wrote them: people would judge the name, and the "
        "trained model would learn to say it.",
        "1 of 4 prompts (25%) has no two distinct completions: no label can be bought there.",
        "19% of the completions repeat another of their prompt: a higher temperature or a second "
        "model would give more to choose from.",
        "3 completions (19%) are empty.",
    ]


def test_facts_of_an_english_worker_are_read_in_german() -> None:
    pool = make_pool(prompts=4, completions=4)
    pool.completions.filter(index__lt=1).update(text="")
    facts = report(pool)
    with translation.override("de"):
        found = present(facts)
    assert "4 Antworten (25\u00a0%) sind leer." in found.warnings
    assert found.missing.startswith("Noch keine Merkmale: ")
    assert ("Prompts mit einer Auswahl", "4 von 4") in [
        (one.title, one.value) for one in found.figures
    ]


def test_a_pool_with_nothing_odd_has_no_warning() -> None:
    assert present(report(make_pool())).warnings == []


@pytest.mark.parametrize(("completions", "said"), [(2, False), (4, True)])
def test_the_directions_within_a_prompt_are_said_where_it_has_several_pairs(
    completions: int, said: bool
) -> None:
    pool = make_pool(prompts=6, completions=completions)
    give_features(pool, spread_out(6, completions))
    hints = {line.title: line.hint for line in present(report(pool)).variety}
    hint = hints["Independent directions in which pairs differ"]
    assert ("within the median prompt" in hint) is said


def test_lengths_that_are_alike_in_nearly_all_prompts_are_said_once() -> None:
    pool = make_pool(prompts=3, completions=2)
    for position in range(3):
        say(pool, position, "abcd", "efgh")
    [hint] = [one.hint for one in present(report(pool)).lengths if one.title.startswith("Longest")]
    assert hint == "in the median prompt"
    for position in (1, 2):
        say(pool, position, "abcd", "efgh" * 3 * position)
    [hint] = [one.hint for one in present(report(pool)).lengths if one.title.startswith("Longest")]
    assert hint == "in the median prompt; over 5.4 times in one of ten"


def test_lines_of_the_list_that_cannot_be_used_are_named(data_folder: Path) -> None:
    (data_folder / FILE).write_text("I am Bob\n*\n" + "??\n" * 5)
    facts = report(make_pool())
    why = "has no 3 letters or digits between asterisks"
    assert (
        f"6 lines of that file could not be used: line 2 {why}; line 3" in present(facts).identity
    )
    assert f"line 6 {why}; and 1 more." in present(facts).identity
    del facts["identity"]["skipped_lines"]  # as of a report made earlier
    assert "6 lines of that file could not be used. The file" in present(facts).identity


def test_the_page_escapes_what_the_completions_say() -> None:
    pool = make_pool(prompts=4, completions=4)
    give_features(pool, spread_out(4, 4))
    say(pool, 0, "as an AI <script>alert(1)</script>")
    Prompt.objects.update(messages=[{"role": "user", "content": "<b>Why?</b>"}])
    html = render_to_string("pools/_report.html", {"report": present(report(pool))})
    assert "as an AI &lt;script&gt;" in html
    assert "&lt;b&gt;Why?" in html
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("<svg") == 2
    assert "nan" not in html
    assert "None" not in html


def test_the_pools_page_holds_the_report_once_it_is_made(people: People) -> None:
    pool = make_pool(prompts=4, completions=4)
    give_features(pool, spread_out(4, 4))
    page = reverse("pools:pool", args=[pool.pk])
    client = people.client(people.admin)
    assert b"What the pool offers" not in client.get(page).content
    PoolReport.objects.create(pool=pool, facts=report(pool), completed_at=timezone.now())
    html = client.get(page).content.decode()
    assert "What the pool offers" in html
    assert "4 completions a prompt instead of 2 lower the predicted objective by" in html
