"""How long people take for a label: measured on their side, asked for here."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class MeasuredPace:
    """Seconds a label, the mean of as many labels."""

    seconds: float
    labels: int


Source = Callable[[], MeasuredPace | None]
_sources: list[Source] = []


def measured_by(source: Source) -> None:
    """Name who measures; imports flow one way, so that side calls this when it is ready."""
    _sources[:] = [source]


def measured_pace() -> MeasuredPace | None:
    """The pace of the people so far; None before there is a label."""
    return _sources[0]() if _sources else None
