"""What an export is asked to hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.exporting.formats import FORMATS, Format, Rows


class OneRow(models.TextChoices):
    """What there is one row for."""

    LABEL = "label", _("each label")
    MAJORITY = "majority", _("each pair: what most of its labels say")
    POSTERIOR = "posterior", _("each pair: what is the likelier, given who said what")


class Extra(models.TextChoices):
    """Further files of the folder."""

    TIES = "ties", _("ties")
    BOTH_BAD = "both_bad", _("both bad")
    EDITS = "edits", _("edits")
    JUDGEMENTS = "judgements", _("all judgements, raw")


class FileType(models.TextChoices):
    JSONL = "jsonl", "JSON Lines"
    PARQUET = "parquet", "Parquet"


class OptionRefused(ValueError):
    """An option makes no sense with another; ``field`` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Options:
    """As `Export.options` holds them, beside the format."""

    format: str = "trl"
    one_row: str = OneRow.LABEL
    rounds: bool = False  # the labels of the rounds before this campaign too
    machines: bool = False  # the answers of machines too
    min_agreement: float | None = None  # share of a pair's labels that the most frequent one has
    min_posterior: float | None = None  # P(chosen better)
    max_per_prompt: int | None = None  # rows, in the queue's order
    leave_flagged: bool = False  # leave out pairs with an open flag
    test_share: float = 0.0  # of the prompts
    seed: int = 0  # of the split
    file_type: str = FileType.JSONL
    extras: tuple[str, ...] = tuple(Extra.values)

    @property
    def wanted(self) -> Format:
        return FORMATS[self.format]

    @property
    def by_pair(self) -> bool:
        return self.one_row != OneRow.LABEL

    @property
    def needs_beliefs(self) -> bool:
        """Whether what all labels of a pair together say is looked at."""
        return self.by_pair or self.min_agreement is not None or self.min_posterior is not None

    def check(self) -> Self:
        """The same, if its parts go together.

        Raises
        ------
        OptionRefused
            With one sentence that says what to choose instead.
        """
        name, rows = self.format, self.wanted.rows
        if rows is not Rows.LABELS:
            if self.by_pair:
                raise OptionRefused(
                    "one_row",
                    f"The format {name} has rows for single answers: one row for each label.",
                )
            if self.min_posterior is not None:
                raise OptionRefused(
                    "min_posterior",
                    f"The format {name} has no chosen and rejected text that the posterior is "
                    "about: leave it empty.",
                )
        return self

    def to_json(self) -> dict[str, Any]:
        found = asdict(self) | {"extras": list(self.extras)}
        del found["format"]
        return found

    @classmethod
    def from_json(cls, form: str, options: Mapping[str, Any]) -> Self:
        """Of a stored export; one without options has a single file."""
        if not options:
            return cls(format=form, extras=())
        known = {one.name for one in fields(cls)}
        found = cls(format=form, **{name: options[name] for name in options if name in known})
        return replace(found, extras=tuple(found.extras))
