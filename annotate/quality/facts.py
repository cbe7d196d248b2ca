"""What an assessment keeps as ``results``: plain numbers, shares from 0 to 1."""

from __future__ import annotations

from typing import TypedDict


class EstimateFacts(TypedDict):
    value: float
    low: float  # of a 95% interval
    high: float


class ShareFacts(EstimateFacts):
    count: float  # may hold parts, where one answer counts for several
    total: float


class AlphaFacts(TypedDict):
    alpha: EstimateFacts | None  # Krippendorff's; None where it is not defined
    percent: EstimateFacts | None  # of the pairs of labels, that are the same
    pairs: int  # with two labels or more
    labels: int  # on those


class PersonFacts(TypedDict):
    name: str
    labels: int
    compared: int  # of those, on pairs that somebody else has labelled too
    agreement: EstimateFacts | None  # with the others' labels of the same pairs
    accuracy: EstimateFacts | None  # as the beliefs take it; None of both-bad alone


class MachineFacts(TypedDict):
    name: str
    answers: int
    pairs: int  # that people have labelled too
    kappa: EstimateFacts | None  # Cohen's, with the people together
    percent: EstimateFacts | None
    left: ShareFacts | None  # of its decided answers; each pair is asked in both orders
    consistent: ShareFacts | None  # of the pairs with both orders, those with the same answer


class AdjustedFacts(TypedDict):
    """P(win) by one of them where the others are equal, from one logistic regression."""

    labels: int
    twice_as_long: EstimateFacts
    left: EstimateFacts
    formatted: EstimateFacts | None  # None where no pair differs in it


class ConfoundFacts(TypedDict):
    """How often a side wins for something else than what it says: of decided labels, where the
    two sides differ in it. Intervals know which labels are of one prompt."""

    left: ShareFacts | None
    longer_characters: ShareFacts | None
    longer_tokens: ShareFacts | None
    formatted: ShareFacts | None  # the side with more Markdown
    adjusted: AdjustedFacts | None


class PointFacts(TypedDict):
    labels: int
    accuracy: EstimateFacts


class BinFacts(TypedDict):
    predicted: float
    observed: EstimateFacts
    labels: int


class ContrastFacts(TypedDict):
    labels: int
    difference: EstimateFacts


class LearningFacts(TypedDict):
    """See `core.learning.Learning`."""

    everything: list[PointFacts]
    designed: list[PointFacts]
    control: list[PointFacts]
    contrast: ContrastFacts | None
    reliability: list[BinFacts]
    held_out: int
    prompts: int
    judged_by_control: bool
    dimension: int  # of the features


class BeliefFacts(TypedDict):
    pairs: int  # that have a label or a decision
    adjudicated: int
    sure: dict[str, int]  # pairs by how sure their better side is: "0.5", "0.6", … at least
    converged: bool


class Facts(TypedDict):
    campaigns: int  # that the answers are of: the rounds, if they are taken together
    labels: int  # of people, skips aside
    decided: int
    ties: int
    both_bad: int
    pairs: int
    labels_per_pair: int  # that the campaign asks for
    agreement: AlphaFacts
    ordinal: AlphaFacts | None  # with the strengths, where these are asked for
    consistent: ShareFacts | None  # silent repeats answered as before
    gold: ShareFacts | None  # gold pairs answered right
    people: list[PersonFacts]
    confounds: ConfoundFacts
    learning: LearningFacts | None
    unlearnt: str  # why there is no curve: labels, features, or nothing
    beliefs: BeliefFacts
    machines: list[MachineFacts]
