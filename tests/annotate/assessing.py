"""Facts of an assessment with everything in them, for what shows them."""

from annotate.quality.facts import (
    EstimateFacts,
    Facts,
    MachineFacts,
    PersonFacts,
    PointFacts,
    ShareFacts,
)


def about(value: float, reach: float = 0.05) -> EstimateFacts:
    return EstimateFacts(value=value, low=value - reach, high=value + reach)


def counted(count: int, total: int) -> ShareFacts:
    return ShareFacts(**about(count / total), count=count, total=total)


def curve(*accuracies: float) -> list[PointFacts]:
    return [
        PointFacts(labels=25 * 2**place, accuracy=about(value))
        for place, value in enumerate(accuracies)
    ]


def full_facts() -> Facts:
    return Facts(
        campaigns=2,
        labels=640,
        decided=600,
        ties=30,
        both_bad=10,
        pairs=320,
        labels_per_pair=2,
        agreement={"alpha": about(0.46), "percent": about(0.72), "pairs": 320, "labels": 640},
        ordinal={"alpha": about(0.52), "percent": about(0.5), "pairs": 310, "labels": 620},
        consistent=counted(52, 60),
        gold=counted(45, 50),
        people=[
            PersonFacts(
                name=name,
                labels=320,
                compared=compared,
                agreement=about(0.72) if compared else None,
                accuracy=about(0.84),
            )
            for name, compared in (("anna", 320), ("ben", 0))
        ],
        confounds={
            "left": counted(340, 600),
            "longer_characters": counted(370, 590),
            "longer_tokens": counted(365, 585),
            "formatted": counted(110, 200),
            "adjusted": {
                "labels": 600,
                "left": about(0.56),
                "twice_as_long": about(0.61),
                "formatted": about(0.52),
            },
        },
        learning={
            "everything": curve(0.56, 0.6, 0.63, 0.66, 0.68),
            "designed": curve(0.57, 0.62, 0.66),
            "control": curve(0.55, 0.58, 0.61),
            "contrast": {"labels": 100, "difference": about(0.05, 0.03)},
            "reliability": [
                {"predicted": 0.55, "observed": about(0.56), "labels": 90},
                {"predicted": 0.65, "observed": about(0.63), "labels": 60},
                {"predicted": 0.91, "observed": about(0.8, 0.2), "labels": 4},
            ],
            "held_out": 154,
            "prompts": 60,
            "judged_by_control": True,
            "dimension": 32,
        },
        unlearnt="",
        beliefs={
            "pairs": 320,
            "adjudicated": 9,
            "sure": {"0.5": 320, "0.6": 300, "0.7": 260, "0.8": 220, "0.9": 150, "0.95": 40},
            "converged": True,
        },
        machines=[
            MachineFacts(
                name="judge",
                answers=300,
                pairs=150,
                kappa=about(0.31),
                percent=about(0.62),
                left=counted(170, 300),
                consistent=counted(100, 150),
            )
        ],
    )
