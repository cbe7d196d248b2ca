"""How often intervals miss the truth, where it is known: the contrast's, and that of a share."""

import argparse
import os
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from pairselect.core import CandidatePool
from pairselect.core.clustered import clustered_share
from pairselect.core.learning import learning_curve

SIZE = 6  # completions a prompt


@dataclass(frozen=True)
class Campaign:
    """Labels of a linear reward on random pairs, dealt at random into two arms."""

    labels: int
    d: int
    prompts: int
    strength: float  # standard deviation of a pair's logit over √2
    control: float  # share of the labels in the control arm


CAMPAIGNS = (
    Campaign(120, 16, 100, 1.5, 0.5),
    Campaign(200, 16, 40, 1.5, 0.5),
    Campaign(400, 32, 400, 1.5, 0.5),
    Campaign(400, 64, 50, 0.0, 0.5),
    Campaign(1000, 16, 1000, 1.5, 0.94),
    Campaign(1000, 32, 125, 1.5, 0.15),
    Campaign(1000, 16, 200, 5.0, 0.3),
)
CLUSTERS = (2, 3, 4, 5, 8, 20)
SHARES = (0.6, 0.9)
ALIKE = (2.0, 10.0, 50.0)  # α + β of the clusters' beta distribution: the smaller, the less alike


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of each setting of the contrast")
    options = parser.parse_args()
    print("Designed and control labels drawn alike: contrasts that leave out 0, of 100")
    print("labels   d  prompts  strength  control   missed  mean width")
    missed = 0.0
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # of the processes to come: the matrices are small
    with get_context("spawn").Pool() as pool:
        for setting in CAMPAIGNS:
            found = np.array(pool.map(partial(contrast, setting), range(options.runs), 5))
            share = 100 * (1 - found[:, 0].mean())
            missed += share / len(CAMPAIGNS)
            print(
                f"{setting.labels:6} {setting.d:3} {setting.prompts:8} {setting.strength:9} "
                f"{setting.control:8}   {share:6.1f}  {found[:, 1].mean():10.3f}",
                flush=True,
            )
    print(f"{options.runs * len(CAMPAIGNS):,} runs in all{missed:29.1f}")
    print("\nA share over few clusters of 10 to 59 trials: intervals that hold it, of 100")
    print("share  alike  clusters: " + "".join(f"{number:7}" for number in CLUSTERS))
    rng = np.random.default_rng(0)
    for share in SHARES:
        for alike in ALIKE:
            held = [100 * covered(rng, share, alike, number) for number in CLUSTERS]
            print(f"{share:5} {alike:6}            " + "".join(f"{one:7.1f}" for one in held))


def contrast(setting: Campaign, seed: int) -> tuple[float, float]:
    """1 if the interval holds 0, which is the truth, else 0; and its width."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(setting.prompts * SIZE, setting.d))
    pool = CandidatePool(features, np.repeat(np.arange(setting.prompts), SIZE))
    prompt = rng.integers(0, setting.prompts, setting.labels)
    left = rng.integers(0, SIZE, setting.labels)
    right = (left + rng.integers(1, SIZE, setting.labels)) % SIZE
    pairs = np.stack([prompt * SIZE + left, prompt * SIZE + right], axis=1)
    theta = rng.normal(size=setting.d)
    theta *= setting.strength / np.linalg.norm(theta)
    logit = (features[pairs[:, 0]] - features[pairs[:, 1]]) @ theta
    preferred = (rng.random(setting.labels) < 1 / (1 + np.exp(-logit))).astype(float)
    control = rng.permutation(setting.labels) < round(setting.control * setting.labels)
    found = learning_curve(pool, pairs, preferred, control, rng=rng).contrast
    assert found is not None
    one = found.difference
    return float(one.low <= 0 <= one.high), one.high - one.low


def covered(rng: np.random.Generator, share: float, alike: float, clusters: int) -> float:
    """The share of 2,000 intervals that hold the mean of all clusters there could be."""
    held = 0
    for _ in range(2000):
        trials = rng.integers(10, 60, clusters)
        won = rng.binomial(trials, rng.beta(share * alike, (1 - share) * alike, clusters))
        found = clustered_share(won, trials, np.arange(clusters))
        assert found is not None
        held += found.low <= share <= found.high
    return held / 2000


if __name__ == "__main__":
    main()
