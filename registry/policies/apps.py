from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PoliciesConfig(AppConfig):
    """The rules that a promotion has to meet: versioned, published once, never changed."""

    name = "registry.policies"
    label = "policies"

    def ready(self) -> None:
        """Have the standard policy published, the pages found, and policies compared with the audit log."""
        from lifecycle.ui import palette
        from registry.ground.ledger import accounts
        from registry.policies import trail
        from registry.policies.actions import publish_standard

        post_migrate.connect(publish_standard, sender=self, dispatch_uid="policies.publish_standard")
        palette.register_page("Policies", "policies:list", keywords="gates steps rules")
        accounts.register(trail.POLICIES)
