"""The page: what was run, the tables, the figures."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import orjson
import torch

from benchmarks.proof.sentiment.frontier import (
    Frontier,
    equal_kl,
    frontier,
    ratio_of_labels,
)
from benchmarks.proof.sentiment.pools import Material
from benchmarks.proof.sentiment.runs import Bench, Measured, runs_of, tried
from benchmarks.proof.sentiment.scales import PLANS, Learning
from benchmarks.proof.statistics import Estimate, estimate
from benchmarks.proof.tables import LEARNT, plain, table

Place = tuple[str, str, int]  # part, labels, budget
SHOWN = {
    "uniform": ("#555555", "-", "o"),
    "first_two": ("#8a6d3b", "-", "^"),
    "vertex": ("#D55E00", "-", "s"),
    "trace": ("#0072B2", "-", "o"),
    "weighted_noisy": ("#009E73", "--", "o"),
}


@dataclass
class Page:
    """What the results of a scale say."""

    bench: Bench
    searched: Bench
    learning: Learning
    folder: Path

    @cached_property
    def policies(self) -> dict[Place, dict[str, dict[float, list[Measured]]]]:
        """By place, plan and β, where every seed has been measured."""
        found: dict[Place, dict[str, dict[float, list[Measured]]]] = {}
        for run in runs_of(self.bench.scale):
            measured = self.bench.archive.measured(self.bench.cell(run, self.learning))
            if measured is not None:
                place = found.setdefault((run.part, run.labels, run.budget), {})
                place.setdefault(run.plan, {}).setdefault(run.beta, []).append(measured)
        seeds = self.bench.scale.seeds
        for plans in found.values():
            for name, by_beta in plans.items():
                plans[name] = {b: runs for b, runs in by_beta.items() if len(runs) == seeds}
        return {
            place: {name: one for name, one in plans.items() if one}
            for place, plans in found.items()
        }

    def every(self) -> list[Measured]:
        """Whatever has been measured of this scale's runs."""
        cells = (self.bench.cell(run, self.learning) for run in runs_of(self.bench.scale))
        return [one for one in map(self.bench.archive.measured, cells) if one is not None]

    @cached_property
    def frontiers(self) -> dict[Place, dict[str, Frontier]]:
        found = {}
        for place, plans in self.policies.items():
            if len(self.reference) == self.bench.scale.seeds and plans:
                found[place] = {name: frontier(one, self.reference) for name, one in plans.items()}
        return found

    @cached_property
    def reference(self) -> list[Measured]:
        cells = [self.bench.reference_cell(s) for s in range(self.bench.scale.seeds)]
        return [one for one in map(self.bench.archive.measured, cells) if one is not None]

    def write(self, output: Path, *, command: str, machine: str = "") -> None:
        """``sentiment.md`` and its figure."""
        parts = [self.introduction(command, machine or this_machine()), *self.tables()]
        drawn = self.draw(output / "sentiment.svg")
        parts.insert(1, "![Reward and KL](sentiment.svg)\n" if drawn else "")
        (output / "sentiment.md").write_text("\n".join(part for part in parts if part))

    # --- what was run -----------------------------------------------------------------------

    def introduction(self, command: str, machine: str) -> str:
        scale, reward = self.bench.scale, self.bench.reward
        tuning = orjson.loads((self.folder / "sft" / "sft.json").read_bytes())
        file = self.folder / "seconds.json"
        seconds = orjson.loads(file.read_bytes()) if file.exists() else {}
        took = [f"{name} {value / 60:.1f}" for name, value in seconds.items() if name != "runs"]
        runs = [one.facts["seconds"] for one in self.every()]
        if runs:
            took.append(f"{len(runs)} runs {sum(runs) / 60:.0f}, one after the other")
        start = [float(one.reward.mean()) for one in self.reference]
        lines = [
            "# Sentiment\n",
            f"`{command}` on {machine}. Minutes: {', '.join(took) or 'unknown'}.\n",
            *([reduced(scale.notes)] if scale.notes else []),
            "Film reviews (Maas et al. 2011). The reference policy is SmolLM2-135M-Instruct after "
            f"{tuning['rows']:,} reviews of supervised fine-tuning: given the first {scale.words} "
            f"words, go on, to the last sentence's end within {scale.tokens} tokens (held-out loss "
            f"a token {tuning['held_out_loss_before']:.2f} before, {tuning['held_out_loss']:.2f} "
            "after). The reward of a text, beginning and continuation together, is the log-odds "
            "of a sentiment model (TF-IDF of words and pairs of words, logistic regression) "
            f"trained on the training reviews: {reward.accuracy:.3f} accuracy on held-out "
            f"reviews, {reward.accuracy_short:.3f} on as much of them as a policy writes, "
            f"standard deviation there {reward.spread:.2f}. Prompts are beginnings of held-out "
            "reviews; no review is both in a pool and in the evaluation.\n",
            self.pools_table(),
            self.search_table(),
            f"Policies are trained from the reference by TRL's DPOTrainer with β, a rate of "
            f"{self.learning.rate:g}, epochs: {self.learning.epochs}, {self.learning.batch} pairs "
            f"a step, all weights. Each writes one completion of {len(self.bench.beginnings)} "
            f"fresh prompts at temperature 1; {scale.seeds} seeds of labels, choices, training "
            "and evaluation; the pool and the reference are the same for all. KL is the "
            "sequence's: the mean of log π(y|x) − log π_ref(y|x), ± its standard error. In "
            "brackets 95% intervals (bootstrap over seeds and, crossed, over prompts; so few seeds "
            "make them too narrow rather than too wide)."
            + (f" The reference's own mean reward is {np.mean(start):+.2f}.\n" if start else "\n"),
        ]
        return "\n".join(lines)

    def pools_table(self) -> str:
        rows = []
        for one in self.bench.materials.values():
            rows.append(
                [
                    one.part.title,
                    f"{one.pool(4).n_pairs:,}",
                    f"{one.reward.mean():+.2f}",
                    f"{np.sqrt(one.within().mean()):.2f}",
                    f"{coin(one):.3f}",
                    f"{one.ended.mean():.0%}",
                ]
            )
        head = ["pool", "pairs", "mean reward", "its deviation within a prompt"]
        head += ["a label agrees with the reward", "ended by itself"]
        return table(head, rows)

    def search_table(self) -> str:
        asked = self.bench.scale.search
        found = tried(self.searched)
        if not found:
            return ""
        rows = [
            [
                f"{one.rate:g}",
                str(one.epochs),
                f"{r:+.3f}",
                f"{kl:.2f}",
                f"{r - asked.beta * kl:+.3f}",
            ]
            for one, r, kl in found
        ]
        head = ["rate", "epochs", "reward", "KL", f"reward − {asked.beta:g}·KL"]
        return (
            f"What DPO is run with was chosen beforehand, on {asked.budget} uniform labels of "
            f"another seed and {asked.prompts} other prompts, at β = {asked.beta:g}:\n\n"
            + table(head, rows)
        )

    # --- what came of it --------------------------------------------------------------------

    def tables(self) -> list[str]:
        found = []
        for place, plans in self.frontiers.items():
            if "uniform" in plans and len(plans) > 1:
                found.append(self.comparison(place, plans))
        found.extend(self.label_ratios())
        return found

    def comparison(self, place: Place, plans: Mapping[str, Frontier]) -> str:
        part, labels, budget = place
        beta = self.bench.scale.main_beta
        level = equal_kl(list(plans.values()))
        uniform = plans["uniform"]
        rows = []
        for name in PLANS:
            if name not in plans:
                continue
            one, is_uniform = plans[name], name == "uniform"
            k = one.betas.index(beta)
            objective, at = one.objective(beta), one.at(level)
            if not is_uniform:
                objective = objective - uniform.objective(beta)
                at = at - uniform.at(level)
            rows.append(
                [
                    PLANS[name][0],
                    f"{self.fact(place, name, 'agreement'):.3f}",
                    plain(estimate(one.reward[k]), 2, sign=True),
                    f"{one.kl[k, 0]:.2f} ± {one.kl_error[k]:.2f}",
                    plain(estimate(objective), 3, sign=True),
                    plain(estimate(at), 3, sign=True),
                ]
            )
        title = self.bench.scale.parts[part].title
        head = ["", "labels right", f"reward, β = {beta:g}", "KL"]
        head += [f"reward − {beta:g}·KL", f"reward at KL = {level:.2f}"]
        return (
            f"## {title}: {budget:,} labels, {labels}\n\nThe last two columns: uniform's own, "
            "then each plan's difference to it. “Labels right”: the share that prefers the higher "
            "reward.\n\n" + table(head, rows)
        )

    def fact(self, place: Place, plan: str, name: str) -> float:
        runs = self.policies[place][plan][self.bench.scale.main_beta]
        return float(np.mean([one.facts[name] for one in runs]))

    def label_ratios(self) -> list[str]:
        beta, found = self.bench.scale.main_beta, []
        for part, labels in dict.fromkeys((p, kind) for p, kind, _ in self.frontiers):
            by_budget = {
                n: f for (p, k, n), f in self.frontiers.items() if (p, k) == (part, labels)
            }
            uniform = {
                n: f["uniform"].objective(beta) for n, f in by_budget.items() if "uniform" in f
            }
            if len(uniform) < 2:
                continue
            start = next(iter(by_budget.values()))["uniform"].start[0]
            top = max(one[0] for one in uniform.values())
            budgets = [n for n, plans in sorted(by_budget.items()) if len(plans) > 1]
            rows = []
            for name in PLANS:
                if name == "uniform" or not any(name in by_budget[n] for n in budgets):
                    continue
                cells = [PLANS[name][0]]
                for n in budgets:
                    one = by_budget[n].get(name)
                    level = None if one is None else one.objective(beta)
                    if level is None or level[0] - start < LEARNT * (top - start):
                        cells.append("–")
                    else:
                        cells.append(ratio_text(ratio_of_labels(level, n, uniform), n, uniform))
                rows.append(cells)
            title = self.bench.scale.parts[part].title
            found.append(
                f"## Label ratio: {title}, {labels}\n\nHow many times as many labels uniform "
                f"needs for the same reward − {beta:g}·KL (2 is half of the labels). `>`: uniform "
                "does not get there with its largest budget, `<`: it is there with its smallest. "
                "A dash: not measured, or the plan has gained less than a fifth of what uniform "
                "gains with its largest budget.\n\n"
                + table(["", *(f"{n:,} labels" for n in budgets)], rows)
            )
        return found

    def draw(self, path: Path) -> bool:
        """Frontiers, a panel for each pool, at the budget with the most policies."""
        from benchmarks.synthetic import figures

        chosen: dict[str, Place] = {}
        for place, plans in self.frontiers.items():
            size = sum(len(one.betas) for one in plans.values())
            known = chosen.get(place[0])
            if known is None or size > sum(len(f.betas) for f in self.frontiers[known].values()):
                chosen[place[0]] = place
        if not chosen:
            return False
        titles = [f"{self.bench.scale.parts[p].title.split(':')[0]}" for p in chosen]
        chart, panels = figures.panels(
            [f"{t}\n{place[2]} labels" for t, place in zip(titles, chosen.values(), strict=True)]
        )
        for axes, place in zip(panels, chosen.values(), strict=True):
            for name, style in SHOWN.items():
                one = self.frontiers[place].get(name)
                kl, rewards = ([], []) if one is None else one.points()
                drawn = one is not None or (
                    axes is panels[0] and any(name in self.frontiers[p] for p in chosen.values())
                )  # the first panel's names are those of the legend
                if drawn:
                    band = one is not None and name in ("uniform", "trace")
                    label = PLANS[name][0]
                    figures.line(axes, kl, rewards, label=label, style=style, band=band)
            axes.set_xlabel("KL to the reference, nats a sequence")
        panels[0].set_ylabel("mean reward (log-odds)")
        figures.legend(chart, panels[0])
        figures.save(chart, path)
        return True


def coin(material: Material) -> float:
    """How likely a Bradley-Terry label of a random pair agrees with the higher reward."""
    chances = []
    for rows in material.rows_of():
        gap = np.abs(material.reward[rows][:, None] - material.reward[rows][None, :])
        chances.append(1 / (1 + np.exp(-gap[np.triu_indices(rows.size, 1)])))
    return float(np.mean(np.concatenate(chances)))


def ratio_text(found: Estimate, budget: int, uniform: Mapping[int, object]) -> str:
    least, most = min(uniform) / budget, max(uniform) / budget

    def text(value: float) -> str:
        if value == 0:
            return f"<{least:.2g}"
        return f">{most:.2g}" if value == float("inf") else f"{value:.2f}"

    return f"{text(found.value)} [{text(found.low)}, {text(found.high)}]"


def reduced(notes: tuple[str, ...]) -> str:
    listed = "".join(f"- {note}\n" for note in notes)
    return f"This is the reduced setting; the full one was not run. Reduced are:\n\n{listed}"


def this_machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return (
        f"{torch.get_num_threads()} threads of a CPU ({platform.processor() or platform.machine()})"
    )
