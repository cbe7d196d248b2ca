"""An assessment of a campaign's labels: made by a worker, kept as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotate.beliefs import weigh
from annotate.models import Assessment, Campaign, Judgement
from annotate.quality.answers import BOTH_BAD, TIE, Kind, read_answers
from annotate.quality.confounds import confounds
from annotate.quality.facts import Facts, LearningFacts
from annotate.quality.learning import Unlearnt, learning_facts
from annotate.quality.reliance import (
    agreement_facts,
    belief_facts,
    consistency,
    gold_facts,
    machine_facts,
    ordinal_facts,
    people_facts,
)
from annotate.quality.texts import read_texts
from annotate.queries import current_labels
from pairselect.designs.queries import chain_of
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.trail.actions import record


def earlier_rounds(campaign: Campaign) -> list[Campaign]:
    """Campaigns of the designs that this one's was designed after."""
    return list(Campaign.objects.filter(design__in=chain_of(campaign.design)[1:]).order_by("pk"))


def campaigns_of(assessment: Assessment) -> list[Campaign]:
    """Its own, and with ``together`` those of the earlier rounds."""
    own = assessment.campaign
    return [*earlier_rounds(own), own] if assessment.results.get("together") else [own]


def create_assessment(
    campaign: Campaign, *, together: bool = False, created_by: User | None = None
) -> Assessment:
    """A row for a worker to fill; of all rounds so far ``together``, or of this one alone."""
    with transaction.atomic():
        record("assessment.asked", campaign, person=created_by, together=together)
        return Assessment.objects.create(
            campaign=campaign, created_by=created_by, results={"together": together}
        )


def newer_labels(assessment: Assessment) -> int:
    """Labels that came after it was made and stand."""
    given = current_labels().filter(comparison__campaign__in=campaigns_of(assessment))
    newer = given.filter(pk__gt=assessment.last_judgement or 0)
    return newer.exclude(choice=Judgement.Choice.SKIP).count()


def assess_labels(assessment_id: int, progress: JobProgress) -> None:
    """Find out how far the labels can be trusted.

    Raises
    ------
    JobError
        When there is no label yet.
    """
    assessment = Assessment.objects.select_related("campaign__design__feature_set").get(
        pk=assessment_id
    )
    if assessment.completed_at is not None:
        return
    rounds = campaigns_of(assessment)
    given = current_labels().filter(comparison__campaign__in=rounds)
    last = given.aggregate(last=Max("pk"))["last"]
    facts = assess(assessment.campaign, rounds, progress)
    assessment.results = {**assessment.results, **facts}
    assessment.label_count, assessment.last_judgement = facts["labels"], last
    assessment.completed_at = timezone.now()
    assessment.save()


def assess(campaign: Campaign, rounds: Sequence[Campaign], progress: JobProgress) -> Facts:
    """Of the answers of the rounds; what is asked, and the features, are the campaign's."""
    progress.report(0, 0, "reading the answers")
    answers = read_answers(rounds).in_order()
    labels = answers.where(answers.of(Kind.LABEL))
    if not len(labels):
        raise JobError(
            f"Nobody has labelled a pair of “{campaign}” yet, so there is nothing to assess: "
            "label some pairs first. Skips do not count."
        )
    rng = np.random.default_rng(campaign.seed)
    names = dict(
        User.objects.filter(judgements__comparison__campaign__in=rounds)
        .distinct()
        .values_list("pk", "username")
    )
    progress.report(0, 0, "weighing the answers")
    beliefs, judges = weigh(answers.where(~answers.of(Kind.MACHINE)), uncertainty=True)
    machines = answers.where(answers.of(Kind.MACHINE))
    progress.report(0, 0, "reading the texts")
    texts = read_texts(np.unique(labels.pair_ids))
    learning: LearningFacts | None = None
    unlearnt = ""
    try:
        learning = learning_facts(campaign, labels, texts, rng, progress)
    except Unlearnt as why:
        unlearnt = why.reason
    ties, both_bad = int((labels.said == TIE).sum()), int((labels.said == BOTH_BAD).sum())
    return Facts(
        campaigns=len(rounds),
        labels=len(labels),
        decided=len(labels) - ties - both_bad,
        ties=ties,
        both_bad=both_bad,
        pairs=len(texts.pair_ids),
        labels_per_pair=campaign.labels_per_pair,
        agreement=agreement_facts(labels, rng),
        ordinal=ordinal_facts(labels, campaign.strengths, rng),
        consistent=consistency(labels, answers.where(answers.of(Kind.REPEAT))),
        gold=gold_facts(answers.where(answers.of(Kind.GOLD))),
        people=people_facts(labels, judges, names),
        confounds=confounds(labels, texts),
        learning=learning,
        unlearnt=unlearnt,
        beliefs=belief_facts(beliefs, converged=judges.fit.converged),
        machines=machine_facts(labels, machines, names, rng),
    )
