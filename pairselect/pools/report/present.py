"""The facts of a report in words, for the page."""

from dataclasses import dataclass

from pairselect.pools.report.advice import advice
from pairselect.pools.report.charts import Chart, draw_lengths, draw_more
from pairselect.pools.report.facts import (
    Example,
    Facts,
    GeometryFacts,
    IdentityFacts,
    MoreFacts,
    SourceFacts,
)
from pairselect.pools.report.identity import FILE
from pairselect.pools.report.lines import Line, figures, lengths_in_words, variety
from pairselect.pools.report.words import count, percent

MUCH = 0.1  # of the objective, by the last doubling
LITTLE = 0.03


@dataclass(frozen=True)
class More:
    statement: str
    remark: str
    method: str
    chart: Chart


@dataclass(frozen=True)
class SourceRow:
    label: str
    completions: int
    length: str
    cut: str
    distinct: str
    spread: str
    identity: str


@dataclass(frozen=True)
class PhraseRow:
    phrase: str
    completions: int
    examples: list[tuple[str, str]]  # where, and the excerpt


@dataclass(frozen=True)
class PromptRow:
    number: int
    excerpt: str
    widest: str
    is_narrow: bool


@dataclass(frozen=True)
class Report:
    figures: list[Line]
    warnings: list[str]
    variety: list[Line]
    lengths: list[Line]
    length_unit: str
    length_chart: Chart | None
    more: More | None
    sources: list[SourceRow]
    other_sources: int
    identity: str
    phrases: list[PhraseRow]
    narrowest: list[PromptRow]
    narrow_hint: str
    missing: str  # what is not known, and why
    sampled: str


def present(facts: Facts) -> Report:
    """What the page shows of the facts."""
    texts, lengths, geometry = facts["texts"], facts["lengths"], facts["geometry"]
    more = geometry["more"] if geometry else None
    return Report(
        figures=list(figures(facts)),
        warnings=list(advice(facts)),
        variety=list(variety(facts)),
        lengths=list(lengths_in_words(lengths, texts["finish"], facts["most_tokens"]))
        if lengths
        else [],
        length_unit=lengths["histogram"]["unit"] if lengths else "",
        length_chart=draw_lengths(lengths["histogram"]) if lengths else None,
        more=_more(more) if more else None,
        sources=[_source(one) for one in facts["sources"]] if len(facts["sources"]) > 1 else [],
        other_sources=facts["other_sources"],
        identity=_identity(facts),
        phrases=[
            PhraseRow(one["phrase"], one["completions"], [_example(e) for e in one["examples"]])
            for one in facts["identity"]["found"]
        ],
        narrowest=_narrowest(geometry) if geometry else [],
        narrow_hint=_narrow_hint(geometry) if geometry else "",
        missing=facts["no_geometry"],
        sampled=_sampled(geometry) if geometry else "",
    )


def _more(more: MoreFacts) -> More:
    counts, share, half = more["counts"], more["share"], more["half"]
    fall = 1 - share[-1] / share[half]
    statement = (
        f"{counts[-1]} completions a prompt instead of {counts[half]} lower the predicted "
        f"objective by {percent(fall)}; lower is better."
    )
    remark = ""
    if fall >= MUCH:
        remark = (
            f"Going from {counts[half]} to {counts[-1]} still helps much: even more completions "
            "may be worth generating."
        )
    elif fall < LITTLE:
        remark = (
            f"Going from {counts[half]} to {counts[-1]} hardly helps: a second model or another "
            "system prompt may give more to choose from."
        )
    draws = "" if more["draws"] == 1 else f", the mean of {more['draws']} draws"
    method = (
        f"The objective Φ of {count(more['budget'], 'label')}, one a prompt, chosen from so many "
        f"completions of each{draws}, in percent of Φ with two, where there is nothing to choose. "
        f"Every choice is at most {percent(more['gap'])} above the best possible; more "
        f"than {counts[-1]} completions have not been tried."
    )
    return More(statement, remark, method, draw_more(more))


def _source(source: SourceFacts) -> SourceRow:
    total = source["completions"]
    length = source["characters"] if source["tokens"] is None else source["tokens"]
    return SourceRow(
        label=source["label"],
        completions=total,
        length=f"{length:,.0f}",
        cut=percent(source["cut"] / total),
        distinct=percent(source["distinct"] / total),
        spread="–" if source["spread"] is None else f"{source['spread']:.2f}",
        identity=f"{source['identity']:,}",
    )


def _identity(facts: Facts) -> str:
    identity = facts["identity"]
    listed = count(identity["phrases"], "phrase")
    said = f"None of the {listed} in {FILE} occurs."
    if identity["completions"]:
        said = f"{count(identity['completions'], 'completion')} "
        said += "has" if identity["completions"] == 1 else "have"
        said += f" one of the {listed} in {FILE}."
    if skipped := identity["skipped"]:
        said += f" {count(skipped, 'line')} of that file could not be used{_which(identity)}."
    return said + " The file is in the data folder: edit it, and have the report made again."


def _which(identity: IdentityFacts) -> str:
    lines = identity.get("skipped_lines", [])  # which reports made earlier lack
    if not lines:
        return ""
    more = identity["skipped"] - len(lines)
    said = [f"line {one['line']:,} {one['why']}" for one in lines]
    return ": " + "; ".join(said) + (f"; and {more:,} more" if more else "")


def _example(example: Example) -> tuple[str, str]:
    where = f"prompt {example['position'] + 1:,}, completion {example['index'] + 1:,}"
    return where, example["excerpt"]


def _narrowest(geometry: GeometryFacts) -> list[PromptRow]:
    return [
        PromptRow(
            number=one["position"] + 1,
            excerpt=one["excerpt"],
            widest=f"{one['widest']:.2f}",
            is_narrow=one["widest"] < geometry["narrow_threshold"],
        )
        for one in geometry["narrowest"]
    ]


def _narrow_hint(geometry: GeometryFacts) -> str:
    return (
        "The widest pair of a prompt over the median pair of the pool, by the distance of their "
        f"features. Below {geometry['narrow_threshold']:g} even the best label of a prompt carries "
        f"under {geometry['narrow_threshold'] ** 2:.0%} of the usual information."
    )


def _sampled(geometry: GeometryFacts) -> str:
    if geometry["prompts"] == geometry["of_prompts"]:
        return ""
    return (
        f"What the features say is of {geometry['prompts']:,} of the {geometry['of_prompts']:,} "
        "prompts, drawn at random with a fixed seed."
    )
