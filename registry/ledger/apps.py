from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LedgerConfig(AppConfig):
    """The audit trail: what people and the system decided, in a chain that shows any change."""

    name = "registry.ledger"
    label = "ledger"

    def ready(self) -> None:
        """Have the triggers put in place after every migrate."""
        from registry.ledger.immutable import protect_tables

        post_migrate.connect(protect_tables, dispatch_uid="ledger.protect_tables")
