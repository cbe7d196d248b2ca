"""How long people take for a label, over all campaigns: what a budget in hours is counted by."""

from annotate.queries import current_labels
from pairselect.designs.pace import MeasuredPace

LAST = 1000  # labels: what people have learned since counts, and what they did a year ago does not
LONGEST = 0.01  # of them, left out: pages left open


def seconds_a_label() -> MeasuredPace | None:
    """The mean active time of the last labels; None before there is one.

    The mean, as hours are a sum. Where the time at work was not measured, it is that from shown
    to answered.
    """
    rows = current_labels().filter(annotator__isnull=False).order_by("-pk")
    times = rows.values_list("active_seconds", "seconds")[:LAST]
    spent = sorted(total if active is None else active for active, total in times)
    spent = spent[: len(spent) - int(LONGEST * len(spent))]
    if not spent or sum(spent) <= 0:
        return None
    return MeasuredPace(seconds=sum(spent) / len(spent), labels=len(spent))
