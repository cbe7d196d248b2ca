"""Rows that take seconds to make: made once for a file of tests, and copied back for each."""

import sqlite3
from collections.abc import Callable
from copy import deepcopy
from typing import Generic, TypeVar

from django.contrib.contenttypes.models import ContentType
from django.db import connection

T = TypeVar("T")


class Kept(Generic[T]):
    """What ``make`` gives and writes to an empty database. Files stay where it has put them."""

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make
        self._made: T | None = None
        self._rows = sqlite3.connect(":memory:", check_same_thread=False)

    def get(self) -> T:
        """The same each time, whatever was done to it in between."""
        connection.ensure_connection()
        database = connection.connection
        if not isinstance(database, sqlite3.Connection):  # elsewhere nothing copies so fast
            return self.make()
        if self._made is None:
            self._made = self.make()
            database.backup(self._rows)
        else:
            self._rows.backup(database)
            ContentType.objects.clear_cache()  # of the numbers that its rows had meanwhile
        return deepcopy(self._made)

    def close(self) -> None:
        self._rows.close()
