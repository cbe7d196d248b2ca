"""Setting 2: labels of people on pools of four; held-out accuracy against the number of labels."""

from benchmarks.proof.command import Setting, run
from benchmarks.proof.sources import Source, human_preferences


def introduction(source: Source) -> str:
    ties = int((source.preferred == 0.5).sum())
    first = float(source.preferred[source.preferred != 0.5].mean())
    return (
        f"{len(source.questions):,} questions with passages, four answers of one model family "
        f"each, all {len(source.pairs):,} pairs compared by people; {ties} are ties. A tie is a "
        "label that is paid for: it teaches as half a label for either side, and judges nothing. "
        f"The completion that stands first in the file wins {first:.1%} of the decided pairs, "
        "which no feature sees. Scores: `truth` is how many of the other three a completion "
        "beats; `noisy truth` has noise added until differences correlate at .46; `passages` is "
        "the share of its words that stand in the passages, `reference` the F1 of its words with "
        "those of a reference answer; `log-probability` is a token's, under the reference model."
    )


SETTING = Setting(
    "preferences", "People's preferences", human_preferences, introduction, "Accuracy by labels"
)

if __name__ == "__main__":
    run(SETTING)
