"""The reference as a page: made of the same document that programs read."""

from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}


@dataclass(frozen=True)
class Parameter:
    name: str
    place: str  # path, query or body
    kind: str
    required: bool
    usual: str
    about: str


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    title: str
    about: str
    scope: str
    admin: bool
    parameters: list[Parameter]
    body_types: list[str]
    statuses: list[str]
    answer: str  # its schema's name
    answer_fields: list[Parameter]


@dataclass(frozen=True)
class Section:
    title: str
    operations: list[Operation]


def sections(document: dict[str, Any]) -> list[Section]:
    """The operations by what they are about, in the document's order."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                one = methods[method]
                found.setdefault(one["tags"][0], []).append(_operation(path, method, one, document))
    return [Section(title, operations) for title, operations in found.items()]


def _operation(path: str, method: str, one: dict[str, Any], document: dict[str, Any]) -> Operation:
    parameters = [
        Parameter(
            name=each["name"],
            place=each["in"],
            kind=_kind(each["schema"]),
            required=each["required"],
            usual=_usual(each["schema"]),
            about=each["schema"].get("description", ""),
        )
        for each in one.get("parameters", [])
    ]
    content = one.get("requestBody", {}).get("content", {})
    if content:
        parameters += _fields(next(iter(content.values()))["schema"], document, "body")
    good = {code: told for code, told in one["responses"].items() if str(code).startswith("2")}
    schema = next(iter(good.values())).get("content", {})
    answer = next(iter(schema.values()))["schema"] if schema else {}
    return Operation(
        id=one["operationId"],
        method=method.upper(),
        path=path,
        title=one["summary"],
        about=" ".join(one.get("description", "").split()),
        scope=one["x-scope"],
        admin=one["x-admin"],
        parameters=parameters,
        body_types=list(content),
        statuses=[str(code) for code in good],
        answer=_kind(answer) if answer else "",
        answer_fields=_fields(answer, document, ""),
    )


def _fields(schema: dict[str, Any], document: dict[str, Any], place: str) -> list[Parameter]:
    schema = _resolved(schema, document)
    if schema.get("type") == "array":
        schema = _resolved(schema["items"], document)
    required = set(schema.get("required", []))
    found = [
        Parameter(
            name=name,
            place=place,
            kind=_kind(each),
            required=name in required,
            usual=_usual(each),
            about=each.get("description", ""),
        )
        for name, each in schema.get("properties", {}).items()
    ]
    return sorted(found, key=lambda one: not (place and one.required))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def _kind(schema: dict[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        return _short(str(schema["$ref"].rpartition("/")[2]))
    if "enum" in schema:
        return ", ".join(str(one) or "“”" for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("format") in ("date-time", "uuid", "binary"):
        return {"date-time": "time", "uuid": "UUID", "binary": "file"}[schema["format"]]
    return TYPES.get(schema.get("type", ""), "any")


def _short(name: str) -> str:
    """“Page_PoolSummary_” as people say it."""
    if name.startswith("Page_"):
        return f"page of {name.removeprefix('Page_').rstrip('_')}"
    return name


def _usual(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    if value is None or value == "" or value == []:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
