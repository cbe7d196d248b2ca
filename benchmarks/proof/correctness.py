"""Setting 3: correct or not, pools of four; held-out accuracy against the number of labels."""

from benchmarks.proof.command import Setting, run
from benchmarks.proof.sources import Source, correctness

# Of the file's 1,319, so that features take half as long on a CPU.
PROBLEMS = 700


def introduction(source: Source) -> str:
    decided = source.preferred != 0.5
    agree = source.at_hand["votes"]
    gap = (
        agree[source.pairs[:, 0], source.pairs[:, 1]]
        - agree[source.pairs[:, 0], source.pairs[:, 2]]
    )
    differ = float((gap != 0).mean())
    return (
        f"The first {len(source.questions):,} problems of GSM8K's test set, four solutions of four "
        f"models each; of {len(source.pairs):,} pairs {decided.sum():,} hold one correct and one "
        "wrong solution. A label costs the same on the others: asked which solution is correct, a "
        "person says both or neither, a tie, which teaches as half a label for either side. Only "
        "pairs of a correct and a wrong solution judge. Scores: `truth` is correctness itself; "
        "`noisy truth` has noise added until differences correlate at .46; `votes` is how many of "
        "the prompt's other solutions end in the same number, which needs no judgement and "
        f"differs in {differ:.0%} of the pairs; `log-probability` is a token's, under the "
        "reference model."
    )


SETTING = Setting(
    "correctness",
    "Correctness",
    correctness,
    introduction,
    "Accuracy by labels",
    questions=PROBLEMS,
)

if __name__ == "__main__":
    run(SETTING)
