"""Which column of a file is what: the roles of each kind of file, and a mapping of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["prompts", "pool", "preferences"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_NAME = 500


@dataclass(frozen=True)
class Role:
    """A part that a column can play, as a form shows it. ``many``: several columns can."""

    name: str
    label: str
    help: str
    required: bool = False
    many: bool = False


_PROMPT_HELP = (
    "A text, or a conversation: a list of messages with role and content, or with from and value."
)
_PROMPT = Role("prompt", "Prompt", _PROMPT_HELP, required=True)
_INPUT = Role("input", "Input", "A text that belongs below the prompt, as in Alpaca's files.")
_SYSTEM = Role("system", "System prompt", "A text that is put before the prompt.")
_ID = Role("id", "Identifier", "A text or a whole number; kept with the prompt.")
_METADATA = Role("metadata", "Metadata", "A JSON object; kept with the prompt.")

ROLES: dict[Kind, tuple[Role, ...]] = {
    "prompts": (_PROMPT, _INPUT, _SYSTEM, _ID, _METADATA),
    "pool": (
        _PROMPT,
        _INPUT,
        _SYSTEM,
        Role(
            "completions",
            "Completions",
            "A list of texts, or of objects with text, and perhaps model and score.",
        ),
        Role("texts", "Completion texts", "Columns that each hold one completion.", many=True),
        Role("models", "Models", "What wrote the completions: one name, or a list."),
        Role("scores", "Scores", "A list of numbers, one for each completion."),
        _ID,
        _METADATA,
    ),
    "preferences": (
        Role(
            "prompt",
            "Prompt",
            _PROMPT_HELP + " Not needed where chosen and rejected are whole conversations.",
        ),
        _INPUT,
        _SYSTEM,
        Role("chosen", "Chosen", "The better completion, or the conversation that ends with it.",
             required=True),
        Role("rejected", "Rejected", "The worse completion, likewise.", required=True),
        Role("score_chosen", "Score of chosen", "A number; 1 where no column is given."),
        Role("score_rejected", "Score of rejected", "A number; 0 where no column is given."),
        _ID,
        _METADATA,
    ),
}  # fmt: skip


def roles(kind: Kind) -> tuple[Role, ...]:
    """What a column of a file of this kind can be, in the order of a form."""
    return ROLES[kind]


@dataclass(frozen=True)
class Columns:
    """A mapping: for each role the name of its column, or nothing.

    Raises
    ------
    ValueError
        If a role that is needed has no column, two have the same, or one is not of this kind.
    """

    kind: Kind
    prompt: str = ""
    input: str = ""
    system: str = ""
    id: str = ""
    metadata: str = ""
    completions: str = ""
    texts: tuple[str, ...] = ()
    models: str = ""
    scores: str = ""
    chosen: str = ""
    rejected: str = ""
    score_chosen: str = ""
    score_rejected: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"The kind of a file is one of {', '.join(KINDS)}.")
        labels = {role.name: role.label for role in ROLES[self.kind]}
        for name, value in vars(self).items():
            if name != "kind" and value and name not in labels:
                raise ValueError(f'A file of the kind "{self.kind}" has no column for "{name}".')
        for role in ROLES[self.kind]:
            if role.required and not getattr(self, role.name):
                raise ValueError(f"Choose the column of: {role.label}.")
        used = self.names
        if len(set(used)) < len(used):
            twice = next(name for name in used if used.count(name) > 1)
            raise ValueError(f'The column "{twice}" is chosen twice; choose it once.')
        if self.kind == "pool" and bool(self.completions) == bool(self.texts):
            raise ValueError(
                "Choose either one column that lists the completions, "
                "or the columns that hold one each."
            )
        if bool(self.score_chosen) != bool(self.score_rejected):
            raise ValueError("Choose the score columns of both chosen and rejected, or neither.")
        if self.input and not self.prompt:
            raise ValueError("An input belongs below a prompt; choose the column of the prompt.")

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        singles = [value for name, value in vars(self).items() if name not in ("kind", "texts")]
        return [name for name in [*singles, *self.texts] if name]

    def as_dict(self) -> dict[str, Any]:
        """The mapping as JSON takes it, without the roles that have no column."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if value
        }

    @classmethod
    def from_dict(cls, value: object) -> "Columns":
        """The mapping that :meth:`as_dict` gave.

        Raises
        ------
        ValueError
            With a sentence, on anything else.
        """
        if not isinstance(value, Mapping):
            raise ValueError("The columns must be an object that names the column of each role.")
        known = cls.__dataclass_fields__
        fields: dict[str, Any] = {}
        for name, column in value.items():
            if name not in known:
                raise ValueError(f'There is no role "{str(name)[:50]}".')
            if name == "texts":
                if not isinstance(column, list | tuple):
                    raise ValueError('"texts" must be a list of column names.')
                fields[name] = tuple(_column(name, each) for each in column)
            else:
                fields[name] = _column(name, column)
        if "kind" not in fields:
            raise ValueError(f"The kind of the file is missing: {', '.join(KINDS)}.")
        return cls(**fields)


def _column(role: str, name: object) -> str:
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ValueError(
            f'The column of "{role}" must be a name of up to {LONGEST_NAME} characters.'
        )
    return name
