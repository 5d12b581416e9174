from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Fine-tuning runs: launch, monitor, stop, and resume."""

    name = "lifecycle.modeling.training"
    label = "training"

    def ready(self) -> None:
        """Register this room's jobs, navigation, and search."""
        from lifecycle.ground.jobs.registry import JobKind, register
        from lifecycle.ground.jobs.rules import Queue
        from lifecycle.modeling.training import estimate_task, queries, tasks, trail
        from lifecycle.ui import navigation, palette
        from lifecycle.ui.navigation import NavItem, Person
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts

        register(
            JobKind(
                "training.train",
                "Train",
                tasks.train,
                queue=Queue.TRAINING,
                max_attempts=5,
                url=lambda job: f"/runs/{job.args['run']}/",
                on_failed=tasks.run_failed,
                on_cancelled=tasks.run_cancelled,
            )
        )
        register(
            JobKind(
                "training.next_trial",
                "Start next trial",
                tasks.next_trial,
                max_attempts=5,
                url=lambda job: f"/runs/sweeps/{job.args['sweep']}/",
                on_failed=tasks.sweep_failed,
                on_cancelled=tasks.sweep_cancelled,
            )
        )
        register(
            JobKind(
                "training.estimate",
                "Estimate",
                estimate_task.estimate,
                queue=Queue.TRAINING,
                url=lambda job: f"/runs/estimates/{job.args['estimate']}/",
                on_failed=estimate_task.failed,
                on_cancelled=estimate_task.cancelled,
            )
        )
        register(
            JobKind(
                "training.keep_base", "Import base model", tasks.keep_base, url=lambda job: "/runs/bases/"
            )
        )

        accounts.register(trail.RUNS)
        accounts.register(trail.BASES)

        def sees(user: Person) -> bool:
            return can_somewhere(user, "training.view")

        def launches(user: Person) -> bool:
            return can_somewhere(user, "training.launch")

        navigation.register(
            NavItem("Training", "Runs", "training:list", 10, show=sees, count=queries.running_count, key="r")
        )
        palette.register_page("Base models", "training:bases", show=sees, keywords="weights hub")
        palette.register_page("Start run", "training:launch", show=launches, keywords="train fine-tune")
        palette.register_page(
            "Sweeps", "training:sweeps", show=sees, keywords="search settings hyper-parameters optuna"
        )
        palette.register_search("Runs", queries.search_runs)
