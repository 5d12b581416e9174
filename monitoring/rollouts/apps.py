from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """A canary's steps, and the rule that widens it or rolls it back."""

    name = "monitoring.rollouts"
    label = "rollouts"

    def ready(self) -> None:
        """Schedule the rule every ten seconds, protect its canaries from other changes, and register the page
        in the navigation.
        """
        from lifecycle.ground.jobs import schedule
        from lifecycle.ui import navigation
        from lifecycle.ui.navigation import NavItem
        from monitoring.rollouts import trail
        from monitoring.rollouts.queries import rollouts
        from registry.endpoints import steering
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts

        schedule.every(10, "monitoring.rollouts.tasks.tick")
        steering.register(rollouts.page_of_canary, rollouts.ends_of_canaries)
        accounts.register(trail.ROLLOUTS)
        navigation.register(
            NavItem(
                "Serving",
                "Rollouts",
                "rollouts:list",
                order=20,
                show=lambda user: can_somewhere(user, "rollouts.view"),
                count=rollouts.waiting_count,
            )
        )
