"""What Alembic runs: the migrations, on the connection and inside the transaction that `migrate` gives."""

from alembic import context

from endcap.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,  # SQLite has it too, where BEGIN is said by hand
)
with context.begin_transaction():
    context.run_migrations()
