"""Where records are kept: SQLite in a file by default, PostgreSQL by URL, the same code for both.

A room that keeps records brings a folder of Alembic migrations and calls `upgrade`; it writes inside `writing`, which
admits one writer at a time and keeps all of its changes or none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from byline.core import RegistryError

_BUSY_SECONDS = 30
_WRITER_LOCK = 0x42594C494E45  # "BYLINE": the PostgreSQL advisory lock of the one writer


def open_database(url_or_path: str | Path) -> sa.Engine:
    """Engine for a SQLite file (path or `sqlite:///...`) or a server (`postgresql://user@host/name`).

    A path that does not exist yet becomes an empty database; call `upgrade` next.
    Raises: RegistryError("no-driver"), RegistryError("database-unreachable").
    """
    url = _url(url_or_path)
    try:
        engine = sa.create_engine(url, hide_parameters=True)  # what a fault says goes into logs: no address, no text
    except ModuleNotFoundError as fault:
        fix = "records are kept in SQLite or PostgreSQL; for the latter: pip install 'byline[postgres]'"
        raise RegistryError("no-driver", f"no driver for {url.drivername}", fix) from fault
    try:
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except (sa.exc.SQLAlchemyError, OSError) as fault:
        engine.dispose()
        reason = str(getattr(fault, "orig", fault)).strip().partition("\n")[0]
        raise RegistryError(
            "database-unreachable", f"{_shown(url)}: {reason}", "check the path or URL, and that it is a database"
        ) from fault
    return engine


def upgrade(engine: sa.Engine, migrations: Path, version_table: str) -> None:
    """Bring the tables of one room to its newest migration, in one transaction; waits for nobody if they are there.

    `version_table` holds the revision reached; every room has its own, so that rooms share a database.
    Raises: RegistryError("schema-unknown") if the database was written by a newer Byline.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = version_table
    with engine.connect() as connection:
        reached = MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_heads()
    if set(reached) == set(ScriptDirectory.from_config(config).get_heads()):
        return
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as fault:
            raise RegistryError(
                "schema-unknown", f"{_shown(engine.url)}: {fault}", "open it with the version of Byline that wrote it"
            ) from fault


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nobody else writes; committed at the end, rolled back by an exception."""
    with engine.connect().execution_options(sqlite_begin="BEGIN IMMEDIATE") as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
        yield connection


def _url(url_or_path: str | Path) -> sa.URL:
    text = str(url_or_path)
    if "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as fault:
        raise RegistryError("database-unreachable", f"{text!r} is not a database URL", "use a file path") from fault
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _shown(url: sa.URL) -> str:
    return url.database or "" if url.drivername == "sqlite" else url.render_as_string(hide_password=True)


def _prepare_sqlite(engine: sa.Engine) -> None:
    """WAL, foreign keys, and transactions that begin at once: left alone, Python's driver begins one only before the
    first change of a row, so that changes of tables stand outside."""
    Path(engine.url.database or ".").parent.mkdir(parents=True, exist_ok=True)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (f"busy_timeout = {_BUSY_SECONDS * 1000}", "journal_mode = WAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
