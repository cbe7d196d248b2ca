"""Whether the trail is what it was: each entry, their order, and that none is gone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pairselect.trail.actions import seal
from pairselect.trail.models import Entry, Seal, link

CHUNK = 500
MOST_TOLD = 20


@dataclass(frozen=True)
class Verdict:
    """What was found. ``end`` is the chain's, to be noted somewhere else."""

    entries: int
    end: str
    problems: list[str]

    @property
    def is_whole(self) -> bool:
        return not self.problems


def verify(*, expected: str = "") -> Verdict:
    """Reckon the chain anew, entry by entry.

    Parameters
    ----------
    expected
        An end that was noted earlier, ``NUMBER:DIGEST``. Only with it can it be seen that the
        newest entries are gone with their links, or that the whole chain was made anew.
    """
    seal(everything=True)  # what a killed process has left
    problems: list[str] = []
    number, digest, count = 0, "", 0
    noted, _, noted_digest = expected.partition(":")
    for one, entry in _chain():
        count += 1
        follows = one.number == number + 1
        if not follows:  # nor can it be seen then whether this one is as it was
            problems.append(f"Links {number + 1} to {one.number - 1} are missing.")
        number = one.number
        if entry is None:
            problems.append(f"Entry {one.entry_id} is missing (link {one.number}).")
        elif follows and link(digest, entry) != one.digest:
            problems.append(
                f"Entry {one.entry_id}, or the order before it, was altered (link {one.number})."
            )
        digest = one.digest
        if expected and str(one.number) == noted and one.digest != noted_digest:
            problems.append(f"Link {noted} is another than the one that was noted.")
        if len(problems) >= MOST_TOLD:
            problems.append("There may be more.")
            break
    if expected and (not noted.isdigit() or int(noted) > number):
        problems.append(f"The chain ends at link {number}, before the noted {expected}.")
    return Verdict(count, f"{number}:{digest}", problems)


def _chain() -> Iterator[tuple[Seal, Entry | None]]:
    """The links in their order, each with its entry, in as little memory however many."""
    links = iter(Seal.objects.order_by("number").iterator(chunk_size=CHUNK))
    while some := list(islice(links, CHUNK)):
        found = Entry.objects.in_bulk([one.entry_id for one in some])
        yield from ((one, found.get(one.entry_id)) for one in some)
