from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    """Which version serves: deployments, rollback, the routes document."""

    name = "registry.endpoints"
    label = "endpoints"

    def ready(self) -> None:
        """Register the page in the navigation and the palette, and schedule the upkeep of servers every five
        seconds and of files.
        """
        from lifecycle.ground.jobs import schedule
        from lifecycle.ui import navigation, palette
        from lifecycle.ui.navigation import NavItem
        from registry.catalog import serving
        from registry.endpoints import actions, fates, trail
        from registry.endpoints.queries import listing
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts
        from registry.promotions import fates as promotions

        serving.register(serving.Server(actions.lock, actions.withdraw, actions.effects))
        schedule.every(5, "registry.endpoints.tasks.tend")
        schedule.every(30, "registry.endpoints.tasks.verify_changed")
        schedule.every(3600, "registry.endpoints.tasks.verify_in_use")
        navigation.register(
            NavItem(
                "Serving",
                "Endpoints",
                "endpoints:list",
                order=10,
                key="e",
                match=("endpoints", "traffic"),
                show=lambda user: can_somewhere(user, "endpoints.view"),
            )
        )
        palette.register_search("Endpoints", listing.search)
        accounts.register(trail.DEPLOYMENTS)
        promotions.register(fates.fate_of)
        accounts.register(trail.TOKENS)
