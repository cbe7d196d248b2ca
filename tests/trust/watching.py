"""What a request did to the database, whatever it answered."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection, transaction

CHANGE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO)\s+"?(\w+)', re.IGNORECASE)
# Whoever knocks is noted there, let in or not; nothing of these is anybody's work.
NOTES = ("django_session", "axes_", "trail_")


@contextmanager
def writes() -> Iterator[list[str]]:
    """The tables that statements change, or would have changed had they met a row."""
    found: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        match = CHANGE.match(sql)
        if match and not match[1].startswith(NOTES):
            found.append(match[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield found


@contextmanager
def nothing_stays() -> Iterator[None]:
    """What is done within is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def row_counts() -> dict[str, int]:
    """How many rows there are of each model, apart from the notes."""
    return {
        model._meta.db_table: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed and not model._meta.db_table.startswith(NOTES)
    }


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row, apart from the notes."""
    return {
        model._meta.db_table: list(model._default_manager.order_by("pk").values_list())
        for model in apps.get_models()
        if model._meta.managed and not model._meta.db_table.startswith(NOTES)
    }
