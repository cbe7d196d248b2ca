"""The lists of facts on the report's page."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from pairselect.pools.report.facts import Facts, LengthFacts, Quantiles
from pairselect.pools.words import localised, percent, whole


@dataclass(frozen=True)
class Line:
    title: str
    value: str
    hint: str = ""


def figures(facts: Facts) -> Iterator[Line]:
    texts, geometry = facts["texts"], facts["geometry"]
    yield Line(gettext("completions"), whole(texts["completions"]))
    if texts["completions"]:
        distinct = percent(texts["distinct"] / texts["completions"])
        yield Line(gettext("of them distinct"), distinct)
    choice = texts["prompts"] - texts["without_choice"]
    yield Line(gettext("prompts with a choice"), _of(whole(choice), whole(texts["prompts"])))
    if geometry:
        value = _of(_tenths(geometry["effective_rank"]), str(geometry["dimension"]))
        yield Line(gettext("independent directions in which pairs differ"), value)


def variety(facts: Facts) -> Iterator[Line]:
    texts, geometry = facts["texts"], facts["geometry"]
    repeated = texts["completions"] - texts["distinct"]
    hints = [
        gettext(
            "texts that another completion of the prompt has, but for case, blanks and punctuation"
        )
    ]
    if repeated:
        exactly = whole(texts["repeated_exactly"])
        hints.append(gettext("%(number)s to the letter") % {"number": exactly})
    yield Line(gettext("Repeated"), whole(repeated), "; ".join(hints))
    yield Line(gettext("Empty"), whole(texts["empty"]))
    hint = gettext("they have no two distinct completions, so no pair to label")
    yield Line(gettext("Prompts without a choice"), whole(texts["without_choice"]), hint)
    if geometry is None:
        return
    hint = gettext(
        "pairs of different texts whose features are less than %(share)s of the usual distance "
        "apart"
    )
    near = localised(f"{geometry['near_threshold']:.0%}")
    share = percent(geometry["near_share"])
    yield Line(gettext("Near-duplicates"), share, hint % {"share": near})
    rank = geometry["rank"]
    hints = [
        gettext(
            "of %(dimension)s, over all prompts: the effective rank, which counts weak directions "
            "in part"
        )
        % {"dimension": geometry["dimension"]}
    ]
    if rank["most"] >= 1.05:  # a single pair has one direction, whatever it is
        hints.append(
            gettext(
                "%(median)s within the median prompt, %(tenth)s to %(ninetieth)s in eight of ten"
            )
            % {name: _tenths(rank[name]) for name in ("median", "tenth", "ninetieth")}
        )
    title = gettext("Independent directions in which pairs differ")
    yield Line(title, _tenths(geometry["effective_rank"]), "; ".join(hints))
    hint = ngettext(
        "of %(number)s prompt: their widest pair is below %(share)s of the median pair. The widest "
        "pair of the median prompt is %(times)s times the median pair",
        "of %(number)s prompts: their widest pair is below %(share)s of the median pair. The "
        "widest pair of the median prompt is %(times)s times the median pair",
        geometry["prompts"],
    ) % {
        "number": whole(geometry["prompts"]),
        "share": localised(f"{geometry['narrow_threshold']:.0%}"),
        "times": _tenths(geometry["widest"]["median"]),
    }
    yield Line(gettext("Too narrow to be worth a label"), whole(geometry["narrow"]), hint)


def lengths_in_words(
    lengths: LengthFacts, finish: dict[str, int], limit: int | None
) -> Iterator[Line]:
    tokens, characters = lengths["tokens"], lengths["characters"]
    if tokens:
        hint = _eight_of_ten(tokens)
        if lengths["tokens_by"] == "reference":
            hint += "; " + gettext("by the tokens of the reference model")
        yield Line(gettext("Tokens, median"), whole(round(tokens["median"])), hint)
    median = whole(round(characters["median"]))
    yield Line(gettext("Characters, median"), median, _eight_of_ten(characters))
    spread = lengths["spread"]
    median, ninetieth = _tenths(spread["median"]), _tenths(spread["ninetieth"])
    hint = gettext("in the median prompt")
    if ninetieth != median:
        hint = gettext("in the median prompt; over %(number)s times in one of ten")
        hint %= {"number": ninetieth}
    times = gettext("%(number)s times") % {"number": median}
    yield Line(gettext("Longest over shortest"), times, hint)
    total = sum(finish.values())
    said = [f"{name}: {percent(number / total)}" for name, number in finish.items()]
    hint = gettext("“length” is the limit of tokens")
    if not limit:
        hint = gettext("“length” is the limit of tokens; where the file does not say, “stop”")
    yield Line(gettext("Ended by"), ", ".join(said), hint)


def _eight_of_ten(lengths: Quantiles) -> str:
    said = gettext("in eight of ten %(tenth)s to %(ninetieth)s, at most %(most)s")
    return said % {
        "tenth": whole(round(lengths["tenth"])),
        "ninetieth": whole(round(lengths["ninetieth"])),
        "most": whole(round(lengths["most"])),
    }


def _of(part: str, whole: str) -> str:
    return gettext("%(part)s of %(whole)s") % {"part": part, "whole": whole}


def _tenths(number: float) -> str:
    return localised(f"{number:.1f}")
