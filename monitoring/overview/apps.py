from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """The whole of it on one page, for those who lead."""

    name = "monitoring.overview"
    label = "overview"

    def ready(self) -> None:
        """Register the page in the navigation and the palette."""
        from lifecycle.ui import navigation, palette
        from lifecycle.ui.navigation import NavItem
        from registry.ground.access.policy import can_somewhere

        navigation.register(
            NavItem(
                "Outcomes",
                "Dashboard",
                "overview:dashboard",
                order=10,
                key="o",
                show=lambda user: can_somewhere(user, "overview.view"),
            )
        )
        palette.register_page(
            "Dashboard", "overview:dashboard", keywords="executive overview cost budget kpi health"
        )
