"""A judge of the team's own: it fetches its comparisons and sends its answers by the API."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.answering import Details, Outcome, answer
from annotate.leasing import TEXTS
from annotate.machines.actions import MachineRefused, asked, lay_out, still_to_ask
from annotate.machines.judging import choices_of, question_of
from annotate.machines.prompt import Question
from annotate.models import Assignment, Campaign, Comparison, Guideline, Judgement, Machine
from annotate.queries import current_guideline
from pairselect.pools.words import whole

LEASE = timedelta(minutes=15)
AHEAD = 50  # pairs laid out at a time
CANDIDATES = 16  # looked at together, since others claim at the same time
MOST_REASON = 10_000  # characters
MOST_SECONDS = 86_400  # a day: none is asked for so long, and sums of them stay numbers


@dataclass(frozen=True)
class Task:
    """A comparison for the machine to answer, under a lease of `LEASE`.

    ``question`` has the texts as the machine is to see them, and ``question.choices`` what it
    may answer besides ``skip``.
    """

    comparison: Comparison
    lease: uuid.UUID
    question: Question
    guideline: Guideline | None


def machine_next(campaign: Campaign, machine: Machine) -> Task | None:
    """Lease the machine's next comparison to whoever asks. None: nothing is left, or all leased.

    Raises
    ------
    MachineRefused
        When the machine is none of the campaign's, or is asked by a server, or the campaign is
        not open yet.
    """
    assignment = _assignment(campaign, machine)
    if assignment.campaign.opened_at is None:
        raise MachineRefused(_("The campaign is not open yet. Ask again later."))
    claimed = _claim(assignment)
    if claimed is None and lay_out(assignment, most=AHEAD):
        claimed = _claim(assignment)
    if claimed is None or claimed.lease is None:
        return None
    guideline = current_guideline(campaign)
    return Task(claimed, claimed.lease, question_of(claimed, assignment, guideline), guideline)


def machine_answer(
    campaign: Campaign,
    machine: Machine,
    *,
    comparison_id: int,
    lease: uuid.UUID,
    choice: str,
    confidence: float | None = None,
    reason: str = "",
    seconds: float | None = None,
    guideline: int | None = None,
) -> Outcome:
    """Store the machine's answer for the lease that it was given for.

    ``choice`` is left, right, tie, both_bad or skip, of the sides as the task had them.
    ``confidence`` is its probability of the choice, ``guideline`` the number of the version that
    it was shown; none: the present one. Sent twice, an answer is stored once.

    Raises
    ------
    MachineRefused
        With what is wrong. Nothing is stored then.
    """
    assignment = _assignment(campaign, machine)
    allowed = (*choices_of(campaign), Judgement.Choice.SKIP.value)
    if choice not in allowed:
        said = _("“%(choice)s” is not asked for here. Answer one of: %(allowed)s.")
        raise MachineRefused(said % {"choice": choice, "allowed": ", ".join(allowed)})
    if confidence is not None and not 0 <= confidence <= 1:
        raise MachineRefused(_("The confidence is a probability: give a number from 0 to 1."))
    if seconds is not None and not 0 <= seconds <= MOST_SECONDS:
        said = _("The seconds are from shown to answered: give a number from 0 to %(most)s.")
        raise MachineRefused(said % {"most": whole(MOST_SECONDS)})
    if len(reason) > MOST_REASON or "\x00" in reason:
        said = _("A reason has at most %(most)d characters and no NUL. Shorten it.")
        raise MachineRefused(said % {"most": MOST_REASON})
    version = current_guideline(campaign)
    if guideline is not None:
        version = campaign.guidelines.filter(number=guideline).first()
        if version is None:
            said = _("There is no version %(number)d of the guidelines.")
            raise MachineRefused(said % {"number": guideline})
    comparison = asked(assignment).filter(pk=comparison_id).first()
    if comparison is None:
        raise MachineRefused(_("That comparison is none of the machine's. Fetch the next one."))
    skipped = choice == Judgement.Choice.SKIP
    details = Details(
        reason=reason,
        skip_reason=Judgement.SkipReason.OTHER if skipped else "",
        seconds=seconds,
        guideline=version,
    )
    with transaction.atomic():
        outcome = answer(
            comparison,
            machine.user,
            choice=Judgement.Choice(choice),
            lease=lease,
            details=details,
        )
        if outcome is Outcome.STORED and confidence is not None and not skipped:
            Judgement.objects.filter(lease=lease).update(confidence=confidence)
    return outcome


def _assignment(campaign: Campaign, machine: Machine) -> Assignment:
    if machine.model:
        raise MachineRefused(_("A server is asked for this machine's answers: send none."))
    found = (
        Assignment.objects.filter(campaign=campaign, machine=machine)
        .select_related("campaign__design__pool", "machine__user")
        .first()
    )
    if found is None:
        raise MachineRefused(_("The machine is none of this campaign's. Have an admin add it."))
    return found


def _claim(assignment: Assignment) -> Comparison | None:
    now = timezone.now()
    free = still_to_ask(assignment).filter(Q(lease__isnull=True) | Q(leased_until__lt=now))
    texts = (*TEXTS, "campaign__design__pool")
    for one in free.select_related(*texts)[:CANDIDATES]:
        one.lease, one.leased_until, one.shown_at = uuid.uuid4(), now + LEASE, now
        leased = {"lease": one.lease, "leased_until": one.leased_until, "claimed_at": now}
        user = assignment.machine.user
        if free.filter(pk=one.pk).order_by().update(**leased, shown_at=now, annotator=user):
            return one
    return None
