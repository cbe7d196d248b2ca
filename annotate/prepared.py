"""Queries that are built once. To build one takes the ORM several times as long as it takes the
database to answer it, and each answer of an annotator asks more than a dozen."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BigIntegerField, DateTimeField, Expression, Field, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import ROW_COUNT
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row")


class Placeholder(Expression):
    """Stands in a query for a value that is told only when it is asked."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


# For the functions that make queries each is what it stands for: a campaign, a person, a time.
CAMPAIGN: Any = Placeholder("campaign", BigIntegerField())
COMPARISON: Any = Placeholder("comparison", BigIntegerField())
PERSON: Any = Placeholder("person", BigIntegerField())
NOW: Any = Placeholder("now", DateTimeField())


@dataclass(frozen=True)
class _Built:
    """What the ORM made of a query for one kind of database: no row, and no open connection."""

    compiler: SQLCompiler
    sql: str
    params: tuple[Any, ...]
    converters: dict[int, Any]  # of the columns that are read

    @classmethod
    def of(cls, query: Any) -> "_Built":
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        compiler.connection = compiler.connection.copy()  # never opened: each thread has its own
        columns = [column[0] for column in compiler.select or ()]
        return cls(compiler, sql, tuple(params), compiler.get_converters(columns))

    def told(self, values: dict[str, Any]) -> Any:
        """A compiler that has the values in their places.

        Raises
        ------
        TransactionManagementError
            Outside of a transaction, where the rows are to be locked. The ORM asks when it builds.
        """
        connection = connections[DEFAULT_DB_ALIAS]
        may_lock = connection.in_atomic_block or not connection.features.has_select_for_update
        if self.compiler.query.select_for_update and not may_lock:
            raise TransactionManagementError("Rows are locked in a transaction alone.")
        params = [
            param.output_field.get_db_prep_value(values[param.name], connection)
            if isinstance(param, Placeholder)
            else param
            for param in self.params
        ]
        compiler: Any = copy(self.compiler)
        compiler.connection, compiler.as_sql = connection, lambda: (self.sql, params)
        compiler.get_converters = lambda columns: self.converters
        return compiler


class Prepared(Generic[Row]):
    """A query with placeholders. Called with their values it asks the database, each time.

    ``build`` makes it, of models or of ``values_list``; what it chooses from its surroundings is
    chosen once.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, Row]"]) -> None:
        self._build = build
        self._of_models = False
        self._built: dict[str, _Built] = {}

    def __call__(self, **values: Any) -> list[Row]:
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        if vendor not in self._built:
            rows: Any = self._build()
            self._of_models = rows._iterable_class is ModelIterable
            self._built[vendor] = _Built.of(rows.query)
        compiler = self._built[vendor].told(values)
        if not self._of_models:
            return list(compiler.results_iter(tuple_expected=True))
        query = SimpleNamespace(get_compiler=lambda using: compiler)
        asked: Any = SimpleNamespace(db=DEFAULT_DB_ALIAS, query=query, _known_related_objects={})
        return list(ModelIterable(asked))

    def first(self, **values: Any) -> Row | None:
        return next(iter(self(**values)), None)


class PreparedUpdate:
    """The same for an update of rows. Called, it returns how many there were."""

    def __init__(self, build: Callable[[], "QuerySet[Any, Any]"], **columns: Any) -> None:
        self._build, self._columns = build, columns
        self._built: dict[str, _Built] = {}

    def __call__(self, **values: Any) -> int:
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        if vendor not in self._built:
            query: Any = self._build().order_by().query.chain(UpdateQuery)
            query.add_update_values(self._columns)
            self._built[vendor] = _Built.of(query)
        return int(self._built[vendor].told(values).execute_sql(ROW_COUNT))
