"""How the form for a design is laid out: what everybody fills in, and what most never touch."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.utils.translation import gettext

from pairselect.core import STRATEGIES, Strategy
from pairselect.designs.budgeting import BUDGET_FIELDS, BudgetForm

MAIN = ("pool", "name")
COMMON = ("trace", "trace_weighted", "uniform")  # the other strategies are for comparison


@dataclass(frozen=True)
class StrategyRow:
    radio: BoundWidget
    strategy: Strategy

    @property
    def summary(self) -> str:
        return gettext(self.strategy.summary)

    @property
    def needs_scores(self) -> bool:
        return "scores" in self.strategy.needs


class GroupedForm(BudgetForm):
    def common_strategies(self) -> Iterator[StrategyRow]:
        return (row for row in self._strategies() if row.strategy.name in COMMON)

    def other_strategies(self) -> Iterator[StrategyRow]:
        return (row for row in self._strategies() if row.strategy.name not in COMMON)

    @property
    def other_is_chosen(self) -> bool:
        return self["strategy"].value() not in COMMON

    def main_fields(self) -> list[BoundField]:
        return [self[name] for name in MAIN if name in self.fields]

    def more_fields(self) -> list[BoundField]:
        apart = (*MAIN, *BUDGET_FIELDS, "strategy")
        return [self[name] for name in self.fields if name not in apart]

    @property
    def more_is_open(self) -> bool:
        """Where an error, or a setting that is not the usual one, would be out of sight."""
        return any(
            field.errors
            or field.field.has_changed(
                field.field.initial, self.initial.get(field.name, field.field.initial)
            )
            for field in self.more_fields()
        )

    def _strategies(self) -> Iterator[StrategyRow]:
        for radio in self["strategy"]:
            yield StrategyRow(radio, STRATEGIES[str(radio.data["value"])])
