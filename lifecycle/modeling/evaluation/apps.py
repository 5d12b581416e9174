from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """Quality of a model on a split, with intervals."""

    name = "lifecycle.modeling.evaluation"
    label = "evaluation"

    def ready(self) -> None:
        """Evaluate every succeeded run, and register navigation and jobs."""
        from lifecycle.ground.jobs.registry import JobKind, register
        from lifecycle.ground.jobs.rules import Queue
        from lifecycle.modeling.evaluation import actions, ports, queries, suggesters, tasks, trail
        from lifecycle.modeling.training import ports as training
        from lifecycle.modeling.training.folders import forget
        from lifecycle.ui import navigation
        from lifecycle.ui.addresses import find_url
        from lifecycle.ui.navigation import NavItem, Person
        from registry.ground.access.policy import can_somewhere
        from registry.ground.ledger import accounts

        def sees(user: Person) -> bool:
            return can_somewhere(user, "evaluation.view")

        register(
            JobKind(
                "evaluation.evaluate",
                "Evaluate",
                tasks.evaluate,
                queue=Queue.EVALUATION,
                on_failed=forget,
                on_cancelled=forget,
                url=lambda job: f"/runs/{job.args['run']}/",
            )
        )
        register(
            JobKind(
                "evaluation.suggest",
                "Pre-label dataset",
                actions.run_suggest,
                url=lambda job: find_url("evaluation:suggest", uuid=job.args["dataset"]),
            )
        )
        register(
            JobKind(
                "evaluation.compare",
                "Compare evaluations",
                actions.run_comparison,
                queue=Queue.EVALUATION,
                url=lambda job: queries.address_of_comparison(job.args["a"], job.args["b"]),
            )
        )
        for kind, computation in actions.COMPUTATIONS.items():
            queues = {
                actions.job_kind(kind, written=True): Queue.EVALUATION,
                actions.job_kind(kind): computation.queue,
            }
            for name, queue in queues.items():
                run, url = actions.runner(kind), tasks.page_of(kind)
                register(
                    JobKind(
                        name,
                        computation.label,
                        run,
                        queue=queue,
                        url=url,
                        on_failed=forget,
                        on_cancelled=forget,
                    )
                )
        ports.add_shelf("run", suggesters.Runs(), order=10)
        accounts.register(trail.EVALUATIONS)
        training.after_success("evaluation", actions.after_success)
        training.add_reference("evaluation", queries.baseline_reference, order=20)
        navigation.register(NavItem("Training", "Evaluations", "evaluation:list", 20, show=sees))
