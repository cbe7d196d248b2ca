"""A machine in a campaign as the API and the command's ``--json`` tell of it."""

from typing_extensions import TypedDict

from annotate.machines.measures import MachineMeasures, report_on
from annotate.measures import Share
from annotate.models import Assignment
from annotate.summaries import ShareSummary


class MachineSummary(TypedDict):
    id: int  # of its place in the campaign
    campaign: str
    name: str
    model: str  # server:name; empty: its answers come by the API
    instructions: str
    pairs: int | None  # the first so many of the queue; None: all
    labelled_only: bool
    answers: int
    skips: int
    pairs_in_both_orders: int
    consistent: ShareSummary  # pairs with the same answer in both orders
    followed_side: ShareSummary  # pairs where both answers named the same side
    chose_left: ShareSummary  # of the decided answers
    agreement: ShareSummary  # with people, where both name a winner
    seconds: float | None  # an answer
    requests: int
    tokens_read: int
    tokens_written: int


def machine_summary(measures: MachineMeasures) -> MachineSummary:
    one = measures.assignment
    return {
        "id": one.pk,
        "campaign": one.campaign.name,
        "name": measures.name,
        "model": one.machine.model,
        "instructions": one.machine.instructions,
        "pairs": one.pairs,
        "labelled_only": one.labelled_only,
        "answers": measures.answers,
        "skips": measures.skips,
        "pairs_in_both_orders": measures.pairs,
        "consistent": share_summary(measures.consistent),
        "followed_side": share_summary(measures.kept_side),
        "chose_left": share_summary(measures.left),
        "agreement": share_summary(measures.agreement),
        "seconds": measures.seconds,
        "requests": one.requests,
        "tokens_read": one.tokens_read,
        "tokens_written": one.tokens_written,
    }


def measures_of(assignment: Assignment) -> MachineMeasures:
    """The machine's measures as they are now."""
    measures = report_on(assignment.campaign, most=0).measures
    return next(one for one in measures if one.assignment.pk == assignment.pk)


def share_summary(share: Share) -> ShareSummary:
    percents = (share.percent, share.low, share.high)
    part, low, high = (None if one is None else one / 100 for one in percents)
    return ShareSummary(count=share.count, total=share.total, share=part, low=low, high=high)
