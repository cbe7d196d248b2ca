"""The lists of facts on the report's page."""

from collections.abc import Iterator
from dataclasses import dataclass

from pairselect.pools.report.facts import Facts, LengthFacts
from pairselect.pools.report.words import count, percent


@dataclass(frozen=True)
class Line:
    title: str
    value: str
    hint: str = ""


def figures(facts: Facts) -> Iterator[Line]:
    texts, geometry = facts["texts"], facts["geometry"]
    yield Line("completions", f"{texts['completions']:,}")
    if texts["completions"]:
        yield Line("of them distinct", percent(texts["distinct"] / texts["completions"]))
    choice = texts["prompts"] - texts["without_choice"]
    yield Line("prompts with a choice", f"{choice:,} of {texts['prompts']:,}")
    if geometry:
        value = f"{geometry['effective_rank']:.1f} of {geometry['dimension']}"
        yield Line("independent directions in which pairs differ", value)


def variety(facts: Facts) -> Iterator[Line]:
    texts, geometry = facts["texts"], facts["geometry"]
    repeated = texts["completions"] - texts["distinct"]
    hint = "texts that another completion of the prompt has, but for case, blanks and punctuation"
    if repeated:
        hint += f"; {texts['repeated_exactly']:,} to the letter"
    yield Line("Repeated", f"{repeated:,}", hint)
    yield Line("Empty", f"{texts['empty']:,}")
    hint = "they have no two distinct completions, so no pair to label"
    yield Line("Prompts without a choice", f"{texts['without_choice']:,}", hint)
    if geometry is None:
        return
    hint = "pairs of different texts whose features are less than "
    hint += f"{geometry['near_threshold']:.0%} of the usual distance apart"
    yield Line("Near-duplicates", percent(geometry["near_share"]), hint)
    rank = geometry["rank"]
    hint = f"of {geometry['dimension']}, over all prompts: the effective rank, which counts weak "
    hint += "directions in part"
    if rank["most"] >= 1.05:  # a single pair has one direction, whatever it is
        hint += f"; {rank['median']:.1f} within the median prompt, "
        hint += f"{rank['tenth']:.1f} to {rank['ninetieth']:.1f} in eight of ten"
    title = "Independent directions in which pairs differ"
    yield Line(title, f"{geometry['effective_rank']:.1f}", hint)
    widest = geometry["widest"]
    hint = f"of {count(geometry['prompts'], 'prompt')}: their widest pair is below "
    hint += f"{geometry['narrow_threshold']:.0%} of the median pair. The widest pair of the median "
    hint += f"prompt is {widest['median']:.1f} times the median pair"
    yield Line("Too narrow to be worth a label", f"{geometry['narrow']:,}", hint)


def lengths_in_words(
    lengths: LengthFacts, finish: dict[str, int], limit: int | None
) -> Iterator[Line]:
    tokens, characters = lengths["tokens"], lengths["characters"]
    if tokens:
        hint = f"in eight of ten {tokens['tenth']:,.0f} to {tokens['ninetieth']:,.0f}, "
        hint += f"at most {tokens['most']:,.0f}"
        if lengths["tokens_by"] == "reference":
            hint += "; by the tokens of the reference model"
        yield Line("Tokens, median", f"{tokens['median']:,.0f}", hint)
    hint = f"in eight of ten {characters['tenth']:,.0f} to {characters['ninetieth']:,.0f}, "
    hint += f"at most {characters['most']:,.0f}"
    yield Line("Characters, median", f"{characters['median']:,.0f}", hint)
    spread = lengths["spread"]
    median, ninetieth = f"{spread['median']:.1f}", f"{spread['ninetieth']:.1f}"
    hint = "in the median prompt"
    if ninetieth != median:
        hint += f"; over {ninetieth} times in one of ten"
    yield Line("Longest over shortest", f"{median} times", hint)
    total = sum(finish.values())
    said = [f"{name}: {percent(number / total)}" for name, number in finish.items()]
    hint = "“length” is the limit of tokens"
    if not limit:
        hint += "; where the file does not say, “stop”"
    yield Line("Ended by", ", ".join(said), hint)
