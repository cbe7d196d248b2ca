"""Setting 1's reward alone: held-out accuracy of the fitted one against the number of labels."""

import numpy as np
from scipy.special import expit

from benchmarks.proof.command import Setting, run
from benchmarks.proof.sources import Source, rewarded


def introduction(source: Source) -> str:
    first, second = (source.score[source.pairs[:, 0], source.pairs[:, k]] for k in (1, 2))
    gap = np.abs(first - second)
    return (
        f"{len(source.questions):,} beginnings of film reviews, {source.score.shape[1]} "
        "continuations each, written by the reference policy of "
        "`benchmarks.proof.sentiment`, which leaves them in `curves.jsonl`; the reward is its "
        "sentiment model's. Labels "
        f"of all {len(source.pairs):,} pairs are drawn once by Bradley–Terry: a typical gap is "
        f"{np.median(gap):.2f}, and the better text wins {expit(gap).mean():.1%} of the labels, "
        "which no learner can pass. Scores: `truth` is the reward itself; `noisy truth` has noise "
        "added until differences correlate at .46; `log-probability` is a token's, under the "
        "reference model."
    )


SETTING = Setting(
    "reviews",
    "Film reviews: the fitted reward",
    rewarded,
    introduction,
    "Accuracy by labels",
    labels=("noise-free", "bradley-terry", "bradley-terry, 25% flipped"),
)

if __name__ == "__main__":
    run(SETTING)
