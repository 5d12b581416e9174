from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Objectives, error budgets, and alerts."""

    name = "monitoring.alerts"
    label = "alerts"

    def ready(self) -> None:
        """Schedule evaluation, notification, and delivery, have beat and the workers watch them, and add the
        pages to the navigation.
        """
        from celery import signals

        from lifecycle.ground.jobs import schedule
        from lifecycle.ground.notices import topics
        from lifecycle.ui import navigation, palette
        from lifecycle.ui.navigation import NavItem
        from monitoring.alerts import queries
        from monitoring.alerts.actions import watching
        from monitoring.alerts.rules.state import Severity
        from registry.ground.access.policy import can_somewhere

        topics.register(Severity.PAGE.value, "Pages")
        topics.register(Severity.TICKET.value, "Tickets")
        topics.register(Severity.DIGEST.value, "Daily digest")
        schedule.every(30, "monitoring.alerts.tasks.evaluate")
        schedule.every(10, "monitoring.alerts.tasks.deliver")
        schedule.every(600, "monitoring.alerts.tasks.digest")
        # the evaluation stops when either dies; then the other raises a page
        for begun in (signals.beat_init, signals.worker_ready):
            begun.connect(watching.start, weak=False, dispatch_uid="watch-alerts")
        navigation.register(
            NavItem(
                "Serving",
                "SLOs and alerts",
                "alerts:list",
                order=40,
                show=lambda user: can_somewhere(user, "alerts.view"),
                count=queries.burning,
                hot=True,
            )
        )
        palette.register_page(
            "SLOs and alerts", "alerts:list", keywords="alert page ticket burn budget objective"
        )
        palette.register_page("Silences", "alerts:silences", keywords="alert mute quiet")
        palette.register_page("Alert channels", "alerts:channels", keywords="webhook e-mail notify")
