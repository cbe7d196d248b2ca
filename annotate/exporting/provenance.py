"""Where a row comes from: who answered what, and why this pair was asked for.

The columns of ``metadata`` are the same in each row of a file, and each has one type or is null.
What a campaign may get later is never null: active seconds that a page did not count are all of
its seconds, and without guidelines their version is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.utils.crypto import salted_hmac

from annotate.exporting.columns import Type
from annotate.models import Campaign
from pairselect.pools.models import ScoreSet
from pairselect.pools.queries import finished_scores

if TYPE_CHECKING:
    from annotate.exporting.texts import Answer

# The steps of a campaign in words, from 1.
STRENGTHS = {
    2: ("better", "much better"),
    3: ("slightly better", "better", "much better"),
}

Columns = tuple[tuple[str, Type], ...]

CAMPAIGN: Columns = (
    ("campaign", str),
    ("labels_per_pair", int),
    ("design", str),
    ("design_id", int),
    ("strategy", str),
    ("design_seed", int),
    ("pool", str),
    ("max_new_tokens", int),
    ("reference_model", str),
    ("features", str),
    ("score", str),
)
PAIR: Columns = (
    ("prompt_id", str),
    # As text, since every prompt may have fields of its own and a column has one type.
    ("prompt_metadata", str),
    ("queue_position", int),
    ("design_position", int),
    ("inclusion_probability", float),
    ("is_random", bool),
    ("sensitivity", float),
    ("feature_distance", float),
)
SIDE: Columns = (
    ("log_prob", float),
    ("model", str),
    ("score", float),
    ("seed", int),
    ("finish_reason", str),
    ("temperature", float),
    ("top_p", float),
    ("system_prompt", str),
    ("fingerprint", str),
)
ANSWER: Columns = (
    ("annotator", str),
    ("is_machine", bool),
    ("judged_at", str),
    ("seconds", float),
    ("active_seconds", float),
    ("guideline_version", int),
    ("slot", int),
    ("reason", str),
)
CHOICE: Columns = (  # of an answer that says which is better
    ("strength", str),
    ("margin", int),
    ("criteria", str),
)
BELIEF: Columns = (
    ("labels", int),
    ("machine_answers", int),
    ("agreement", float),
    ("posterior", float),
    ("adjudicated", bool),
)


def pseudonym(campaign: Campaign, username: str) -> str:
    """A name for an annotator that tells people of one campaign apart and nothing else."""
    return salted_hmac(f"annotator:{campaign.pk}", username, algorithm="sha256").hexdigest()[:12]


def score_set_of(campaign: Campaign) -> ScoreSet | None:
    """The scores that the design looked at, else the pool's newest."""
    design = campaign.design
    return design.score_set or finished_scores(design.pool).first()


def campaign_values(campaign: Campaign, scores: ScoreSet | None) -> tuple[Any, ...]:
    """Of `CAMPAIGN`: the same in all rows of it."""
    design = campaign.design
    pool, features = design.pool, design.feature_set
    return (
        campaign.name,
        campaign.labels_per_pair,
        design.name,
        design.pk,
        design.strategy,
        design.seed,
        pool.name,
        pool.max_new_tokens,
        features.model if features else None,
        design.feature_kind,
        scores.name if scores else None,
    )


def side_columns(name: str) -> Columns:
    return tuple((f"{name}_{column}", kind) for column, kind in SIDE)


def choice_values(answer: Answer, shown: str, one: str, other: str) -> tuple[Any, ...]:
    """Of `CHOICE`: ``one`` and ``other`` are names of the two texts, ``shown`` the side of one."""
    given = answer.strength
    words = None
    if given is not None and (steps := STRENGTHS.get(answer.strengths)):
        words = steps[given - 1]
    return (words, given, criteria(answer, {shown: one, "same": "same"}, other))


def criteria(answer: Answer, names: dict[str, str], other: str) -> str:
    """As text, since every campaign has criteria of its own."""
    if answer.criteria == "{}":
        return "{}"
    found = {name: names.get(said, other) for name, said in orjson.loads(answer.criteria).items()}
    return orjson.dumps(found).decode()
