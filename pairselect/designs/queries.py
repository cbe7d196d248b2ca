import hashlib
from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from pairselect.designs.models import Design, SelectedPair
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, Prompt
from pairselect.pools.queries import REFUSED, completions_in_order


def designs() -> QuerySet[Design]:
    return Design.objects.select_related("pool")


def openable_designs() -> QuerySet[Design]:
    """Those that are solved, or will be: not those that failed or are put away."""
    solving = Job.objects.filter(
        kind="solve_design", subject_id=OuterRef("pk"), status__in=Job.ACTIVE
    )
    shown = Design.objects.filter(archived_at__isnull=True)
    return shown.filter(Q(solved_at__isnull=False) | Exists(solving))


def pairs_in_order(design: Design) -> QuerySet[SelectedPair]:
    return design.pairs.select_related("prompt", "first", "second").order_by("position")


def busiest_prompt(design: Design) -> Prompt | None:
    """The prompt with the most pairs, if one has two or more."""
    counts = design.pairs.order_by().values("prompt").annotate(pairs=Count("pk"))
    most = counts.filter(pairs__gt=1).order_by("-pairs", "prompt").first()
    return None if most is None else Prompt.objects.get(pk=most["prompt"])


def chain_of(design: Design) -> list[int]:
    """Ids of the design and of those it was designed after, newest first."""
    found: list[int] = []
    here: int | None = design.pk
    while here is not None:
        found.append(here)
        here = Design.objects.values_list("after", flat=True).get(pk=here)
    return found


def choosable_pools() -> QuerySet[Pool]:
    """The pools that have completions, or will have: not those that failed or came out empty,
    nor those that are put away."""
    making = Job.objects.filter(
        kind__in=("generate_pool", "import_pool"),
        subject_id=OuterRef("pk"),
        status__in=Job.ACTIVE,
    )
    filled = Completion.objects.filter(pool=OuterRef("pk"))
    return Pool.objects.filter(archived_at__isnull=True).filter(
        Q(Exists(filled), completed_at__isnull=False) | Q(Exists(making), completed_at__isnull=True)
    )


def choosable_pairs(
    pool: Pool, *, enough: int, max_per_prompt: int | None = None, after: Design | None = None
) -> int:
    """How many pairs can be chosen, as the solver counts them; counting ends at ``enough``.

    Equal texts are no pair, empty ones are in none, and the next round leaves out what earlier
    ones have queued. Of a pool that is still being made, the most that it can have.
    """
    if pool.completed_at is None and not pool.completions_per_prompt:
        return enough  # an import says nothing before its end; the solver will
    found = 0
    for pairs in _pairs_of_each_prompt(pool, after):
        found += min(pairs, max_per_prompt or pairs)
        if found >= enough:
            break
    return found


def text_key(text: str) -> bytes:
    """Equal for texts that differ in blanks alone."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def _pairs_of_each_prompt(pool: Pool, after: Design | None) -> Iterable[int]:
    if pool.completed_at is None:
        yield from [_pairs(pool.completions_per_prompt or 0)] * pool.prompt_set.prompt_count
        return
    queued: Counter[int] = Counter()
    if after is not None:
        chosen = SelectedPair.objects.filter(design__in=chain_of(after))
        chosen = chosen.exclude(Q(first__text="") | Q(second__text=""))  # of an earlier version
        queued.update(chosen.order_by().values_list("prompt", flat=True))
    written = completions_in_order(pool).exclude(finish_reason=REFUSED)
    rows = written.values_list("prompt_id", "text").iterator(chunk_size=2000)
    for prompt_id, group in groupby(rows, key=lambda row: row[0]):
        texts = Counter(text_key(text) for _, text in group if text.strip())
        equal = sum(_pairs(count) for count in texts.values())
        yield _pairs(texts.total()) - equal - queued[prompt_id]


def _pairs(size: int) -> int:
    return size * (size - 1) // 2
