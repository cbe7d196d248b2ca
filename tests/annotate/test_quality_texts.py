"""What counts as Markdown, and how two texts differ."""

import numpy as np
import pytest

from annotate.quality.texts import markdown_elements, read_texts
from pairselect.pools.models import Completion, Prompt
from tests.annotate.saying import pairs_of
from tests.conftest import People, make_campaign

pytestmark = pytest.mark.page


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("Plain. 3 * 4 * 5 = 60, snake_case_name, C# and a - b.", 0),
        ("# A heading\n\n#hashtag", 1),
        ("- one\n- two\n* three\n+ four", 4),
        ("1. one\n2) two\n2024 was a year", 2),
        ("some **bold** and __bold__ words, ** no ** bold", 2),
        ("`code` and ``", 1),
        ("```python\nx = 1\n```", 2),
        ("> quoted", 1),
        ("| a | b |\n|---|---|\n| 1 | 2 |", 3),
        ("-5 degrees\n--- \n*emphasis* alone", 0),
        ("**" + "a" * 20000, 0),
    ],
)
def test_markdown_is_counted(text: str, number: int) -> None:
    assert markdown_elements(text) == number


@pytest.mark.parametrize("text", ["*" * 50000, "`" * 50001, "|" * 50000, "_" * 50000, "- " * 30000])
def test_no_text_takes_long(text: str) -> None:
    import time

    began = time.process_time()  # of this process alone, on a machine that may be busy
    markdown_elements(text)
    assert time.process_time() - began < 1.0


def test_differences_are_first_less_second(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=2)
    one, two = pairs_of(campaign)
    Completion.objects.filter(pk=one.first_id).update(text="**abc** de", token_count=7)
    Completion.objects.filter(pk=one.second_id).update(text="abcd", token_count=3)
    Completion.objects.filter(pk=two.first_id).update(text="", token_count=None)
    Completion.objects.filter(pk=two.second_id).update(text="abc", token_count=3)
    found = read_texts(np.array([one.pk, two.pk]))
    assert found.pair_ids.tolist() == [one.pk, two.pk]
    assert found.completions.tolist() == [[p.first_id, p.second_id] for p in (one, two)]
    assert found.prompt_ids.tolist() == [one.prompt_id, two.prompt_id]
    assert found.characters.tolist() == [6, -3]
    assert found.tokens.tolist() == [4, 0]
    assert found.markdown.tolist() == [1, 0]
    assert found.log_length == pytest.approx([np.log2(11 / 5), -2.0])
    assert len(read_texts(np.zeros(0, dtype=np.int64)).pair_ids) == 0


def test_equal_prompts_are_one(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=3)
    one, two, three = pairs_of(campaign)
    same = [{"role": "user", "content": "Say  it"}]
    Prompt.objects.filter(pk=one.prompt_id).update(messages=same)
    Prompt.objects.filter(pk=three.prompt_id).update(
        messages=[{"role": "user", "content": "say it "}]
    )
    found = read_texts(np.array([one.pk, two.pk, three.pk]))
    assert found.prompt_ids.tolist() == [one.prompt_id, two.prompt_id, one.prompt_id]
