from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The trail, to be searched, exported and verified."""

    name = "registry.audit"
    label = "audit"

    def ready(self) -> None:
        """Schedule the checkpoint of every five minutes, and register the verification job and the navigation
        item.
        """
        from lifecycle.ground.jobs import registry, schedule
        from lifecycle.ui import navigation
        from registry.audit import tasks
        from registry.ground.ledger.checkpoints import INTERVAL

        registry.register(
            registry.JobKind(
                "audit.verify", "Verify audit log", tasks.verify, url=tasks.verify_url, can_see=tasks.may_see
            )
        )
        schedule.every(INTERVAL.total_seconds(), "registry.audit.tasks.sign_checkpoints")
        navigation.register(navigation.NavItem("Registry", "Audit log", "audit:events", order=90))
