"""What the page shows of an assessment: facts as sentences, figures, rows and charts."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.quality import words
from annotate.quality.charts import Chart, Strip, draw_learning, draw_reliability, strip
from annotate.quality.facts import (
    EstimateFacts,
    Facts,
    LearningFacts,
    MachineFacts,
    PersonFacts,
    PointFacts,
    ShareFacts,
)
from pairselect.pools.words import localised, whole


@dataclass(frozen=True)
class Figure:
    title: str
    value: str
    hint: str


@dataclass(frozen=True)
class Row:
    """A row whose share is drawn beside its numbers."""

    title: str
    value: str = "–"
    strip: Strip | None = None
    of: str = ""  # how many it is counted over
    hint: str = ""


@dataclass(frozen=True)
class Person:
    name: str
    labels: str
    agreement: Row
    accuracy: Row


@dataclass(frozen=True)
class MachineRow:
    name: str
    answers: str
    pairs: str
    kappa: Row
    left: Row
    consistent: Row


@dataclass(frozen=True)
class CurveRow:
    labels: str
    everything: str
    designed: str
    control: str


@dataclass(frozen=True)
class Learning:
    contrast: str
    judged: str
    chart: Chart
    rows: list[CurveRow]
    has_arms: bool
    reliability: Chart
    bins: list[tuple[str, str, str]]  # predicted, observed, labels


@dataclass(frozen=True)
class Shown:
    trust: str
    advice: list[str]
    figures: list[Figure]
    agreement: str
    people: list[Person]
    confounds: list[Row]
    adjusted: list[Row]
    adjusted_over: str
    beliefs: str
    sure: list[tuple[str, str, str]]  # at least, pairs, share
    adjudicated: str
    learning_sentence: str
    learning: Learning | None
    machines: list[MachineRow]
    rounds: int = 1
    made_of: list[str] = field(default_factory=list)


def present(facts: Facts) -> Shown:
    """The page's words and numbers, in the reader's language."""
    learning, beliefs = facts["learning"], facts["beliefs"]
    return Shown(
        trust=words.trust(facts),
        advice=words.advice(facts),
        figures=_figures(facts),
        agreement=words.agreement_sentence(facts),
        people=[_person(one) for one in facts["people"]],
        confounds=_confounds(facts),
        adjusted=_adjusted(facts),
        adjusted_over=_adjusted_over(facts),
        beliefs=words.beliefs_sentence(facts),
        sure=[
            (
                localised(f"{float(least):.0%}"),
                whole(number),
                words.share(number / beliefs["pairs"]) if beliefs["pairs"] else "–",
            )
            for least, number in beliefs["sure"].items()
            if float(least) > 0.5
        ],
        adjudicated=_adjudicated(beliefs["adjudicated"]),
        learning_sentence=words.learning_sentence(facts),
        learning=_learning(learning) if learning else None,
        machines=[_machine(one) for one in facts["machines"]],
        rounds=facts["campaigns"],
        made_of=_made_of(facts),
    )


def _figures(facts: Facts) -> list[Figure]:
    found = []
    alpha, percent = facts["agreement"]["alpha"], facts["agreement"]["percent"]
    if alpha:
        found.append(Figure("Krippendorff α", words.two(alpha["value"]), _between(alpha)))
    ordinal = facts["ordinal"]["alpha"] if facts["ordinal"] else None
    if ordinal:
        title = _("α with strengths")
        found.append(Figure(title, words.two(ordinal["value"]), _between(ordinal)))
    if percent:
        title = _("Two labels the same")
        found.append(Figure(title, words.share(percent["value"]), _between_shares(percent)))
    for title, share in (
        (_("Asked again, the same"), facts["consistent"]),
        (_("Gold pairs right"), facts["gold"]),
    ):
        if share:
            hint = _("%(interval)s, of %(total)s") % {
                "interval": _between_shares(share),
                "total": _number(share["total"]),
            }
            found.append(Figure(title, words.share(share["value"]), hint))
    return found


def _person(one: PersonFacts) -> Person:
    return Person(
        name=one["name"],
        labels=whole(one["labels"]),
        agreement=_row("", one["agreement"], of=whole(one["compared"]), middle=None),
        accuracy=_row("", one["accuracy"]),
    )


def _confounds(facts: Facts) -> list[Row]:
    found = facts["confounds"]
    rows: list[tuple[str, ShareFacts | None]] = [
        (_("The left side wins"), found["left"]),
        (_("The longer text wins, in characters"), found["longer_characters"]),
        (_("The longer text wins, in tokens"), found["longer_tokens"]),
        (_("The text with more Markdown wins"), found["formatted"]),
    ]
    return [
        _row(title, share, of=_number(share["total"]) if share else whole(0))
        for title, share in rows
    ]


def _adjusted(facts: Facts) -> list[Row]:
    found = facts["confounds"]["adjusted"]
    if found is None:
        return []
    rows = [
        _row(_("On the left"), found["left"]),
        _row(_("Twice as long"), found["twice_as_long"]),
    ]
    if found["formatted"]:
        rows.append(_row(_("More Markdown"), found["formatted"]))
    return rows


def _adjusted_over(facts: Facts) -> str:
    found = facts["confounds"]["adjusted"]
    return whole(found["labels"]) if found else ""


def _learning(found: LearningFacts) -> Learning:
    by_number: dict[int, dict[str, str]] = {}
    arms: dict[str, list[PointFacts]] = {
        "everything": found["everything"],
        "designed": found["designed"],
        "control": found["control"],
    }
    for name, points in arms.items():
        for point in points:
            by_number.setdefault(point["labels"], {})[name] = words.shares(point["accuracy"])
    return Learning(
        contrast=words.contrast_sentence(found),
        judged=words.judged_sentence(found),
        chart=draw_learning(found),
        rows=[
            CurveRow(whole(number), *(cells.get(name, "–") for name in arms))
            for number, cells in sorted(by_number.items())
        ],
        has_arms=bool(found["designed"]),
        reliability=draw_reliability(found["reliability"]),
        bins=[
            (words.share(one["predicted"]), words.shares(one["observed"]), whole(one["labels"]))
            for one in found["reliability"]
        ],
    )


def _machine(one: MachineFacts) -> MachineRow:
    kappa = one["kappa"]
    percent = one["percent"]
    hint = ""
    if percent:
        hint = _("the same answer in %(share)s") % {"share": words.shares(percent)}
    return MachineRow(
        name=one["name"],
        answers=whole(one["answers"]),
        pairs=whole(one["pairs"]),
        kappa=Row(
            "",
            words.decimals(kappa) if kappa else "–",
            strip(kappa, low=-1.0, high=1.0, middle=0.0) if kappa else None,
            hint=hint,
        ),
        left=_row("", one["left"]),
        consistent=_row("", one["consistent"]),
    )


def _adjudicated(number: int) -> str:
    if not number:
        return ""
    said = ngettext(
        "An adjudicator has decided %(number)s of them.",
        "Adjudicators have decided %(number)s of them.",
        number,
    )
    return said % {"number": whole(number)}


def _made_of(facts: Facts) -> list[str]:
    """The labels by what they say."""
    return [
        _("%(n)s decided") % {"n": whole(facts["decided"])},
        ngettext("%(n)s tie", "%(n)s ties", facts["ties"]) % {"n": whole(facts["ties"])},
        _("%(n)s both bad") % {"n": whole(facts["both_bad"])},
    ]


def _row(
    title: str, found: EstimateFacts | None, *, of: str = "", middle: float | None = 0.5
) -> Row:
    if found is None:
        return Row(title, of=of)
    return Row(title, words.shares(found), strip(found, middle=middle), of)


def _between(found: EstimateFacts) -> str:
    ends = {"low": words.two(found["low"]), "high": words.two(found["high"])}
    return _("%(low)s to %(high)s") % ends


def _between_shares(found: EstimateFacts) -> str:
    low = localised(f"{100 * found['low']:.0f}")
    return _("%(low)s to %(high)s") % {"low": low, "high": words.share(found["high"])}


def _number(number: float) -> str:
    return whole(round(number))
