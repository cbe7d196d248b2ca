"""The API: its operations, and what all of them share."""

from typing import Any

import orjson
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from pairselect.api.access import Bearer
from pairselect.api.errors import add_handlers
from pairselect.api.routes import (
    campaigns,
    designs,
    exports,
    jobs,
    judging,
    me,
    pools,
    prompt_sets,
    trail,
    uploads,
)

DESCRIPTION = (
    "From prompts to pairs worth a label, and from labels to a dataset: all that the pages and "
    "the commands do, for programs. Whatever goes wrong is answered with one sentence."
)


class StrictParser(Parser):
    """JSON as its standard has it: no NaN, and no halves of characters, which nothing can store."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(request.body)
        return body


class Api(NinjaAPI):
    """Its document takes half a second to make, and never changes while the process lives."""

    _document: OpenAPISchema | None = None

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        if self._document is None:
            self._document = super().get_openapi_schema(**kwargs)
        return self._document


def _api() -> Api:
    api = Api(
        title="pairselect",
        version="1",
        description=DESCRIPTION,
        urls_namespace="api",
        docs_url=None,
        parser=StrictParser(),
    )
    add_handlers(api)
    api.add_router("", me.router)
    api.add_router("/uploads", uploads.router)
    api.add_router("/prompt-sets", prompt_sets.router)
    api.add_router("/pools", pools.router)
    api.add_router("/plans", designs.plans)
    api.add_router("/designs", designs.router)
    api.add_router("/campaigns", campaigns.router)
    api.add_router("", judging.router)
    api.add_router("", exports.router)
    api.add_router("/jobs", jobs.router)
    api.add_router("/history", trail.router)
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                _complete(operation)
    return api


def _complete(operation: Any) -> None:
    """Who may do it, and what is answered where something is wrong, into the document."""
    bearer = next(one for one in operation.auth_callbacks if isinstance(one, Bearer))
    told = {
        "x-scope": bearer.scope.value if bearer.scope else "",
        "x-admin": bearer.admin,
        "responses": {
            "default": {
                "description": "What is wrong",
                "content": {"application/json": {"schema": ERROR}},
            }
        },
    }
    operation.openapi_extra = (operation.openapi_extra or {}) | told
    operation.operation_id = operation.view_func.__module__.rpartition(".")[2]
    operation.operation_id += f"_{operation.view_func.__name__}"


ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string", "description": "one sentence that says what to do"},
                "field": {"type": "string", "description": "which part of the request"},
            },
        }
    },
}

api = _api()
