"""What a person says of a comparison. Each function is one transaction that may be tried twice."""

import enum
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from annotate.adjudication import settle
from annotate.edits import model_names
from annotate.leasing import claim_back, locked, release
from annotate.masking import mask_identity
from annotate.models import Campaign, Comparison, Edit, Flag, Guideline, Judgement
from annotate.onboarding import conclude_onboarding
from annotate.prepared import COMPARISON, NOW, PreparedUpdate
from annotate.queries import PASSED_ON_BY_SKIP, current_judgements, last_judgement

Kind = Comparison.Kind


class Outcome(enum.Enum):
    STORED = "stored"
    REPEATED = "repeated"  # the same answer came again; one label is stored
    DIFFERED = "differed"  # another answer to what has been answered: the first one stands
    PASSED_ON = "passed on"  # the comparison is somebody else's by now; nothing is stored


@dataclass(frozen=True)
class Details:
    """What may come with a choice. ``active_seconds`` and ``seconds`` are the page's own count."""

    strength: int | None = None
    criteria: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    skip_reason: str = ""
    edit: str = (
        ""  # the better one's text made better still; with a tie or both bad, of ``edit_of``
    )
    edit_of: str = ""  # left or right
    seconds: float | None = None
    active_seconds: float | None = None
    guideline: Guideline | None = None


NO_DETAILS = Details()


def answer(
    comparison: Comparison,
    annotator: User,
    *,
    choice: Judgement.Choice,
    lease: uuid.UUID,
    details: Details = NO_DETAILS,
    replaces: int | None = None,
) -> Outcome:
    """Store one answer for the lease that the form carries.

    With ``replaces``, an answer of theirs that stands, it takes that one's place; the earlier
    one is kept, withdrawn.
    """
    now, campaign = timezone.now(), comparison.campaign
    with transaction.atomic(savepoint=False):
        comparison = locked(comparison.pk)
        comparison.campaign = campaign  # fetched with it once already
        holds = comparison.lease == lease and comparison.annotator_id == annotator.pk
        # Under a lease that runs nothing has been answered.
        before = None if holds else Judgement.objects.filter(lease=lease).first()
        if before is not None and (
            before.comparison_id != comparison.pk or before.annotator_id != annotator.pk
        ):
            return Outcome.PASSED_ON
        if before is not None and before.withdrawn_at is None:
            same = (before.choice, before.strength) == (choice, details.strength)
            return Outcome.REPEATED if same else Outcome.DIFFERED
        if replaces is None:
            if not holds:
                return Outcome.PASSED_ON
        elif (
            before is not None
            or comparison.kind == Kind.ONBOARDING  # it has been explained, so it stands
            or comparison.annotator_id != annotator.pk
            or comparison.labelled_at is None
            or not _withdraw(replaces, comparison, annotator, now)
        ):
            return Outcome.PASSED_ON
        _store(comparison, annotator, choice, lease, details, replaces, now)
        if choice == Judgement.Choice.SKIP and comparison.kind in PASSED_ON_BY_SKIP:
            comparison.labelled_at = None
            comparison.save(update_fields=["labelled_at"])
            release([comparison])
        else:
            comparison.labelled_at = comparison.labelled_at or now
            comparison.lease, comparison.leased_until = None, None
            _label(comparison=comparison.pk, now=comparison.labelled_at)
        settle(comparison)
        if comparison.kind == Kind.ONBOARDING:
            conclude_onboarding(comparison.campaign, annotator)
    return Outcome.STORED


_label = PreparedUpdate(
    lambda: Comparison.objects.filter(pk=COMPARISON),
    labelled_at=NOW,
    lease=None,
    leased_until=None,
)


def in_time(details: Details, comparison: Comparison) -> Details:
    """No more seconds than there were since the comparison was leased: hours may be paid."""
    if details.seconds is None or comparison.claimed_at is None:
        return details
    most = (timezone.now() - comparison.claimed_at).total_seconds()
    return replace(details, seconds=min(details.seconds, max(0.0, most)))


def undo(
    campaign: Campaign, annotator: User, *, judgement_id: int, adjudicating: bool = False
) -> Judgement | None:
    """Withdraw the person's last answer, give them that comparison back, and return the answer.

    The answer is named, so that the same request sent twice does not take back two. None when
    it is not their last one any more, or when a skipped pair is somebody else's by now, or a
    dispute has ended.
    """
    with transaction.atomic():
        judgement = last_judgement(campaign, annotator, adjudicating=adjudicating)
        if judgement is None or judgement.pk != judgement_id:
            return None
        comparison = locked(judgement.comparison_id)
        comparison.campaign = campaign
        skipped = judgement.choice == Judgement.Choice.SKIP and comparison.kind in PASSED_ON_BY_SKIP
        if skipped and (comparison.annotator_id is not None or comparison.labelled_at):
            return None
        if not _withdraw(judgement.pk, comparison, annotator, timezone.now()):
            return None
        comparison.labelled_at = None
        comparison.save(update_fields=["labelled_at"])
        claim_back(comparison, annotator)
        settle(comparison)
    return judgement


def flag(comparison: Comparison, annotator: User, *, kind: Flag.Kind, note: str) -> Flag:
    """Bring the comparison to an admin's attention. Sent twice it is stored once."""
    with transaction.atomic():
        locked(comparison.pk)
        found, _ = Flag.objects.get_or_create(
            comparison=comparison, annotator=annotator, kind=kind, note=note, resolved_at=None
        )
    return found


def _withdraw(judgement_id: int, comparison: Comparison, annotator: User, now: datetime) -> bool:
    mine = current_judgements().filter(comparison=comparison, annotator=annotator)
    return bool(mine.filter(pk=judgement_id).update(withdrawn_at=now))


def _store(
    comparison: Comparison,
    annotator: User,
    choice: Judgement.Choice,
    lease: uuid.UUID,
    details: Details,
    replaces: int | None,
    now: datetime,
) -> None:
    shown = comparison.shown_at or now
    seconds, active = details.seconds, details.active_seconds
    if seconds is None:
        seconds = (now - shown).total_seconds()
    judgement = Judgement.objects.create(
        comparison=comparison,
        annotator=annotator,
        choice=choice,
        strength=details.strength,
        criteria=details.criteria,
        reason=details.reason,
        skip_reason=details.skip_reason,
        first_on_left=comparison.first_on_left,
        lease=lease,
        seconds=seconds,
        active_seconds=None if active is None else min(active, seconds),
        guideline=details.guideline,
        replaces_id=replaces,
    )
    side = details.edit_of or choice
    if details.edit and details.edit not in _as_shown(comparison, side):
        of_first = (side == "left") == comparison.first_on_left
        Edit.objects.create(judgement=judgement, of_first=of_first, text=details.edit)


def _as_shown(comparison: Comparison, side: str) -> tuple[str, str]:
    """The side's text with a form's line ends, as it is and masked: an edit like it is none."""
    text = comparison.left_text if side == "left" else comparison.right_text
    text = text.replace("\r\n", "\n")
    if comparison.campaign.mask_identities:
        return text, mask_identity(text, model_names(comparison.campaign.design.pool))[0]
    return text, text
