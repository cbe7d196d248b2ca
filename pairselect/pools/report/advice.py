"""What an admin should know of a pool before its labels are paid for, the costliest first."""

from collections.abc import Iterator

from django.utils.translation import gettext, ngettext

from pairselect.pools.report.facts import Facts
from pairselect.pools.words import percent, whole

MUCH_CUT = 0.05
MANY_REPEATED = 0.1
MANY_NEAR = 0.1


def advice(facts: Facts) -> Iterator[str]:
    texts, geometry = facts["texts"], facts["geometry"]
    total = texts["completions"]
    if not total:
        yield gettext("The pool has no completions.")
        return
    yield from _cut(facts)
    if identity := facts["identity"]["completions"]:
        said = ngettext(
            "%(number)s completion (%(share)s) tells who or what wrote them: people would judge "
            "the name, and the trained model would learn to say it.",
            "%(number)s completions (%(share)s) tell who or what wrote them: people would judge "
            "the name, and the trained model would learn to say it.",
            identity,
        )
        yield said % {"number": whole(identity), "share": percent(identity / total)}
    if texts["without_choice"]:
        said = ngettext(
            "%(number)s of %(prompts)s prompts (%(share)s) has no two distinct completions: no "
            "label can be bought there.",
            "%(number)s of %(prompts)s prompts (%(share)s) have no two distinct completions: no "
            "label can be bought there.",
            texts["without_choice"],
        )
        yield said % {
            "number": whole(texts["without_choice"]),
            "prompts": whole(texts["prompts"]),
            "share": percent(texts["without_choice"] / texts["prompts"]),
        }
    repeated = 1 - texts["distinct"] / total
    if repeated > MANY_REPEATED:
        said = gettext(
            "%(share)s of the completions repeat another of their prompt: a higher temperature or "
            "a second model would give more to choose from."
        )
        yield said % {"share": percent(repeated)}
    if texts["empty"]:
        said = ngettext(
            "%(number)s completion (%(share)s) is empty.",
            "%(number)s completions (%(share)s) are empty.",
            texts["empty"],
        )
        yield said % {"number": whole(texts["empty"]), "share": percent(texts["empty"] / total)}
    if geometry is None:
        return
    if geometry["near_share"] > MANY_NEAR:
        said = gettext(
            "%(share)s of the pairs are near-duplicates by their features: there is less to choose "
            "from than it seems."
        )
        yield said % {"share": percent(geometry["near_share"])}
    if geometry["narrow"]:
        said = ngettext(
            "%(number)s of %(prompts)s prompts is too narrow to be worth a label: its completions "
            "hardly differ.",
            "%(number)s of %(prompts)s prompts are too narrow to be worth a label: their "
            "completions hardly differ.",
            geometry["narrow"],
        )
        yield said % {"number": whole(geometry["narrow"]), "prompts": whole(geometry["prompts"])}


def _cut(facts: Facts) -> Iterator[str]:
    texts = facts["texts"]
    share = texts["finish"].get("length", 0) / texts["completions"]
    if share <= MUCH_CUT:
        return
    limit = facts["most_tokens"]
    said = gettext(
        "%(share)s of the completions were cut short: people would compare answers without an "
        "end. Allow more tokens, or ask for shorter answers."
    )
    if limit:
        said = gettext(
            "%(share)s of the completions were cut at %(limit)s tokens: people would compare "
            "answers without an end. Allow more tokens, or ask for shorter answers."
        )
    yield said % {"share": percent(share), "limit": whole(limit or 0)}
