"""How far people agree: with each other, with themselves, with what is known; and machines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.beliefs import Beliefs, Judges
from annotate.quality.answers import BOTH_BAD, FIRST, MIRROR, N_ANSWERS, SECOND, TIE, Answers
from annotate.quality.confounds import estimate, share
from annotate.quality.facts import (
    AlphaFacts,
    BeliefFacts,
    EstimateFacts,
    MachineFacts,
    PersonFacts,
    ShareFacts,
)
from pairselect.core.agreement import Agreement, agreement, agreement_with_others, cross_agreement

FEWEST_PEOPLE = 3  # to tell from them of others like them
SURE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def agreement_facts(labels: Answers, rng: np.random.Generator) -> AlphaFacts:
    """Over the four answers, as names."""
    table = _counts(labels.pair_ids, labels.said, N_ANSWERS)[1]
    return _alpha(agreement(table, mirror=MIRROR, rng=rng))


def ordinal_facts(labels: Answers, strengths: int, rng: np.random.Generator) -> AlphaFacts | None:
    """Over the steps from the first much better to the second, both-bad aside."""
    sided = labels.where((labels.said != BOTH_BAD) & ((labels.said == TIE) | (labels.strength > 0)))
    if strengths < 2 or not len(sided):
        return None
    sign = sided.said.astype(np.int64) - TIE  # −1 for the second, 1 for the first
    steps = strengths + sign * np.clip(sided.strength, 0, strengths)
    table = _counts(sided.pair_ids, steps, 2 * strengths + 1)[1]
    mirror = range(2 * strengths, -1, -1)
    return _alpha(agreement(table, mirror=mirror, ordinal=True, rng=rng))


def people_facts(labels: Answers, judges: Judges, names: dict[int, str]) -> list[PersonFacts]:
    """Everybody who has labelled, most labels first."""
    ids, person = np.unique(labels.people, return_inverse=True)
    _, unit = np.unique(labels.pair_ids, return_inverse=True)
    of_unit = np.bincount(unit)[unit] if len(unit) else unit
    accuracy = _accuracies(judges)
    found = []
    for number, agrees in enumerate(agreement_with_others(unit, person, labels.said)):
        mine, pk = person == number, int(ids[number])
        found.append(
            PersonFacts(
                name=names.get(pk, str(pk)),
                labels=int(mine.sum()),
                compared=int((mine & (of_unit > 1)).sum()),
                agreement=estimate(agrees) if agrees else None,
                accuracy=accuracy.get(pk),
            )
        )
    return sorted(found, key=lambda one: (-one["labels"], one["name"]))


def _accuracies(judges: Judges) -> dict[int, EstimateFacts]:
    """Of those whose uncertainty is known."""
    limits = judges.fit.accuracy_interval
    if limits is None:
        return {}
    rows = zip(judges.ids, judges.fit.accuracy, limits, strict=True)
    return {
        int(pk): EstimateFacts(value=float(value), low=float(low), high=float(high))
        for pk, value, (low, high) in rows
    }


def consistency(labels: Answers, repeats: Answers) -> ShareFacts | None:
    """Repeats with the same answer as the person's label; over people, who differ in it."""
    labels = labels.where(np.isin(labels.pair_ids, repeats.pair_ids))
    first = {
        (int(pair), int(person)): int(said)
        for pair, person, said in zip(labels.pair_ids, labels.people, labels.said, strict=True)
    }
    same, whose = [], []
    for pair, person, said in zip(repeats.pair_ids, repeats.people, repeats.said, strict=True):
        earlier = first.get((int(pair), int(person)))
        if earlier is not None:
            same.append(earlier == said)
            whose.append(int(person))
    return share(same, np.ones(len(same)), _clusters(whose))


def gold_facts(gold: Answers) -> ShareFacts | None:
    """Right answers to gold pairs, whose better text is the first."""
    return share(gold.said == FIRST, np.ones(len(gold)), _clusters(gold.people))


def belief_facts(beliefs: Beliefs, *, converged: bool) -> BeliefFacts:
    sure = np.maximum(beliefs.probability, 1 - beliefs.probability)
    return BeliefFacts(
        pairs=len(beliefs),
        adjudicated=int(beliefs.adjudicated.sum()),
        sure={f"{least:g}": int((sure >= least - 1e-9).sum()) for least in SURE},
        converged=converged,
    )


def machine_facts(
    labels: Answers, machines: Answers, names: dict[int, str], rng: np.random.Generator
) -> list[MachineFacts]:
    """Each machine beside the people together. Its two orders are two answers to a pair."""
    pair_ids, people = _counts(labels.pair_ids, labels.said, N_ANSWERS)
    found = []
    for machine in np.unique(machines.people):
        own = machines.where(machines.people == machine)
        asked, answers = _counts(own.pair_ids, own.said, N_ANSWERS)
        shared, one, two = np.intersect1d(pair_ids, asked, return_indices=True)
        beside = cross_agreement(people[one], answers[two], mirror=MIRROR, rng=rng)
        decided = (own.said == FIRST) | (own.said == SECOND)
        both = answers.sum(axis=1) >= 2
        found.append(
            MachineFacts(
                name=names.get(int(machine), str(machine)),
                answers=len(own),
                pairs=len(shared),
                kappa=estimate(beside.kappa) if beside.kappa else None,
                percent=estimate(beside.percent) if beside.percent else None,
                left=share(
                    (own.said == FIRST)[decided] == own.on_left[decided],
                    np.ones(int(decided.sum())),
                    own.pair_ids[decided],
                ),
                consistent=share(
                    (answers.max(axis=1, initial=0) == answers.sum(axis=1))[both],
                    np.ones(int(both.sum())),
                    asked[both],
                ),
            )
        )
    return found


def _counts(
    pair_ids: NDArray[np.int64], said: NDArray[np.integer], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs, sorted, and how often each answer was given to each, (pairs, width)."""
    found, place = np.unique(pair_ids, return_inverse=True)
    counts = np.bincount(place * width + said, minlength=len(found) * width)
    return found, counts.reshape(-1, width)


def _alpha(found: Agreement) -> AlphaFacts:
    return AlphaFacts(
        alpha=estimate(found.alpha) if found.alpha else None,
        percent=estimate(found.percent) if found.percent else None,
        pairs=found.units,
        labels=found.labels,
    )


def _clusters(whose: object) -> NDArray[np.integer]:
    """People as clusters; of fewer than `FEWEST_PEOPLE` each answer alone.

    The interval is then of these people's own share, and not of that of others like them, of whom
    one or two tell next to nothing.
    """
    people = np.asarray(whose, dtype=np.int64)
    return people if len(np.unique(people)) >= FEWEST_PEOPLE else np.arange(len(people))
