"""A file to upload, and what its columns are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pairselect.pools.models import Upload
from pairselect.pools.reading import KINDS, Columns, Kind, Preview, Role, roles
from pairselect.pools.reading.previews import SHOWN_CHARACTERS

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_COLUMNS = 200  # to choose from
MOST_CHARACTERS = 60  # of a column's name in a choice

KIND_CHOICES = [
    ("prompts", _("Prompts, for a model to answer")),
    ("pool", _("A ready pool: several completions of each prompt")),
    ("preferences", _("Preferences: two completions of each prompt, one of them chosen")),
]


KIND_LABELS: "dict[Kind, StrOrPromise]" = {
    "prompts": _("prompts"),
    "pool": _("a ready pool"),
    "preferences": _("preferences"),
}


class UploadForm(forms.Form):
    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("What you will call these prompts.")
    )
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "JSONL, JSON, CSV or Parquet, also packed with gzip or zstd. You see what was "
            "recognised in it before anything is imported."
        ),
    )
    model = forms.CharField(
        max_length=300,
        required=False,
        label=_("What wrote the completions"),
        help_text=_("For your records, if the file has completions."),
    )

    def refuse(self, sentence: str) -> None:
        """Say only this, of a file that was not read to its end."""
        self.full_clean()
        self.errors.clear()
        self.add_error("file", sentence)


@dataclass(frozen=True)
class KindFields:
    """The columns that a file of one kind can have."""

    kind: Kind
    fields: list[BoundField]

    @property
    def label(self) -> str:
        return str(KIND_LABELS[self.kind])


class MappingForm(forms.Form):
    """Which column is what, prefilled with what was decided before, or recognised."""

    kind = forms.ChoiceField(
        choices=KIND_CHOICES, widget=forms.RadioSelect, label=_("What the file holds")
    )
    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Of the prompt set, and of the pool.")
    )
    model = forms.CharField(
        max_length=300,
        required=False,
        label=_("What wrote the completions"),
        help_text=_("Where the file does not say."),
    )
    merge_duplicates = forms.BooleanField(
        required=False,
        label=_("Merge duplicate prompts"),
        help_text=_("Of equal prompts the first is kept, with the completions of all of them."),
    )

    def __init__(self, *args: Any, upload: Upload, preview: Preview, **kwargs: Any) -> None:
        columns = _decided(upload) or preview.mapping
        initial: dict[str, Any] = {
            "name": upload.name,
            "model": upload.model,
            "merge_duplicates": upload.merge_duplicates,
            "kind": columns.kind if columns else KINDS[0],
        }
        if columns is not None:
            for name, value in columns.as_dict().items():
                initial[_field(columns.kind, name)] = value
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)
        names = [*preview.columns[:MOST_COLUMNS], *(columns.names if columns else [])]
        choices = [(name, _short(name)) for name in dict.fromkeys(names) if name]
        for kind in KINDS:
            for role in roles(kind):
                self.fields[_field(kind, role.name)] = _role_field(role, choices)

    def kinds(self) -> Iterator[KindFields]:
        for kind in KINDS:
            yield KindFields(kind, [self[_field(kind, role.name)] for role in roles(kind)])

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        kind = data.get("kind")
        if kind and not self.errors:
            chosen = {role.name: data[_field(kind, role.name)] for role in roles(kind)}
            try:
                data["columns"] = Columns.from_dict({"kind": kind} | chosen)
            except ValueError as problem:
                self.add_error(None, str(problem))
        return data

    def decision(self) -> dict[str, Any]:
        """What `begin_import` wants to know."""
        names = ("columns", "name", "model", "merge_duplicates")
        return {name: self.cleaned_data[name] for name in names}


@dataclass(frozen=True)
class FirstRows:
    """The first rows as a table; ``hidden`` columns are not in it."""

    columns: list[str]
    rows: list[list[str | None]]
    hidden: int

    @classmethod
    def of(cls, preview: Preview) -> "FirstRows":
        there = {name for row in preview.rows for name in row}
        columns = [name for name in preview.columns if name in there]
        rows = [[row.get(name) for name in columns] for row in preview.rows]
        return cls(columns, rows, len(preview.columns) - len(columns))


def repeated_prompts(preview: Preview) -> str:
    """A word about prompts that look like a pool with one completion a row, or nothing."""
    columns = preview.mapping
    if columns is None or columns.kind != "prompts":
        return ""
    others = set(preview.columns) - set(columns.names)
    asked = (columns.prompt, columns.input, columns.system)
    seen = [tuple(row.get(name, "") for name in asked if name) for row in preview.rows]
    whole = [texts for texts in seen if max(map(len, texts)) < SHOWN_CHARACTERS]
    if not others or len(set(whole)) == len(whole):
        return ""
    return gettext(
        "The first rows repeat a prompt. If each row holds another completion of it, put all "
        "completions of a prompt into one row, as a list, and upload that: of this file only the "
        "prompts would be imported. If they are duplicates, merge them below."
    )


def decided_columns(upload: Upload) -> list[tuple[str, str]]:
    """What was decided, in words."""
    columns = _decided(upload)
    if columns is None:
        return []
    values = columns.as_dict()
    words = [(gettext("The file holds"), str(KIND_LABELS[columns.kind]))]
    for role in roles(columns.kind):
        value = values.get(role.name)
        if value:
            words.append((str(role.label), ", ".join(value) if role.many else value))
    return words


def _decided(upload: Upload) -> Columns | None:
    try:
        return Columns.from_dict(upload.columns) if upload.columns else None
    except ValueError:  # of an earlier version
        return None


def _field(kind: str, role: str) -> str:
    return f"{kind}-{role}"


def _role_field(role: Role, choices: list[tuple[str, str]]) -> forms.Field:
    if role.many:
        return forms.MultipleChoiceField(
            choices=choices,
            required=False,
            label=role.label,
            help_text=role.help,
            widget=forms.CheckboxSelectMultiple,
        )
    return forms.ChoiceField(
        choices=[("", gettext("none")), *choices],
        required=False,
        label=role.label,
        help_text=role.help,
    )


def _short(name: str) -> str:
    return name if len(name) <= MOST_CHARACTERS else f"{name[:MOST_CHARACTERS]}…"
