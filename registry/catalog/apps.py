from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Registered models, their sealed versions, and the endpoints they may serve."""

    name = "registry.catalog"
    label = "catalog"

    def ready(self) -> None:
        """Register the catalog's jobs, navigation item, and search."""
        from lifecycle.ground.jobs import registry, schedule
        from lifecycle.ground.jobs.registry import JobKind
        from lifecycle.modeling.evaluation import ports as evaluation
        from lifecycle.modeling.training import ports as training
        from lifecycle.modeling.training.folders import forget
        from lifecycle.ui import navigation, palette
        from lifecycle.ui.navigation import NavItem
        from registry.catalog import actions, ports, tasks, trail
        from registry.catalog.suggesting import Versions
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts

        registry.register(
            JobKind("catalog.register", "Register version", tasks.register, url=ports.model_url)
        )
        registry.register(JobKind("catalog.verify", "Verify version", tasks.verify, url=ports.version_url))
        registry.register(
            JobKind(
                "catalog.export",
                "Export version",
                actions.run_export,
                url=ports.version_url,
                on_failed=forget,
                on_cancelled=forget,
            )
        )
        schedule.every(3600, "registry.catalog.tasks.sweep_exports")
        accounts.register(trail.MODELS)
        accounts.register(trail.VERSIONS)
        navigation.register(
            NavItem(
                "Registry",
                "Models",
                "catalog:list",
                order=10,
                key="m",
                show=lambda user: can_somewhere(user, "catalog.view"),
                match=("catalog",),
            )
        )
        evaluation.add_shelf("version", Versions(), order=20)
        training.add_steps("catalog", ports.versions_of)
        training.add_reference("live", ports.live_reference, order=10)
        palette.register_search("Models and versions", ports.search)
        accounts.register(trail.CARDS)
        accounts.register(trail.SETTINGS)
