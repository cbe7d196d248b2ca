"""How large a run is: the whole setting, what two CPU cores can do, and what a test takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from benchmarks.proof.plans import DEFAULT, Plan

NOISY = "noisy:0.46"

# By the names that tables and figures use.
PLANS: dict[str, tuple[str, Plan]] = {
    "uniform": ("uniform", Plan("uniform")),
    "first_two": ("first N, first two", Plan("first_two")),
    "reference": ("reference-weighted", Plan("reference_weighted")),
    "k_center": ("k-center", Plan("k_center")),
    "vertex": ("trace, vertex (the paper's)", Plan("trace_vertex")),
    "plain": ("trace, exact, no prior", Plan("trace")),
    "trace": ("trace, exact (the default)", DEFAULT),
    "max_noisy": ("max_gap, noisy score (.46)", Plan("max_gap", scores=NOISY)),
    "gap_noisy": (
        "trace_gap, noisy score (.46)",
        replace(DEFAULT, strategy="trace_gap", scores=NOISY),
    ),
    "weighted_noisy": (
        "trace_weighted, noisy score (.46)",
        replace(DEFAULT, strategy="trace_weighted", scores=NOISY),
    ),
    "max_true": ("max_gap, true score", Plan("max_gap", scores="true")),
    "gap_true": ("trace_gap, true score", replace(DEFAULT, strategy="trace_gap", scores="true")),
}
FEW = ("uniform", "vertex", "trace", "weighted_noisy", "max_noisy")


@dataclass(frozen=True)
class Part:
    """A pool and what may be chosen of it.

    Attributes
    ----------
    max_per_prompt : int or None
        1: one pair a prompt, the paper's response selection.
    """

    title: str
    prompts: int
    completions: int
    max_per_prompt: int | None = None


@dataclass(frozen=True)
class Sweep:
    """Runs of each plan at each budget, with each kind of labels, for each β."""

    part: str
    plans: tuple[str, ...]
    budgets: tuple[int, ...]
    betas: tuple[float, ...]
    labels: tuple[str, ...] = ("bradley-terry",)


@dataclass(frozen=True)
class Learning:
    """What DPO is run with besides β; the same for every plan."""

    rate: float
    epochs: int
    batch: int = 16

    @property
    def name(self) -> str:
        return f"{self.rate:g}:{self.epochs}:{self.batch}"


@dataclass(frozen=True)
class Search:
    """Which `Learning` to take: each is tried once, with another seed's uniform labels."""

    part: str
    budget: int
    prompts: int  # of their own
    candidates: tuple[Learning, ...]
    beta: float = 0.1
    seed: int = 100


@dataclass(frozen=True)
class Scale:
    """Attributes
    ----------
    words : int
        Of a review that are its beginning, the prompt.
    tokens : int
        The rest of a review is cut at its last sentence's end within so many.
    most_tokens : int
        Of a sampled completion; more than `tokens`, so that nearly all end by themselves.
    tuning_rows, tuning_rate, tuning_batch
        Of the supervised fine-tuning, one epoch; `tuning_held_out` rows show what it taught.
    curves : by name, Part
        Pools of their own, which `benchmarks.proof.reviews` reads: one to look for an answer on,
        one to confirm it.
    evaluation : int
        Fresh prompts, of each of which every policy writes one completion.
    main_beta : float
        At which β the objective r − β·KL is compared.
    """

    name: str
    words: int
    tokens: int
    most_tokens: int
    tuning_rows: int
    tuning_rate: float
    tuning_batch: int
    evaluation: int
    parts: dict[str, Part]
    search: Search
    sweeps: tuple[Sweep, ...]
    seeds: int = 3
    main_beta: float = 0.1
    tuning_held_out: int = 200
    curves: dict[str, Part] = field(
        default_factory=lambda: {
            "curves": Part("curves of the fitted reward: 400 prompts × 8", 400, 8),
            "confirm": Part("the same of other prompts", 400, 8),
        }
    )
    notes: tuple[str, ...] = field(default=())


BETAS = (0.05, 0.1, 0.3)

FULL = Scale(
    name="full",
    words=8,
    tokens=48,
    most_tokens=60,
    tuning_rows=20_000,
    tuning_rate=1e-4,
    tuning_batch=32,
    evaluation=500,
    parts={
        "prompts": Part("(i) prompt selection: 1,000 prompts × 2, choose 175", 1000, 2),
        "responses": Part("(ii) response selection: 175 prompts × 8, one pair each", 175, 8, 1),
        "anywhere": Part("(iii) 200 prompts × 16, pairs anywhere", 200, 16),
    },
    search=Search(
        "anywhere",
        350,
        200,
        tuple(Learning(rate, epochs) for rate in (1e-5, 2e-5, 5e-5) for epochs in (1, 2)),
    ),
    sweeps=(
        Sweep("anywhere", tuple(PLANS), (175, 350), BETAS),
        Sweep("anywhere", FEW, (700, 1400), BETAS),
        Sweep("anywhere", ("uniform",), (90, 2800), (0.1,)),
        Sweep("prompts", tuple(PLANS), (175,), BETAS),
        Sweep("responses", tuple(PLANS), (175,), BETAS),
        Sweep("anywhere", FEW, (350,), BETAS, ("noise-free", "25% flipped")),
    ),
)

REDUCED = Scale(
    name="reduced",
    words=8,
    tokens=24,
    most_tokens=32,
    tuning_rows=1_500,
    tuning_rate=1e-4,
    tuning_batch=16,
    evaluation=200,
    parts={"anywhere": Part("(iii) 80 prompts × 8, pairs anywhere", 80, 8)},
    search=Search("anywhere", 100, 100, tuple(Learning(rate, 2) for rate in (3e-5, 1e-4))),
    sweeps=(Sweep("anywhere", ("uniform", "trace", "weighted_noisy"), (100,), (0.1,)),),
    notes=(
        "only sub-setting (iii), with 80 prompts × 8 instead of 200 × 16, at 100 labels",
        "three plans, Bradley–Terry labels alone, and one β",
        "200 evaluation prompts instead of 500",
        "1,500 reviews of fine-tuning instead of 20,000",
        "texts of up to 24 tokens (cut at 32) instead of 48 (cut at 60)",
    ),
)

# For tests, with a model that knows nothing.
TINY = Scale(
    name="tiny",
    words=3,
    tokens=90,
    most_tokens=10,
    tuning_rows=16,
    tuning_rate=1e-3,
    tuning_batch=8,
    evaluation=6,
    parts={
        "anywhere": Part("(iii) 5 prompts × 4", 5, 4),
        "responses": Part("(ii) 6 prompts × 3", 6, 3, 1),
    },
    search=Search("anywhere", 6, 4, (Learning(1e-3, 1, 4), Learning(3e-3, 1, 4))),
    sweeps=(
        Sweep("anywhere", ("uniform", "gap_noisy"), (4, 8), (0.1,)),
        Sweep("responses", ("uniform", "trace"), (6,), (0.1, 0.3), ("25% flipped",)),
    ),
    seeds=2,
    tuning_held_out=8,
    curves={"curves": Part("curves of the fitted reward: 8 prompts × 3", 8, 3)},
    notes=("everything",),
)
SCALES = {one.name: one for one in (FULL, REDUCED, TINY)}
