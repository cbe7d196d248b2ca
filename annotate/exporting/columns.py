"""The types of a file's columns, for Parquet, for the dataset card and for the last check."""

from collections.abc import Mapping
from typing import Any

# str, int, float or bool; [type of each]; or {name: type}.
Type = Any

MESSAGE: Type = {"role": str, "content": str}
SPOKEN: Type = {"from": str, "value": str}  # LLaMA-Factory's words for it
DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


def fits(value: object, kind: Type) -> bool:
    """Whether a value has exactly this type. Anything may be null but a list and a text in it."""
    if isinstance(kind, list):
        return isinstance(value, list) and all(
            one is not None and fits(one, kind[0]) for one in value
        )
    if value is None:
        return True
    if isinstance(kind, Mapping):
        return (
            isinstance(value, dict)
            and value.keys() == kind.keys()
            and all(fits(value[name], one) for name, one in kind.items())
        )
    return type(value) is kind


def arrow_schema(columns: Mapping[str, Type]) -> Any:
    """As a ``pyarrow.Schema``."""
    import pyarrow as pa

    return pa.schema([(name, _arrow(kind)) for name, kind in columns.items()])


def _arrow(kind: Type) -> Any:
    import pyarrow as pa

    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, Mapping):
        return pa.struct([(name, _arrow(one)) for name, one in kind.items()])
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kind]


def features(columns: Mapping[str, Type]) -> list[dict[str, Any]]:
    """As the ``features`` of a dataset card: the loader then guesses no type."""
    return [_feature(name, kind) for name, kind in columns.items()]


def _feature(name: str, kind: Type) -> dict[str, Any]:
    if isinstance(kind, list):
        of = kind[0]
        return {"name": name, "list": features(of) if isinstance(of, Mapping) else DTYPES[of]}
    if isinstance(kind, Mapping):
        return {"name": name, "struct": features(kind)}
    return {"name": name, "dtype": DTYPES[kind]}
