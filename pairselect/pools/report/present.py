"""The facts of a report in words, for the page."""

from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop, ngettext

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
from pairselect.pools.words import localised, percent, whole

UNITS = (gettext_noop("tokens"), gettext_noop("characters"))  # of facts.Histogram
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
        length_unit=gettext(lengths["histogram"]["unit"]) if lengths else "",
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
        missing=gettext(facts["no_geometry"]) if facts["no_geometry"] else "",
        sampled=_sampled(geometry) if geometry else "",
    )


def _more(more: MoreFacts) -> More:
    counts, share, half = more["counts"], more["share"], more["half"]
    fall = 1 - share[-1] / share[half]
    steps = {"few": counts[half], "many": counts[-1]}
    statement = gettext(
        "%(many)s completions a prompt instead of %(few)s lower the predicted objective by "
        "%(share)s; lower is better."
    ) % (steps | {"share": percent(fall)})
    remark = ""
    if fall >= MUCH:
        remark = gettext(
            "Going from %(few)s to %(many)s still helps much: even more completions may be worth "
            "generating."
        )
    elif fall < LITTLE:
        remark = gettext(
            "Going from %(few)s to %(many)s hardly helps: a second model or another system prompt "
            "may give more to choose from."
        )
    return More(statement, remark % steps, _method(more), draw_more(more))


def _method(more: MoreFacts) -> str:
    if more["draws"] == 1:
        said = ngettext(
            "The objective Φ of %(labels)s label, one a prompt, chosen from so many completions of "
            "each, in percent of Φ with two, where there is nothing to choose.",
            "The objective Φ of %(labels)s labels, one a prompt, chosen from so many completions "
            "of each, in percent of Φ with two, where there is nothing to choose.",
            more["budget"],
        )
    else:
        said = ngettext(
            "The objective Φ of %(labels)s label, one a prompt, chosen from so many completions of "
            "each, the mean of %(draws)s draws, in percent of Φ with two, where there is nothing "
            "to choose.",
            "The objective Φ of %(labels)s labels, one a prompt, chosen from so many completions "
            "of each, the mean of %(draws)s draws, in percent of Φ with two, where there is "
            "nothing to choose.",
            more["budget"],
        )
    bound = gettext(
        "Every choice is at most %(gap)s above the best possible; more than %(most)s completions "
        "have not been tried."
    )
    first = said % {"labels": whole(more["budget"]), "draws": more["draws"]}
    return f"{first} {bound % {'gap': percent(more['gap']), 'most': more['counts'][-1]}}"


def _source(source: SourceFacts) -> SourceRow:
    total = source["completions"]
    length = source["characters"] if source["tokens"] is None else source["tokens"]
    return SourceRow(
        label=source["label"],
        completions=total,
        length=whole(round(length)),
        cut=percent(source["cut"] / total),
        distinct=percent(source["distinct"] / total),
        spread="–" if source["spread"] is None else localised(f"{source['spread']:.2f}"),
        identity=whole(source["identity"]),
    )


def _identity(facts: Facts) -> str:
    identity = facts["identity"]
    listed = ngettext("%(number)s phrase", "%(number)s phrases", identity["phrases"])
    listed %= {"number": whole(identity["phrases"])}
    said = [gettext("None of the %(phrases)s in %(file)s occurs.")]
    if identity["completions"]:
        said = [
            ngettext(
                "%(number)s completion has one of the %(phrases)s in %(file)s.",
                "%(number)s completions have one of the %(phrases)s in %(file)s.",
                identity["completions"],
            )
        ]
    said[0] %= {"phrases": listed, "file": FILE, "number": whole(identity["completions"])}
    if skipped := identity["skipped"]:
        unused = ngettext(
            "%(number)s line of that file could not be used%(which)s.",
            "%(number)s lines of that file could not be used%(which)s.",
            skipped,
        )
        said.append(unused % {"number": whole(skipped), "which": _which(identity)})
    said.append(gettext("The file is in the data folder: edit it, and have the report made again."))
    return " ".join(said)


def _which(identity: IdentityFacts) -> str:
    lines = identity.get("skipped_lines", [])  # which reports made earlier lack
    if not lines:
        return ""
    more = identity["skipped"] - len(lines)
    line = gettext("line %(number)s %(why)s")
    said = [line % {"number": whole(one["line"]), "why": one["why"]} for one in lines]
    if more:
        said.append(gettext("and %(number)s more") % {"number": whole(more)})
    return ": " + "; ".join(said)


def _example(example: Example) -> tuple[str, str]:
    where = gettext("prompt %(prompt)s, completion %(completion)s") % {
        "prompt": whole(example["position"] + 1),
        "completion": whole(example["index"] + 1),
    }
    return where, example["excerpt"]


def _narrowest(geometry: GeometryFacts) -> list[PromptRow]:
    return [
        PromptRow(
            number=one["position"] + 1,
            excerpt=one["excerpt"],
            widest=localised(f"{one['widest']:.2f}"),
            is_narrow=one["widest"] < geometry["narrow_threshold"],
        )
        for one in geometry["narrowest"]
    ]


def _narrow_hint(geometry: GeometryFacts) -> str:
    said = gettext(
        "The widest pair of a prompt over the median pair of the pool, by the distance of their "
        "features. Below %(threshold)s even the best label of a prompt carries under %(share)s of "
        "the usual information."
    )
    threshold = geometry["narrow_threshold"]
    return said % {
        "threshold": localised(f"{threshold:g}"),
        "share": localised(f"{threshold**2:.0%}"),
    }


def _sampled(geometry: GeometryFacts) -> str:
    if geometry["prompts"] == geometry["of_prompts"]:
        return ""
    said = gettext(
        "What the features say is of %(number)s of the %(prompts)s prompts, drawn at random with a "
        "fixed seed."
    )
    return said % {
        "number": whole(geometry["prompts"]),
        "prompts": whole(geometry["of_prompts"]),
    }
