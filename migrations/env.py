"""Alembic's entry. The connection comes from `notifier.db`; there is no alembic.ini."""

from alembic import context

from notifier.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    # SQLite cannot alter most things in place.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
