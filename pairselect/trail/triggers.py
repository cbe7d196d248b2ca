"""What makes the database itself refuse to change the trail."""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("trail_entry", "trail_seal")
REFUSED = "the audit trail is append-only"


def install(connection: BaseDatabaseWrapper) -> None:
    """Let rows be added and read, and nothing else. A migration that alters a table does this
    again: SQLite alters by making the table anew, without its triggers."""
    remove(connection)
    _run(connection, _postgres() if connection.vendor == "postgresql" else _sqlite())


def remove(connection: BaseDatabaseWrapper) -> None:
    """Before a migration alters a table; and for tests, which empty all tables."""
    found = []
    for table in TABLES:
        if connection.vendor == "postgresql":
            names = ["kept", "truncate"]
            found += [f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}" for name in names]
        else:
            names = ["update", "delete", "replace"]
            found += [f"DROP TRIGGER IF EXISTS {table}_{name}" for name in names]
    if connection.vendor == "postgresql":
        found.append("DROP FUNCTION IF EXISTS trail_is_append_only()")
    _run(connection, found)


def _sqlite() -> list[str]:
    """INSERT OR REPLACE deletes without calling a trigger for that, so it has one of its own."""
    keys = {"trail_entry": ["id"], "trail_seal": ["number", "entry_id"]}
    found = []
    for table in TABLES:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        same = " OR ".join(f"{key} = NEW.{key}" for key in keys[table])
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608  # nosec B608
        found += [
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}",
        ]
    return found


def _postgres() -> list[str]:
    found = [
        "CREATE FUNCTION trail_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
    ]
    for table in TABLES:
        run = "EXECUTE FUNCTION trail_is_append_only()"
        found += [
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ]
    return found


def _run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
