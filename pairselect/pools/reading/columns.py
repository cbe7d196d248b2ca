"""Which column of a file is what: the roles of each kind of file, and a mapping of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Kind = Literal["prompts", "pool", "preferences"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_NAME = 500


@dataclass(frozen=True)
class Role:
    """A part that a column can play, as a form shows it. ``many``: several columns can."""

    name: str
    label: "StrOrPromise"
    help: "StrOrPromise"
    required: bool = False
    many: bool = False


_PROMPT_HELP = _(
    "A text, or a conversation: a list of messages with role and content, or with from and value."
)
_PROMPT = Role("prompt", _("Prompt"), _PROMPT_HELP, required=True)
_INPUT = Role("input", _("Input"), _("A text that belongs below the prompt, as in Alpaca's files."))
_SYSTEM = Role("system", _("System prompt"), _("A text that is put before the prompt."))
_ID = Role("id", _("Identifier"), _("A text or a whole number; kept with the prompt."))
_METADATA = Role("metadata", _("Metadata"), _("A JSON object; kept with the prompt."))

ROLES: dict[Kind, tuple[Role, ...]] = {
    "prompts": (_PROMPT, _INPUT, _SYSTEM, _ID, _METADATA),
    "pool": (
        _PROMPT,
        _INPUT,
        _SYSTEM,
        Role(
            "completions",
            _("Completions"),
            _("A list of texts, or of objects with text, and perhaps model and score."),
        ),
        Role(
            "texts", _("Completion texts"), _("Columns that each hold one completion."), many=True
        ),
        Role("models", _("Models"), _("What wrote the completions: one name, or a list.")),
        Role("scores", _("Scores"), _("A list of numbers, one for each completion.")),
        _ID,
        _METADATA,
    ),
    "preferences": (
        Role(
            "prompt",
            _("Prompt"),
            _(
                "A text, or a conversation: a list of messages with role and content, or with from "
                "and value. Not needed where chosen and rejected are whole conversations."
            ),
        ),
        _INPUT,
        _SYSTEM,
        Role(
            "chosen",
            _("Chosen"),
            _("The better completion, or the conversation that ends with it."),
            required=True,
        ),
        Role("rejected", _("Rejected"), _("The worse completion, likewise."), required=True),
        Role("score_chosen", _("Score of chosen"), _("A number; 1 where no column is given.")),
        Role("score_rejected", _("Score of rejected"), _("A number; 0 where no column is given.")),
        _ID,
        _METADATA,
    ),
}


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
            raise ValueError(
                gettext("The kind of a file is one of %(kinds)s.") % {"kinds": ", ".join(KINDS)}
            )
        known = {role.name for role in ROLES[self.kind]}
        for name, value in vars(self).items():
            if name != "kind" and value and name not in known:
                said = gettext('A file of the kind "%(kind)s" has no column for "%(name)s".')
                raise ValueError(said % {"kind": self.kind, "name": name})
        for role in ROLES[self.kind]:
            if role.required and not getattr(self, role.name):
                said = gettext("Choose the column of: %(role)s.")
                raise ValueError(said % {"role": role.label})
        used = self.names
        if len(set(used)) < len(used):
            twice = next(name for name in used if used.count(name) > 1)
            said = gettext('The column "%(name)s" is chosen twice; choose it once.')
            raise ValueError(said % {"name": twice})
        if self.kind == "pool" and bool(self.completions) == bool(self.texts):
            raise ValueError(
                gettext(
                    "Choose either one column that lists the completions, "
                    "or the columns that hold one each."
                )
            )
        if bool(self.score_chosen) != bool(self.score_rejected):
            raise ValueError(
                gettext("Choose the score columns of both chosen and rejected, or neither.")
            )
        if self.input and not self.prompt:
            raise ValueError(
                gettext("An input belongs below a prompt; choose the column of the prompt.")
            )

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
