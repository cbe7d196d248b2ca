"""Figures of large campaigns: counted by a worker, and shown with the time of the count.

To go through a million answers takes many seconds, whatever the database. Up to `LIVE` of them
every page counts anew; beyond, it shows the last count and has a worker make the next.
"""

import time
from contextlib import suppress
from datetime import timedelta

from django.utils import timezone

from annotate.counting import count_answers
from annotate.counting_people import count_people
from annotate.models import Campaign, Comparison, Tally
from pairselect.jobs.actions import JobBusy, enqueue_job

LIVE = 20_000  # answers; to count so many takes about half a second
FRESH = timedelta(minutes=2)  # a count this old is good enough
SHARE = 20  # of a worker's time, one part in so many at most goes into counts of one campaign


def tally_of(campaign: Campaign) -> Tally | None:
    """The last count of a large campaign; None: it is small, count for yourself.

    Made here and now where there is none yet. Where it has grown old, a worker is asked for the
    next.
    """
    found = Tally.objects.filter(campaign=campaign).first()
    if found is None:
        return make_tally(campaign) if is_large(campaign) else None
    age = timezone.now() - found.counted_at
    if age > max(FRESH, SHARE * timedelta(seconds=found.seconds)):
        with suppress(JobBusy):  # somebody has asked before
            enqueue_job("count_answers", campaign.pk)
    return found


def is_large(campaign: Campaign) -> bool:
    """Looks at an index alone, and no further than it must."""
    answered = Comparison.objects.filter(
        campaign=campaign, annotator__isnull=False, labelled_at__isnull=False
    )
    return answered.order_by()[: LIVE + 1].count() > LIVE


def make_tally(campaign: Campaign) -> Tally:
    """Count, and keep it in the place of the last count."""
    now, started = timezone.now(), time.perf_counter()
    answers, people = count_answers(campaign), count_people(campaign)
    facts = {"answers": answers, "people": people, "counted_at": now}
    facts["seconds"] = time.perf_counter() - started
    tally, _ = Tally.objects.update_or_create(campaign=campaign, defaults=facts)
    return tally
