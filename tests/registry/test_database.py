"""Databases: transactions that hold on both kinds, migrations that run whole or not at all."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from byline.core import RegistryError
from byline.registry import open_database, upgrade, writing

ENV = """
from alembic import context
context.configure(connection=context.config.attributes["connection"],
                  version_table=context.config.attributes["version_table"])
with context.begin_transaction():
    context.run_migrations()
"""


def migrations(folder: Path, *bodies: str) -> Path:
    """A room's migrations folder whose step i runs `bodies[i]`."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    for number, body in enumerate(bodies):
        down = repr(f"r{number - 1}") if number else "None"
        (folder / "versions" / f"r{number}.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision = 'r{number}'\ndown_revision = {down}\n"
            f"def upgrade():\n    {body}\n"
        )
    return folder


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def test_upgrade_runs_once_and_rooms_share_a_database(database: sa.Engine, tmp_path: Path) -> None:
    one = migrations(tmp_path / "a%b", "op.create_table('one', sa.Column('x', sa.Integer))")
    two = migrations(tmp_path / "two", "op.create_table('two', sa.Column('x', sa.Integer))")
    for _ in range(2):
        upgrade(database, one, "one_version")
        upgrade(database, two, "two_version")
    assert tables(database) == {"one", "two", "one_version", "two_version"}


def test_upgrade_that_fails_leaves_no_table(database: sa.Engine, tmp_path: Path) -> None:
    folder = migrations(
        tmp_path / "m", "op.create_table('one', sa.Column('x', sa.Integer))", "op.execute('SELECT * FROM nowhere')"
    )
    with pytest.raises(sa.exc.DBAPIError):
        upgrade(database, folder, "version")
    assert tables(database) == set()


def test_upgrade_refuses_the_tables_of_a_newer_program(database: sa.Engine, tmp_path: Path) -> None:
    new = migrations(tmp_path / "new", "pass", "pass")
    old = migrations(tmp_path / "old", "pass")
    upgrade(database, new, "version")
    with pytest.raises(RegistryError, match="r1") as caught:
        upgrade(database, old, "version")
    assert caught.value.code == "schema-unknown"


def test_writers_take_turns_and_lose_no_update(database: sa.Engine) -> None:
    with writing(database) as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

    def add_one() -> None:
        with writing(database) as connection:
            n = connection.exec_driver_sql("SELECT n FROM counter").scalar_one()
            time.sleep(0.02)
            connection.exec_driver_sql(f"UPDATE counter SET n = {n + 1}")

    threads = [threading.Thread(target=add_one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counter").scalar_one() == 5


def test_reader_is_not_held_up_by_a_writer(database: sa.Engine) -> None:
    with writing(database) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with writing(database) as writer, database.connect() as reader:
        writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 0


def test_sqlite_has_wal_and_foreign_keys(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "new" / "folder" / "byline.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are only some notes, not a database" * 10)
    with pytest.raises(RegistryError, match=r"notes\.txt") as caught:
        open_database(path)
    assert caught.value.code == "database-unreachable"
    assert path.read_text().startswith("these are")
    with pytest.raises(RegistryError, match=r"notes\.txt"):
        open_database(path / "byline.db")
    with pytest.raises(RegistryError):
        open_database(tmp_path)
    with pytest.raises(RegistryError, match="what is this"):
        open_database("what is this://")


def test_an_unreachable_server_is_refused_without_its_password() -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1") as caught:
        open_database("postgresql://byline:secret@127.0.0.1:1/byline")
    assert caught.value.code == "database-unreachable"
    assert "secret" not in str(caught.value)


def test_a_database_without_a_driver_is_refused() -> None:
    with pytest.raises(RegistryError, match="mysql") as caught:
        open_database("mysql://host/byline")
    assert caught.value.code == "no-driver"
