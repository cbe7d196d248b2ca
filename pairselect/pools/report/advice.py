"""What an admin should know of a pool before its labels are paid for, the costliest first."""

from collections.abc import Iterator

from pairselect.pools.report.facts import Facts
from pairselect.pools.report.words import count, percent

MUCH_CUT = 0.05
MANY_REPEATED = 0.1
MANY_NEAR = 0.1


def advice(facts: Facts) -> Iterator[str]:
    texts, geometry = facts["texts"], facts["geometry"]
    total = texts["completions"]
    if not total:
        yield "The pool has no completions."
        return
    yield from _cut(facts)
    if identity := facts["identity"]["completions"]:
        yield (
            f"{_of(identity, total)} who or what wrote them: people would judge the name, and the "
            "trained model would learn to say it."
        )
    if texts["without_choice"]:
        share = percent(texts["without_choice"] / texts["prompts"])
        have = "has" if texts["without_choice"] == 1 else "have"
        yield (
            f"{texts['without_choice']:,} of {texts['prompts']:,} prompts ({share}) {have} no two "
            "distinct completions: no label can be bought there."
        )
    repeated = 1 - texts["distinct"] / total
    if repeated > MANY_REPEATED:
        yield (
            f"{percent(repeated)} of the completions repeat another of their prompt: a higher "
            "temperature or a second model would give more to choose from."
        )
    if texts["empty"]:
        said = f"{count(texts['empty'], 'completion')} ({percent(texts['empty'] / total)})"
        yield f"{said} {'is' if texts['empty'] == 1 else 'are'} empty."
    if geometry is None:
        return
    if geometry["near_share"] > MANY_NEAR:
        yield (
            f"{percent(geometry['near_share'])} of the pairs are near-duplicates by their "
            "features: there is less to choose from than it seems."
        )
    if geometry["narrow"]:
        are, their = ("is", "its") if geometry["narrow"] == 1 else ("are", "their")
        yield (
            f"{geometry['narrow']:,} of {geometry['prompts']:,} prompts {are} too narrow to be "
            f"worth a label: {their} completions hardly differ."
        )


def _cut(facts: Facts) -> Iterator[str]:
    texts = facts["texts"]
    share = texts["finish"].get("length", 0) / texts["completions"]
    if share <= MUCH_CUT:
        return
    limit = facts["most_tokens"]
    at = f" at {limit:,} tokens" if limit else " short"
    yield (
        f"{percent(share)} of the completions were cut{at}: people would compare answers without "
        "an end. Allow more tokens, or ask for shorter answers."
    )


def _of(number: int, total: int) -> str:
    tell = "tells" if number == 1 else "tell"
    return f"{count(number, 'completion')} ({percent(number / total)}) {tell}"
