"""How designs are deleted."""

from django.db import transaction
from django.utils.translation import gettext, ngettext

from pairselect.designs.models import Design, KnownLabel, Plan, SelectedPair
from pairselect.jobs.progress import JobProgress
from pairselect.pools.tidying import (
    Kind,
    Obstacle,
    dependants,
    number_of,
    refuse_if_needed,
    under_way,
)
from pairselect.trail.actions import record


def _stands_on(design: Design) -> list[Obstacle]:
    return [
        *dependants(
            gettext("Campaigns put its pairs before people; delete those first:"),
            design.campaigns.all(),
            "annotate:campaign",
        ),
        *dependants(
            gettext("Next rounds were designed after it; delete those first:"),
            design.rounds.all(),
            "designs:design",
        ),
        *under_way(design),
    ]


def _goes_with(design: Design) -> list[str]:
    pairs = design.pairs.count()
    return number_of(pairs, ngettext("%(number)s chosen pair", "%(number)s chosen pairs", pairs))


def delete_design(design: Design, progress: JobProgress | None = None) -> None:
    """Remove the design with the pairs that it chose; its pool stays.

    Raises
    ------
    StillNeeded
        When a campaign or a next round stands on it, or a job is at work on it.
    """
    with transaction.atomic():
        design = Design.objects.select_for_update().get(pk=design.pk)
        refuse_if_needed(design, _stands_on)
        # `delete` would look for what hangs on each.
        for rows in (
            SelectedPair.objects.filter(design=design).order_by(),
            KnownLabel.objects.filter(design=design).order_by(),
        ):
            rows._raw_delete(using=rows.db)
        Plan.objects.filter(asked__settings__after_id=design.pk).delete()  # of its next round
        record("deleted", design)
        design.delete()


DESIGNS = Kind(
    what="design",
    model=Design,
    page="designs:design",
    listed="designs:designs",
    obstacles=_stands_on,
    goes=_goes_with,
    rows=lambda row: row.pairs.count(),
    delete=delete_design,
)
