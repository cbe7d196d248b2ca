"""What a report keeps: plain numbers and words, ready for JSON."""

from typing import NotRequired, TypedDict


class Quantiles(TypedDict):
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float
    mean: float


class Histogram(TypedDict):
    """Bar i counts lengths from i·width up to (i + 1)·width, the last also all above if `open`."""

    unit: str  # tokens or characters
    width: int
    counts: list[int]
    open: bool


class LengthFacts(TypedDict):
    characters: Quantiles
    tokens: Quantiles | None
    tokens_by: str  # "writer", "reference" model, or "" where nobody has counted
    histogram: Histogram
    spread: Quantiles  # longest over shortest completion of a prompt, over the prompts


class TextFacts(TypedDict):
    prompts: int  # with a completion
    completions: int
    distinct: int  # within their prompts, after normalisation
    repeated_exactly: int  # completions whose very text stands earlier in their prompt
    empty: int
    without_choice: int  # prompts with fewer than two distinct completions
    finish: dict[str, int]


class Example(TypedDict):
    position: int  # of the prompt, 0-based
    index: int  # of the completion, 0-based
    excerpt: str


class PhraseFacts(TypedDict):
    phrase: str
    completions: int
    examples: list[Example]


class SkippedLine(TypedDict):
    line: int  # 1-based
    why: str  # goes on from “line 3”


class IdentityFacts(TypedDict):
    phrases: int  # looked for
    skipped: int  # lines of the list that could not be used
    skipped_lines: NotRequired[list[SkippedLine]]  # the first of them
    completions: int  # with at least one
    found: list[PhraseFacts]  # the most frequent first


class SourceFacts(TypedDict):
    label: str
    completions: int
    tokens: float | None  # median
    characters: float  # median
    cut: int
    distinct: int  # within prompt and source
    identity: int
    spread: float | None  # mean ‖g‖² of two of its completions over that of two of the pool


class PromptFacts(TypedDict):
    position: int
    excerpt: str
    widest: float  # over the pool's median pair


class MoreFacts(TypedDict):
    """Φ with k completions a prompt over Φ with two; see `core.CompletionsCurve`."""

    counts: list[int]
    share: list[float]
    least: list[float]  # of the draws
    most: list[float]
    half: int  # place of half of the last count
    gap: float
    budget: int
    draws: int


class GeometryFacts(TypedDict):
    kind: str
    model: str
    prompts: int  # looked at, each with two completions or more
    of_prompts: int  # that there are
    dimension: int
    near_threshold: float  # of the root mean square pair
    near_share: float  # of the pairs with two texts
    effective_rank: float  # of Σ_uniform
    rank: Quantiles  # of the prompts
    widest: Quantiles  # of the prompts, over the pool's median pair
    narrow_threshold: float
    narrow: int
    narrowest: list[PromptFacts]
    more: MoreFacts | None


class Facts(TypedDict):
    most_tokens: int | None  # that a completion may have
    texts: TextFacts
    lengths: LengthFacts | None  # None of a pool without completions
    identity: IdentityFacts
    sources: list[SourceFacts]
    other_sources: int  # completions of sources that are not listed
    geometry: GeometryFacts | None
    no_geometry: str  # why there is none
