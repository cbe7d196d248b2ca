"""A pool whose reward the features see a part of: the slope of a label, and what designs gain.

``python -m benchmarks.proof.theory`` checks `docs/proof/theory.md` and writes its tables.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from benchmarks.proof.plans import TOLERANCE
from benchmarks.proof.tables import plain, table
from benchmarks.synthetic.statistics import Estimate, mean_of
from pairselect.core import CandidatePool, choose_pairs, fit_bradley_terry
from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.gap_weights import slope

PROMPTS, SIZE, DIMENSION = 400, 4, 40
SPECTRUM = 0.5  # coordinate k has standard deviation k^-SPECTRUM
BUDGET = 160
# Agreement of the score's sign with the labels, over random pairs.
AGREEMENTS = (0.55, 0.65, 0.8, 0.95)
KEEPS = (0.1, 0.2, 0.3, 0.5, 0.7)
SEEDS = 40
BINS = 8


@dataclass(frozen=True)
class World:
    """ℓ = θᵀφ + ε of variance 1 is what labels compare; the features see `share` of it.

    A score s = ρℓ + √(1−ρ²)η, and a label is the sign of the difference of ℓ.
    """

    features: FloatArray  # (n, d)
    theta: FloatArray  # (d,)
    latent: FloatArray  # (n,)
    noise: FloatArray  # (n,)

    def score(self, agreement: float) -> FloatArray:
        rho = np.sin(np.pi * (agreement - 0.5))
        return np.asarray(rho * self.latent + np.sqrt(1 - rho**2) * self.noise)

    def pool(self, agreement: float) -> CandidatePool:
        prompt = np.repeat(np.arange(len(self.latent) // SIZE), SIZE)
        return CandidatePool(self.features, prompt, scores=self.score(agreement))

    def labels(self, pairs: IntArray) -> FloatArray:
        latent = self.latent[pairs]
        return np.asarray(latent[:, 0] > latent[:, 1], dtype=np.float64)

    def accuracy(self, theta: FloatArray) -> float:
        """Of θ̂ on new pairs, exactly: ½ + arcsin(correlation)/π."""
        variance = spectrum() ** 2
        inner = np.sum(theta * variance * self.theta)
        norm = np.sqrt(np.sum(theta**2 * variance))
        return float(0.5 + np.arcsin(inner / norm) / np.pi) if norm > 0 else 0.5


def spectrum() -> FloatArray:
    return np.arange(1, DIMENSION + 1) ** -SPECTRUM


def draw(seed: int, share: float, prompts: int = PROMPTS) -> World:
    rng = np.random.default_rng([7, seed])
    theta = rng.standard_normal(DIMENSION)
    theta *= np.sqrt(share / np.sum(theta**2 * spectrum() ** 2))
    features = rng.standard_normal((prompts * SIZE, DIMENSION)) * spectrum()
    rest = np.sqrt(1 - share) * rng.standard_normal(len(features))
    return World(features, theta, features @ theta + rest, rng.standard_normal(len(features)))


def whole_slope(gap: FloatArray, agreement: float, share: float) -> FloatArray:
    """E[u y | γ] / E[u² | γ] of a label y = ±1 on u = θᵀg, by quadrature; gaps in units.

    `slope` is its limit for a share that goes to 0, up to a constant.
    """
    rho = np.sin(np.pi * (agreement - 0.5))
    v = 1 - rho**2 * share  # of s given g
    k = rho * (1 - share) / v  # of ℓ on s given g
    tau = np.sqrt((1 - share) * (1 - rho**2) / v)
    nodes, mass = np.polynomial.hermite_e.hermegauss(61)
    u = nodes[:, None] * np.sqrt(share)  # (61, 1)
    sides = [np.exp(-((sign * gap - rho * u) ** 2) / (2 * v)) for sign in (1, -1)]
    y = [2 * ndtr((u + k * (sign * gap - rho * u)) / tau) - 1 for sign in (1, -1)]
    of = mass[:, None] * (sides[0] + sides[1])
    with_label = mass[:, None] * (sides[0] * y[0] + sides[1] * y[1])
    return np.asarray((with_label * u).sum(0) / (of * u**2).sum(0))


def slopes(share: float, agreement: float) -> list[tuple[float, float, float, float]]:
    """By bins of the gap: its mean in units, then slopes over their mean over all gaps.

    Measured, Σ y u / Σ u²; by `whole_slope`; by `slope`, as if the features saw next to nothing.
    """
    world = draw(0, share, prompts=125_000)
    pairs = np.arange(len(world.latent)).reshape(-1, 2)
    u = (world.features[pairs[:, 0]] - world.features[pairs[:, 1]]) @ world.theta
    y = 2 * world.labels(pairs) - 1
    score = world.score(agreement)
    gap = np.abs(score[pairs[:, 0]] - score[pairs[:, 1]])
    gap /= np.sqrt(np.mean(gap**2))
    edges = np.quantile(gap, np.linspace(0, 1, BINS + 1))
    place = np.clip(np.digitize(gap, edges) - 1, 0, BINS - 1)
    measured = np.bincount(place, y * u) / np.bincount(place, u**2)
    count = np.bincount(place)
    whole = np.bincount(place, whole_slope(gap, agreement, share)) / count
    limit = np.bincount(place, slope(gap, agreement)) / count
    parts = [one / one.mean() for one in (measured, whole, limit)]
    gaps = np.bincount(place, gap) / count
    return [tuple(map(float, row)) for row in zip(gaps, *parts, strict=True)]


def choices(pool: CandidatePool, seed: int) -> dict[str, IntArray]:
    """Pairs by every rule."""
    rng = np.random.default_rng([8, seed])
    settings = {"method": "randomized", "target": "samples", "tolerance": TOLERANCE, "rng": rng}

    def of(strategy: str, **more: float) -> IntArray:
        return choose_pairs(pool, strategy=strategy, budget=BUDGET, **settings, **more).pairs

    found = {"uniform": of("uniform"), "trace": of("trace"), "max_gap": of("max_gap")}
    found |= {f"trace_gap, {keep:.0%} kept": of("trace_gap", keep=keep) for keep in KEEPS}
    for agreement in (*AGREEMENTS, 1.0):
        name = "trace_weighted, " + (f"{agreement:.0%} agree" if agreement < 1 else "γ²")
        found[name] = of("trace_weighted", agreement=agreement)
    return found


@cache
def gains(share: float, agreement: float, seeds: int) -> dict[str, FloatArray]:
    """Accuracy of the fitted reward on new pairs, (seeds,), by rule."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        world = draw(seed, share)
        pool = world.pool(agreement)
        for name, pairs in choices(pool, seed).items():
            fit = fit_bradley_terry(pool, pairs, world.labels(pairs))
            found.setdefault(name, []).append(world.accuracy(fit.theta))
    return {name: np.array(values) for name, values in found.items()}


