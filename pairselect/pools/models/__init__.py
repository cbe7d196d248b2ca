"""What came in, what was generated from it, and what was measured of that."""

from pairselect.pools.models.measures import FeatureSet, PoolReport, Score, ScoreSet
from pairselect.pools.models.pool import Completion, Pool, Variant
from pairselect.pools.models.prompts import Prompt, PromptSet, Upload

__all__ = [
    "Completion",
    "FeatureSet",
    "Pool",
    "PoolReport",
    "Prompt",
    "PromptSet",
    "Score",
    "ScoreSet",
    "Upload",
    "Variant",
]
