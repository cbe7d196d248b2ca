"""Where a row of a dataset comes from: who answered what, and why this pair was asked for."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.crypto import salted_hmac

from annotate.models import Campaign, Judgement
from pairselect.pools.models import Completion, Pool, ScoreSet
from pairselect.pools.queries import finished_scores

# The steps of a campaign in words, from 1.
STRENGTHS = {
    2: ("better", "much better"),
    3: ("slightly better", "better", "much better"),
}


@dataclass(frozen=True)
class Side:
    """One of the two texts, by its part in the row."""

    name: str
    completion: Completion


def pseudonym(campaign: Campaign, username: str) -> str:
    """A name for an annotator that tells people of one campaign apart and nothing else."""
    return salted_hmac(f"annotator:{campaign.pk}", username, algorithm="sha256").hexdigest()[:12]


def score_set_of(campaign: Campaign) -> ScoreSet | None:
    """The scores that the design looked at, else the pool's newest."""
    design = campaign.design
    return design.score_set or finished_scores(design.pool).first()


def provenance(
    campaign: Campaign,
    judgement: Judgement,
    one: Side,
    other: Side,
    *,
    shown: str,
    scores: ScoreSet | None,
) -> dict[str, Any]:
    """A row's ``metadata``. Each key has one type, or is null.

    A loader takes a column's type from the first megabytes and fails on a number after nulls
    alone. So what a campaign may get later is never null: active seconds that a page did not
    count are all of its seconds, and without guidelines their version is 0.

    Parameters
    ----------
    one, other
        The two texts. Their names begin the keys that are about one of them, and are the
        values of ``criteria``.
    shown
        The side that ``one`` was shown on, ``left`` or ``right``.
    """
    comparison, design = judgement.comparison, campaign.design
    pair, pool, features = comparison.designed, design.pool, design.feature_set
    log_probs = {pair.first_id: pair.first_log_prob, pair.second_id: pair.second_log_prob}
    return {
        "prompt_id": pair.prompt.external_id or str(pair.prompt.position),
        # As text, since every prompt may have fields of its own and a column has one type.
        "prompt_metadata": orjson.dumps(pair.prompt.metadata).decode(),
        "campaign": campaign.name,
        "annotator": pseudonym(campaign, judgement.annotator.username),
        "judged_at": judgement.created_at.isoformat(),
        "seconds": round(judgement.seconds, 3),
        "active_seconds": round(
            judgement.seconds if judgement.active_seconds is None else judgement.active_seconds, 3
        ),
        "guideline_version": judgement.guideline.number if judgement.guideline else 0,
        f"{one.name}_shown": shown,
        "strength": _strength(campaign, judgement),
        "margin": judgement.strength,
        "criteria": _criteria(judgement, {shown: one.name, "same": "same"}, other.name),
        "reason": judgement.reason,
        "labels_per_pair": campaign.labels_per_pair,
        "slot": comparison.slot,
        "queue_position": comparison.position,
        "design": design.name,
        "design_id": design.pk,
        "strategy": design.strategy,
        "design_seed": design.seed,
        "design_position": pair.position,
        "inclusion_probability": pair.inclusion_probability,
        "is_random": pair.is_random,
        "sensitivity": pair.sensitivity,
        "feature_distance": pair.feature_distance,
        f"{one.name}_log_prob": log_probs[one.completion.pk],
        f"{other.name}_log_prob": log_probs[other.completion.pk],
        "pool": pool.name,
        **_source(one, pool),
        **_source(other, pool),
        "max_new_tokens": pool.max_new_tokens,
        "reference_model": features.model if features else None,
        "features": design.feature_kind,
        "score": scores.name if scores else None,
    }


def _strength(campaign: Campaign, judgement: Judgement) -> str | None:
    words = STRENGTHS.get(campaign.strengths)
    if words is None or judgement.strength is None:
        return None
    return words[judgement.strength - 1]


def _criteria(judgement: Judgement, names: dict[str, str], other: str) -> str:
    """As text, since every campaign has criteria of its own."""
    found = {name: names.get(value, other) for name, value in judgement.criteria.items()}
    return orjson.dumps(found).decode()


def _source(side: Side, pool: Pool) -> dict[str, Any]:
    """How a completion came to be; its own system prompt and sampler, where it was generated."""
    completion, variant = side.completion, side.completion.variant
    facts = {
        "model": completion.model or (variant.model if variant else pool.model),
        "score": next((one.value for one in getattr(completion, "used_scores", ())), None),
        "seed": completion.seed,
        "finish_reason": completion.finish_reason,
        "temperature": variant.temperature if variant else None,
        "top_p": variant.top_p if variant else None,
        "system_prompt": variant.system_prompt if variant else None,
        "fingerprint": orjson.dumps(
            variant.fingerprint if variant else {}, option=orjson.OPT_SORT_KEYS
        ).decode(),
    }
    return {f"{side.name}_{name}": value for name, value in facts.items()}