@cache
def slope_table(share: float) -> str:
    rows = []
    for agreement in AGREEMENTS:
        found = slopes(share, agreement)
        named = (f"{agreement:.0%}, measured", "derived", "derived, limit")
        rows += [
            [name, *(f"{row[k]:.2f}" for row in found)] for k, name in enumerate(named, start=1)
        ]
    head = ["agreement", *(f"gap {row[0]:.2f}" for row in slopes(share, AGREEMENTS[0]))]
    return table(head, rows)


def gain_table(share: float, seeds: int) -> str:
    every = {agreement: gains(share, agreement, seeds) for agreement in AGREEMENTS}
    names = list(every[AGREEMENTS[0]])
    rows = []
    for name in names:
        cells = []
        for agreement in AGREEMENTS:
            base = every[agreement]["trace"]
            here = every[agreement][name]
            found: Estimate = mean_of(here if name == "trace" else here - base)
            cells.append(plain(found, sign=name != "trace"))
        rows.append([name, *cells])
    return table(["", *(f"{agreement:.0%}" for agreement in AGREEMENTS)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proof.theory", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, default=Path("docs/proof"))
    o = parser.parse_args()
    parts = ["# The gap and the design, checked\n"]
    option = "" if o.seeds == SEEDS else f" --seeds {o.seeds}"
    parts.append(f"`python -m benchmarks.proof.theory{option}`.\n")
    for share in (0.1, 0.5):
        parts.append(f"## The features see {share:.0%} of what labels compare\n")
        parts.append(slope_table(share))
        parts.append(gain_table(share, o.seeds))
    (o.output / "theory-check.md").write_text("\n".join(parts))
    print("\n".join(parts))


if __name__ == "__main__":
    main()
