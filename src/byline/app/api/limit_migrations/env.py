"""What Alembic runs to migrate: `registry.upgrade` hands it the open connection and the version table's name."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
