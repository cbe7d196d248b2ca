"""What the commands share: options, the product's pool, the experiments, the page."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.proof import report
from benchmarks.proof.experiments import (
    CORRELATIONS,
    FEATURE_PLANS,
    GAP_BASE,
    KIND_PLANS,
    KINDS,
    LORA_PLANS,
    NOISE_PLANS,
    POLICY_PLANS,
    Named,
    gap_plans,
    main_plans,
    noisy,
    paper_plans,
    prior_plans,
    settings_plans,
)
from benchmarks.proof.features import DESIGNED_ON, Shelf
from benchmarks.proof.learner import Learner, RewardLearner
from benchmarks.proof.lora import PROMPT_CHARACTERS, RANK, LoraLearner
from benchmarks.proof.measuring import Bench
from benchmarks.proof.pools import EMBEDDED, Workshop, setup
from benchmarks.proof.records import Results
from benchmarks.proof.sources import Source

SEEDS = 20
DEFAULT_FEATURES = "mean_middle"
COMPARED = (
    "last_token",
    "output_sketch",
    "mean_layer_8",
    "mean_middle",
    "mean_layer_22",
    "mean_layer_30",
    "mean_middle@clip=none",
    "mean_middle@no_length",
    "mean_layer_8+mean_middle+mean_layer_22",
    "length",
    "tfidf",
)


@dataclass(frozen=True)
class Setting:
    """A page: its name, its title, how its file is read, and what its tables are made of."""

    name: str
    title: str
    read: Callable[[Path, int], Source]
    introduction: Callable[[Source], str]
    figure: str
    questions: int = 0  # of the file, the first ones; 0 for all
    labels: tuple[str, ...] = ("25% flipped",)  # of other quality, of `relabelled`


def options(setting: Setting) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.proof.{setting.name}")
    parser.add_argument("file", type=Path, help="the data, as JSON lines, gzip or plain")
    parser.add_argument("--folder", type=Path, default=Path("data/proof") / setting.name)
    parser.add_argument(
        "--questions", type=int, default=setting.questions, help="the first ones of the file alone"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", choices=list(EXPERIMENTS), action="append")
    parser.add_argument("--main-features", default=DEFAULT_FEATURES, help="of main and gap")
    parser.add_argument("--features", nargs="*", default=list(COMPARED), help="that are compared")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="against the first")
    parser.add_argument("--encoder", type=Path, help="a sentence encoder's folder")
    parser.add_argument("--ties", choices=("half", "dropped"), default="half")
    parser.add_argument("--output", type=Path, default=Path("docs/proof"))
    parser.add_argument("--page", default=setting.name, help="what files and title begin with")
    return parser


def run(setting: Setting, arguments: list[str] | None = None) -> None:
    o = options(setting).parse_args(arguments)
    if o.encoder:
        o.features.append("encoder")
    source = setting.read(o.file, o.questions)
    workshop = Workshop(o.folder, source.questions)
    workshop.import_pool()
    names = [DEFAULT_FEATURES, o.main_features]
    if "features" in (o.only or USUAL):
        names += o.features
    if "kinds" in (o.only or USUAL):
        names += o.kinds
    by_model: dict[str, set[str]] = {}
    for model, kind in (one for name in names for one in kinds_of(name)):
        by_model.setdefault(model, set()).add(kind)
    for model, kinds in by_model.items():
        workshop.extract(sorted(kinds), model)
    shelf = Shelf(source, workshop, o.encoder)
    results = Results(o.folder / "results.jsonl")
    mark = hashlib.sha256(orjson.dumps(source.preferred.tolist())).hexdigest()[:12]

    data = f"{workshop.name}:{mark}"
    make = Maker(shelf, results, data, o.seeds, Learner(ties=o.ties), setting.labels)
    o.output.mkdir(parents=True, exist_ok=True)
    for name in o.only or USUAL:
        title, experiment = EXPERIMENTS[name]
        page = o.page if name == "main" else f"{o.page}-{name}"
        body = experiment(make, o, o.output / f"{o.page}.svg")
        other = "" if o.page == setting.name else f" ({o.page})"
        text = f"# {setting.title}{other}{title}\n\n{command(setting, name, o)}\n\n"
        if name == "main":
            text += f"{setting.introduction(source)}\n\n![{setting.figure}]({o.page}.svg)\n\n"
        (o.output / f"{page}.md").write_text(text + body)


def command(setting: Setting, name: str, o: argparse.Namespace) -> str:
    """What made the page."""
    usual = options(setting).parse_args(["FILE"])
    said = [f"python -m benchmarks.proof.{setting.name} FILE --only {name}"]
    if o.questions != usual.questions:
        said.append(f"--questions {o.questions}")
    if o.seeds != usual.seeds:
        said.append(f"--seeds {o.seeds}")
    if o.main_features != usual.main_features and name != "features":
        said.append(f"--main-features {o.main_features}")
    if o.kinds != usual.kinds and name == "kinds":
        said.append(shlex.join(["--kinds", *o.kinds]))
    if o.page != usual.page:
        said.append(f"--page {o.page}")
    if o.ties != usual.ties:
        said.append(f"--ties {o.ties}")
    return (
        f"`{' '.join(said)}`: {o.seeds} seeds; in brackets and as bands 95% intervals (bootstrap "
        "over seeds and over prompts; plans are paired)."
    )


@dataclass(frozen=True)
class Maker:
    """Benches on one source, by the name of their features."""

    shelf: Shelf
    results: Results
    data: str
    seeds: int
    learner: Learner
    labels: tuple[str, ...]

    def __call__(
        self, features: str, learner: RewardLearner | None = None, labels: str = ""
    ) -> Bench:
        task, learner = self.shelf.task(features), learner or self.learner
        return Bench(task, self.data, features, self.results, self.seeds, learner, labels)


def measured(bench: Bench, plans: Mapping[str, Named]) -> None:
    bench.measure(
        {name: one.plan for name, one in plans.items()},
        {name: report.used(bench, one) for name, one in plans.items()},
    )


def main_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    bench = make(o.main_features)
    plans = main_plans(bench.task.at_hand)
    measured(bench, plans)
    return (
        report.main_section(bench, plans, figure)
        + "\nThe receipt's prediction of the label ratio, the mean over three seeds, beside what "
        "came of it:\n\n" + report.receipt_section(bench, plans)
    )


def features_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    benches = {name: make(name) for name in o.features}
    for one in benches.values():
        measured(one, FEATURE_PLANS)
    return (
        "Held-out accuracy of the fitted reward by what it sees (`docs/design.md` has the kinds, "
        "`benchmarks/proof/features.py` the others), and what the design, randomized, adds to it."
        "\n\n" + report.features_section(benches, FEATURE_PLANS)
    )


def kinds_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    benches = {name: make(name) for name in o.kinds}
    for one in benches.values():
        measured(one, KIND_PLANS)
    return (
        "The exact trace design with its prior, on each kind of features, and the fit on the same, "
        "or on those in front of `designed on`. "
        f"Below the accuracy with `{o.kinds[0]}` differences to it.\n\n"
        + report.kinds_section(benches, KIND_PLANS)
    )


def policy_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    bench = make(o.main_features)
    measured(bench, POLICY_PLANS)
    figure = figure.with_stem(f"{figure.stem}-policy")
    return (
        "What a policy gains that follows the fitted reward: on held-out prompts it draws among "
        "the completions that the reference wrote, with probabilities in proportion to exp(reward "
        "/ β). That is what DPO comes to where log-probabilities are linear in the features, on "
        "these samples. β is such that the policies compared have the same KL to the reference, "
        "the mean over prompts; the gain is in the true score, over the reference's own.\n\n"
        f"![Gain in the true score by KL]({figure.name})\n\n"
        + report.policy_section(bench, POLICY_PLANS, figure)
    )


def noise_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    parts = []
    for labels in make.labels:
        bench = make(o.main_features, labels=labels)
        measured(bench, NOISE_PLANS)
        parts.append(f"## {labels}\n\n{report.gains_section(bench, NOISE_PLANS)}")
    return (
        "What a policy gains, as on the page about that, from labels of another quality than the "
        "data's own: `noise-free` ones prefer the higher true score, `bradley-terry` ones follow "
        "it with its probability, and of `25% flipped` ones a quarter is turned round. Whatever "
        "chance decides of them is drawn anew for each seed. The gain is in the true score.\n\n"
        + "\n".join(parts)
    )


def paper_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    drawn = "bradley-terry" if "bradley-terry" in make.labels else ""
    bench = make(o.main_features, labels=drawn)
    parts = []
    for within, said in PAPER.items():
        plans = paper_plans(within)
        measured(bench, plans)
        parts.append(f"{said}\n\n{report.paper_section(bench, plans)}")
    return (
        "The two settings of the paper, in each of which labels may be spent in one way alone, and "
        "in the last rows of each table what as many labels do where any pair of any prompt may be "
        "chosen. Which two completions and which n prompts is drawn by the seed"
        + (", Bradley–Terry labels too" if drawn else "")
        + "; designs take the spread of all completions for their target.\n\n"
        + "\n".join(parts)
    )


PAPER = {
    "prompts": "## Which prompts\n\nTwo completions of each prompt may be compared.",
    "responses": "## Which responses\n\nFor n labels one pair of each of n prompts is compared.",
}


def lora_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    setup(o.folder)
    from pairselect.pools.engine.embedded import embedded_folder

    learner = LoraLearner(embedded_folder(o.folder), make.shelf.source.questions)
    bench = make(o.main_features, learner)
    bench.measure(
        {name: one.plan for name, one in LORA_PLANS.items()},
        {name: bench.below(one.budgets) for name, one in LORA_PLANS.items()},
    )
    return (
        "The learner is the embedded model itself, SmolLM2-135M, fine-tuned on the labels: TRL's "
        f"RewardTrainer, LoRA of rank {RANK} on every linear layer, {learner.epochs} passes at a "
        f"rate of {learner.rate:g}, {learner.batch} pairs a step. It reads the last "
        f"{PROMPT_CHARACTERS} characters of the prompt, and the completion. Designs are made on "
        f"`{o.main_features}`, as elsewhere.\n\n" + report.lora_section(bench, LORA_PLANS)
    )


def gap_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    bench = make(o.main_features)
    scores = [*(noisy(c) for c in CORRELATIONS), *bench.task.at_hand]
    measured(bench, GAP_BASE)
    for score in scores:
        measured(bench, gap_plans(score))
    return (
        "First row: the accuracy of the trace design without a score; below it differences to "
        "that. All designs are randomized. The weights are those of [theory.md](theory.md).\n\n"
        + report.gap_section(bench, scores)
    )


def prior_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    bench, plans = make(o.main_features), prior_plans()
    measured(bench, plans)
    return (
        "The exact trace design with a prior on θ: the standard deviation that a random pair's "
        "logit has under it. Without one every direction that the design sees is worth labels, "
        "with one only those that tell more than the prior does.\n\n"
        + report.prior_section(bench, plans)
    )


def settings_experiment(make: Maker, o: argparse.Namespace, figure: Path) -> str:
    bench, plans = make(o.main_features), settings_plans()
    measured(bench, plans)
    return (
        "The exact trace design with a prior of 0.5, half as many dimensions as labels, and one of "
        "its settings changed at a time.\n\n" + report.prior_section(bench, plans)
    )


Experiment = Callable[[Maker, argparse.Namespace, Path], str]
EXPERIMENTS: dict[str, tuple[str, Experiment]] = {
    "main": ("", main_experiment),
    "features": (": what features carry", features_experiment),
    "kinds": (": the default on other features", kinds_experiment),
    "policy": (": what a policy gains", policy_experiment),
    "noise": (": labels of other quality", noise_experiment),
    "paper": (": the paper's settings", paper_experiment),
    "lora": (": a fine-tuned reward model", lora_experiment),
    "gap": (": score gap and design", gap_experiment),
    "prior": (": a prior in the design", prior_experiment),
    "settings": (": one setting at a time", settings_experiment),
}
# Fine-tuning a model for each measurement takes hours on a CPU: only where it is asked for.
USUAL = [name for name in EXPERIMENTS if name != "lora"]


def kinds_of(name: str) -> set[tuple[str, str]]:
    """The product's kinds of features that a name needs: (model, kind)."""
    found = set()
    parts = [part for one in name.split(DESIGNED_ON) for part in one.partition("@")[0].split("+")]
    for part in parts:
        if part not in ("length", "tfidf", "encoder"):
            model, _, kind = part.rpartition(":")
            found.add((model or EMBEDDED, kind))
    return found
