"""The words that go with an export: its dataset card and its acceptance report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotate.exporting.columns import Type, features
from annotate.exporting.formats import FORMATS, Rows
from annotate.exporting.options import Extra, OneRow

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
FILTERS = {
    "undecided": _("no answer has more than half of the pair's labels"),
    "flagged": _("the pair has an open flag"),
    "min_agreement": _("too little agreement on the pair"),
    "min_posterior": _("too little posterior probability of the chosen text"),
    "max_per_prompt": _("over the prompt's number of rows"),
}
MADE_OF = {
    Rows.LABELS: "One row for {one}, that says which text is better.",
    Rows.EDITS: "One row for each edit.",
    Rows.EDIT_PAIRS: "One row for each edit and each text that it is better than.",
    Rows.BAD_TEXTS: "One row for each text of a pair of which both were called bad.",
}
EACH = {
    OneRow.LABEL: "each label",
    OneRow.MAJORITY: "each pair, by what most of its labels say",
    OneRow.POSTERIOR: "each pair, by what is the likelier",
}
ABOUT = {
    Extra.TIES: "pairs whose texts were called equally good",
    Extra.BOTH_BAD: "pairs whose texts were both called bad",
    Extra.EDITS: "edited texts over the texts that they improve",
    Extra.JUDGEMENTS: "every answer as it was given, checks, withdrawn ones and machines' marked",
}
Config = tuple[str, dict[str, str], Mapping[str, Type]]  # name, {split: file}, columns


def card(report: Mapping[str, Any], configs: Sequence[Config]) -> str:
    """README.md: front matter by which ``load_dataset`` reads the folder, and a few sentences."""
    rows = report["rows"].get("train", 0) + report["rows"].get("test", 0)
    size = next((name for limit, name in SIZES if rows < limit), "n>10M")
    names = [one["name"] for one in report["campaigns"]]
    front = {
        "pretty_name": names[-1],
        "size_categories": [size],
        "tags": ["preference", "human-feedback", "dpo"],
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": split, "path": path} for split, path in files.items()],
            }
            for name, files, _ in configs
        ],
        "dataset_info": [
            {"config_name": name, "features": features(columns)} for name, _, columns in configs
        ],
    }
    form = FORMATS[report["format"]]
    made_of = MADE_OF[form.rows].format(one=EACH[OneRow(report["options"]["one_row"])])
    machines = report["options"]["machines"]
    whose = "Preferences of people and machines" if machines else "Human preferences"
    lines = ["---"]
    lines += [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in front.items()]
    lines += ["---", "", f"# {_plain(names[-1])}", ""]
    lines += [
        f"{whose} in the format `{form.name}`, for {form.trainer}. {made_of} "
        "`metadata` says of each row how its pair was chosen, where its texts come from, and "
        "what was answered. Annotators are pseudonyms.",
        "",
        *_table(("file", "rows"), [(name, f"{n:,}") for name, n in report["rows"].items()]),
        "",
    ]
    extras = [f"- `{name}`: {ABOUT[Extra(name)]}." for name, *_ in configs if name != "default"]
    lines += [*extras, ""] if extras else []
    if form.name == "kto":
        lines += ["Every row is undesirable: that one text is better makes neither good.", ""]
    lines += [
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("path/to/this/folder")',
        "```",
        "",
        "How far these labels can be trusted is in [acceptance.md](acceptance.md), as numbers in "
        "`report.json`. `sha256sum -c SHA256SUMS` checks the files.",
        "",
    ]
    return "\n".join(lines)


def acceptance(report: Mapping[str, Any]) -> str:
    """acceptance.md: the report in words."""
    answers, options = report["answers"], report["options"]
    lines = [f"# Acceptance report: {_plain(report['campaigns'][-1]['name'])}", ""]
    lines += [f"Format `{report['format']}`, made {report['made_at']}.", "", "## Rows", ""]
    lines += _table(("part", "rows"), [(name, f"{n:,}") for name, n in report["rows"].items()])
    lines += ["", "## Labels", ""]
    lines += _table(
        ("", "number"),
        [
            ("pairs with a label", f"{answers['pairs']:,}"),
            ("labels", f"{answers['labels']:,}"),
            ("of them for one text", f"{answers['decided']:,}"),
            ("ties", f"{answers['ties']:,}"),
            ("both bad", f"{answers['both_bad']:,}"),
            ("pairs that an adjudicator decided", f"{answers['adjudicated']:,}"),
            ("answers of machines", f"{answers['machine']:,}"),
        ],
    )
    lines += ["", "## Quality", ""]
    lines += _table(("", "share", "95% interval", "of"), list(quality_rows(report)))
    left_out = [(FILTERS[one["filter"]], one["count"]) for one in report["removed"]]
    left_out += [(one["reason"], one["count"]) for one in report["left_out"]]
    if left_out:
        lines += ["", "## Left out", ""]
        lines += _table(("because", "rows"), [(why, f"{n:,}") for why, n in left_out])
    if report["cost"]:
        lines += ["", "## Cost", ""]
        lines += _table(
            ("currency", "so far", "for a row"),
            [
                (
                    one["currency"] or "–",
                    f"{one['total']:,.2f}",
                    "–" if one["per_row"] is None else f"{one['per_row']:,.4f}",
                )
                for one in report["cost"]
            ],
        )
    lines += ["", "## How it was made", ""]
    asked = {name: value for name, value in options.items() if value not in (None, False)}
    lines += _table(
        ("option", "value"), [(name, f"`{json.dumps(value)}`") for name, value in asked.items()]
    )
    lines += ["", ", ".join(f"{name} {one}" for name, one in report["versions"].items()) + "."]
    for campaign in report["campaigns"]:
        design = campaign["design"]
        lines += [
            "",
            f"### Campaign {_plain(campaign['name'])}",
            "",
            f"Seed {campaign['seed']}; {campaign['annotators']} annotators; design "
            f"{_plain(design['name'])}: {design['strategy']}, {design['budget']:,} pairs, seed "
            f"{design['seed']}; pool {_plain(campaign['pool'])}.",
        ]
        for one in campaign["guidelines"]:
            text = "\n".join(f"> {line}".rstrip() for line in one["text"].splitlines())
            lines += ["", f"Guidelines, version {one['version']}, since {one['since']}:", "", text]
    return "\n".join([*lines, ""])


NAMES = {
    "consistency": _("a silent repeat is answered as before"),
    "gold": _("a gold pair is answered rightly"),
    "left": _("the left text is the better one"),
    "longer": _("the chosen text is the longer one, in characters"),
    "markdown": _("the chosen text is the one with Markdown, where one has it"),
}


def quality_rows(report: Mapping[str, Any]) -> Iterable[tuple[str | Promise, str, str, str]]:
    """Each share of the report as words: what, how much, between what, of how many."""
    found = report["agreement"]
    of = f"{found['pairs']:,} pairs"
    if one := found["percent"]:
        yield (
            _("two labels of a pair say the same"),
            f"{one['value']:.1%}",
            f"{one['low']:.1%} to {one['high']:.1%}",
            of,
        )
    if one := found["alpha"]:
        yield (
            _("Krippendorff’s α of the labels"),
            f"{one['value']:.2f}",
            f"{one['low']:.2f} to {one['high']:.2f}",
            of,
        )
    for name, words in NAMES.items():
        one = report[name]
        if not one["total"]:
            continue
        value = one["count"] / one["total"]
        yield (
            words,
            f"{value:.1%}",
            f"{one['low']:.1%} to {one['high']:.1%}",
            f"{one['total']:,}",
        )


def _table(head: Sequence[str], rows: Sequence[Sequence[str | Promise]]) -> list[str]:
    marks = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, marks, *rows)]


def _plain(name: str) -> str:
    """A name as a line of Markdown: no markup of its own."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|!" else c for c in " ".join(name.split()))
