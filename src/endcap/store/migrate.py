"""Makes the tables, or brings those of an older version up to date (Alembic)."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from endcap.data.errors import InputError
from endcap.store.database import unhurried

VERSION_TABLE = "endcap_version"

_LOCK = 7_310_250_001  # any number that no other program locks


def migrate(connection: Connection) -> None:
    """Migrates inside the connection's transaction, which other processes that want the same wait for.

    Raises InputError where the database is of a newer version, or another program's.
    """
    if connection.dialect.name == "postgresql":
        unhurried(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise InputError(f"the database's encoding is {encoding}; make one with ENCODING 'UTF8'")
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", "endcap.store:migrations")
    known = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
    current = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if current == known[0]:
        return
    if current is None:
        _check_empty(connection)
    elif current not in known:
        raise InputError(
            f"the database was written by a newer endcap (its tables are version {current}, this endcap knows up to"
            f" {known[0]}); install the newer one"
        )
    command.upgrade(config, "head")


def _check_empty(connection: Connection) -> None:
    """Tables named `events` or `items` may well be the shop's own."""
    others = inspect(connection).get_table_names()
    if others:
        raise InputError(
            f"the database holds tables of another program ({', '.join(sorted(others)[:5])}); give endcap a database of"
            " its own (or, in PostgreSQL, a schema: …?options=-csearch_path%3DNAME)"
        )
