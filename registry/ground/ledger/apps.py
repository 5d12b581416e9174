from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LedgerConfig(AppConfig):
    """The audit trail: what people and the system decided, in a chain that shows any change."""

    name = "registry.ground.ledger"
    label = "ledger"

    def ready(self) -> None:
        """Have the triggers put in place once after every migrate: when it is the turn of this room, all
        tables are there.
        """
        from registry.ground.ledger.immutable import protect_tables

        post_migrate.connect(protect_tables, sender=self, dispatch_uid="ledger.protect_tables")
