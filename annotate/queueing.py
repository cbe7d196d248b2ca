"""The order in which a campaign asks for its labels."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def take_turns(queue: Sequence[Item], ease: Sequence[float], *, window: int) -> list[Item]:
    """The queue with easy and hard items taking turns: the easiest, the hardest, the next easiest.

    Only within windows of so many: every prefix of whole windows holds what it held before, so
    work stopped early is still the design's beginning. A window of 0 or 1 changes nothing.
    """
    if window < 2:
        return list(queue)
    mixed = []
    for start in range(0, len(queue), window):
        places = range(start, min(start + window, len(queue)))
        ranked = sorted(places, key=lambda place: (-ease[place], place))
        half = (len(ranked) + 1) // 2
        easy, hard = ranked[:half], ranked[half:][::-1]
        for turn, place in enumerate(easy):
            mixed.append(queue[place])
            mixed += [queue[other] for other in hard[turn : turn + 1]]
    return mixed
