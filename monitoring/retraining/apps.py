from django.apps import AppConfig


class RetrainingConfig(AppConfig):
    """When a model should be trained again, with the reasons for and against."""

    name = "monitoring.retraining"
    label = "retraining"

    def ready(self) -> None:
        """Schedule triggers and proposals every fifteen seconds, and register the page in the navigation."""
        from lifecycle.ground.jobs import schedule
        from lifecycle.ui import navigation
        from lifecycle.ui.navigation import NavItem
        from monitoring.retraining.queries import proposals
        from registry.ground.access.policy import can_somewhere

        schedule.every(15, "monitoring.retraining.tasks.tick")
        navigation.register(
            NavItem(
                "Serving",
                "Retraining",
                "retraining:list",
                order=60,
                show=lambda user: can_somewhere(user, "retraining.view"),
                count=proposals.waiting_count,
            )
        )
