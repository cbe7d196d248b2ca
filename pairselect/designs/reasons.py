"""Why a pair was chosen, in words: told from the numbers that its design stored with it."""

from typing import Any

from django.utils.translation import gettext, ngettext

from pairselect.core import STRATEGIES
from pairselect.designs.models import SelectedPair
from pairselect.pools.words import localised, percent, whole

# What a pair must reach for the stronger word; docs/design.md states them.
MOST = 0.99  # of the candidates are below: it differs most
MORE = 0.5
NEW = 0.9  # of what it tells alone is left: nothing before it covers it
PART = 0.5
STILL = 0.9  # of the candidates left tell less in its place


def reasons(pair: SelectedPair) -> list[str]:
    """Sentences in the reader's language; none on a pair from before there were numbers."""
    why: dict[str, Any] = pair.rationale
    if pair.is_random:
        return [gettext("Drawn at random from all pairs, as a control.")]
    if not why:
        return []
    strategy = STRATEGIES.get(pair.design.strategy)
    said = []
    if strategy is not None and "scores" in strategy.needs and "gap" in why:
        said.append(_scores(why))
    said += [_alone(why["alone"], later=pair.design.after_id is not None), _in_its_place(why, pair)]
    return [*said, _prompt(why["of_prompt"])]


def _alone(above: float, *, later: bool) -> str:
    """How far the two differ where it matters, before any pair is chosen."""
    where = gettext("along directions in which the model’s choices vary")
    if later:
        where = gettext(
            "along directions in which the model’s choices vary and that earlier labels leave open"
        )
    if above >= MOST:
        said = gettext(
            "These two answers differ most, more than %(share)s of all pairs do, %(where)s."
        )
    elif above >= MORE:
        said = gettext("These two answers differ more than %(share)s of all pairs do, %(where)s.")
    else:
        said = gettext(
            "These two answers differ little, more than only %(share)s of all pairs do, %(where)s."
        )
    return said % {"where": where, "share": _more_than(above)}


def _in_its_place(why: dict[str, Any], pair: SelectedPair) -> str:
    """What is left of that, given the pairs before it in the queue."""
    if pair.position == 0:
        return gettext("It comes first, so nothing covers them yet.")
    if why["left"] >= NEW:
        return gettext("No pair before it in the queue covers them.")
    covered = gettext("Pairs before it cover most of that")
    if why["left"] >= PART:
        covered = gettext("Pairs before it cover a part of that")
    then: float | None = why.get("then")
    if then is None:
        said = gettext("%(covered)s; no other pair is left.")
    elif then == 1:
        said = gettext("%(covered)s, yet in its place no other pair tells more.")
    elif then >= STILL:
        said = gettext("%(covered)s, yet in its place only %(share)s of the others tell more.")
    else:
        said = gettext("%(covered)s: in its place %(share)s of the others tell more.")
    return said % {"covered": covered, "share": percent(1 - (then or 0))}


def _scores(why: dict[str, Any]) -> str:
    said = gettext("Their scores differ by %(gap)s, more than those of %(share)s of all pairs.")
    return said % {"gap": localised(f"{why['gap']:.3g}"), "share": _more_than(why["gap_above"])}


def _more_than(share: float) -> str:
    """The share that is below: never all of them, as the pair is one."""
    return percent(min(share, 0.999)) if share else localised("0%")


def _prompt(pairs: int) -> str:
    if pairs == 1:
        return gettext("The only pair of its prompt.")
    return ngettext(
        "One of %(number)s pair of its prompt.", "One of %(number)s pairs of its prompt.", pairs
    ) % {"number": whole(pairs)}
