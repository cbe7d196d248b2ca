"""Rows of every stage, from a file to its labels, so that each page has something to show."""

from dataclasses import dataclass
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from annotate.actions import create_campaign, open_campaign
from annotate.answering import flag
from annotate.gold import add_gold, gold_pair
from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.models import Assessment, Campaign, Export, Flag, Gold
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, PoolReport, Prompt, Upload
from tests.annotate.assessing import full_facts
from tests.annotate.exported import export
from tests.annotate.giving import answer_next
from tests.annotate.machining import answer_all, by_api, for_first, for_second
from tests.browser.conftest import Desk
from tests.conftest import NoProgress, People, make_campaign, make_pool
from tests.designs.conftest import design, give_features, give_scores
from tests.pools.support import lines, send
from tests.pools.test_report import report

RICH = """## A heading

Some *words* with `code`, a [link](https://a.example) and $\\frac{a}{b}$.

| n | square |
|---|-------:|
| 2 | 4 |

```python
def square(n):
    return n * n  # a comment
```

> Quoted. %s

1. one
2. two
"""
TALK = [
    {"role": "system", "content": "You are a patient teacher. " * 30},
    {"role": "user", "content": "What is a square?"},
    {"role": "assistant", "content": "A number times itself."},
    {"role": "user", "content": "Show it with code, please."},
]
EVERYTHING: dict[str, Any] = {
    "strengths": 3,
    "criteria": ["Helpfulness", "Honesty"],
    "reason": "optional",
    "edits": True,
    "pause_minutes": 50,
}


@dataclass
class Stages:
    pool: Pool
    design: Design
    campaign: Campaign
    upload: Upload
    flag: Flag
    export: Export


def write_rich(pool: Pool) -> None:
    """Give a pool's rows conversations and marked-up texts."""
    Prompt.objects.filter(prompt_set=pool.prompt_set).update(messages=TALK)
    for completion in pool.completions.all():
        Completion.objects.filter(pk=completion.pk).update(text=RICH % completion.text)


def everything_asked(people: People) -> Campaign:
    """A campaign that asks everything, over conversations and marked-up texts."""
    campaign = make_campaign(people.anna, prompts=12, **EVERYTHING)
    write_rich(campaign.design.pool)
    return campaign


def at_work(desk: Desk, campaign: Campaign) -> Desk:
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    return desk


def gold(campaign: Campaign, number: int = 1, use: str = "check") -> list[Gold]:
    rows = [
        {
            "prompt": f"{n} + 2?",
            "better": f"It is {n + 2}.",
            "worse": f"It is {n + 3}.",
            "use": use,
            "explanation": "It can be **counted**.",
        }
        for n in range(number)
    ]
    add_gold(campaign, [(row, gold_pair(one)) for row, one in enumerate(rows, 1)])  # type: ignore[arg-type]
    return list(campaign.gold.filter(use=use))


def every_stage(people: People) -> Stages:
    pool = make_pool(prompts=8, completions=5)
    give_features(pool)
    give_scores(pool)
    PoolReport.objects.create(pool=pool, facts=report(pool), completed_at=timezone.now())
    found = design(budget=16)
    call_command("predict_pairs", "pool", "--budget=16")
    campaign = create_campaign(
        found, name="campaign", annotators=[people.anna], seed=0, mix_window=0, gold_share=0.1,
        passing_mark=None, repeat_share=0.0, **EVERYTHING,
    )  # fmt: skip
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    campaign.refresh_from_db()
    change_guidelines(campaign, "Prefer the **shorter** one.", created_by=people.admin)
    change_guidelines(campaign, "Prefer the **longer** one.", created_by=people.admin)
    # Before there is gold, which a draw by the person's id would put here on some runs.
    answer_next(campaign, people.anna, "left", strength=3, reason="Clearer.")
    answer_next(campaign, people.anna, "skip", skip_reason="language")
    gold(campaign, 2)
    comparison = next_comparison(campaign, people.anna)
    assert comparison is not None
    flagged = flag(comparison, people.anna, kind=Flag.Kind.OTHER, note="Odd")
    Assessment.objects.create(
        campaign=campaign, label_count=640, results=full_facts(), completed_at=timezone.now()
    )
    upload = send(people.client(people.admin), lines({"prompt": "one"}, {"prompt": ""}))
    for choose in (for_first, for_second):  # one of the two differs from the one label
        answer_all(by_api(campaign, choose.__name__), choose, confidence=0.9)
    Job.objects.create(
        kind="import_prompts", subject_id=pool.prompt_set_id, status=Job.Status.FAILED,
        finished_at=timezone.now(), error="Nothing was stored. Row 2: the prompt is empty.",
    )  # fmt: skip
    Job.objects.create(
        kind="generate_pool", subject_id=pool.pk, status=Job.Status.RUNNING, done=5, total=40,
        heartbeat_at=timezone.now(), message="writing", notices="a second try",
    )  # fmt: skip
    made = export(campaign, max_per_prompt=1)
    return Stages(pool, found, campaign, upload, flagged, made)
