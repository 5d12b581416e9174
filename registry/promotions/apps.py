from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    """Requests to let a version serve an endpoint: gates, reviewers, decisions."""

    name = "registry.promotions"
    label = "promotions"

    def ready(self) -> None:
        """Register the check job, the periodic sweep, and the navigation item."""
        from lifecycle.ground.jobs import registry, schedule
        from lifecycle.ground.jobs.registry import JobKind
        from lifecycle.ui import navigation
        from lifecycle.ui.navigation import NavItem
        from registry.catalog import verifications
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts
        from registry.promotions import actions, ports, queries, tasks, trail

        registry.register(
            JobKind(
                "promotions.check",
                "Check gates",
                tasks.check,
                url=ports.request_url,
                on_failed=actions.check_failed,
                on_cancelled=actions.check_failed,
            )
        )
        schedule.every(300, "registry.promotions.tasks.review_open")
        navigation.register(
            NavItem(
                "Registry",
                "Promotions",
                "promotions:list",
                order=20,
                show=lambda user: can_somewhere(user, "promotions.view"),
                count=queries.waiting_count,
            )
        )
        accounts.register(trail.REQUESTS)
        verifications.register(ports.verified_by_gate)
