"""The steps of the demo, from its first file to the retraining proposal."""

from __future__ import annotations

from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.training.models import Run
from lifecycle.roof.demo import inbox, seed, watch
from lifecycle.roof.demo.seed import HISTORY, NEW, Stage
from registry.endpoints import actions as endpoints
from registry.ground.access.models import Project
from registry.promotions import plans
from registry.promotions.rules import Status

STEPS = 13
TWICE = {"epochs": 2}  # enough to be clearly better, and ready in half the time
# leaves room above it: these messages are so alike that a whole run has none
QUICK = {"epochs": 2, "head_learning_rate": 0.003}


def run(ctx: JobContext, project: Project) -> None:
    """Run all steps. Steps done before a kill aren't repeated."""
    stage = Stage(ctx, project)
    messages = inbox.messages(HISTORY + NEW)
    old, new = messages[:HISTORY], messages[HISTORY:]
    step(ctx, 1, "Uploading messages")
    dataset = seed.dataset(stage)
    seed.upload(stage, dataset, "history-2026.csv", old, labeled=True)
    inbox_file = seed.upload(stage, dataset, "november-inbox.csv", new, labeled=False)
    seed.schema(stage, dataset)
    step(ctx, 2, "Labeling")
    work = seed.queue(stage, dataset, inbox_file)
    seed.annotate(stage, work, new)
    seed.adjudicate_disputes(stage, work, new)
    step(ctx, 3, "Creating a dataset version")
    frozen = seed.snapshot(stage, dataset)
    step(ctx, 4, "Fine-tuning run 1")
    first = seed.trained(
        stage,
        seed.launch(stage, frozen, "noah", Run.Strategy.HEAD, "Quick baseline: head only, two epochs", QUICK),
    )
    step(ctx, 5, "Registering and promoting 1.0.0")
    model = seed.registered_model(stage)
    endpoint = seed.endpoint(stage, model)
    live = seed.version(stage, model, first, "1.0.0", "noah")
    request = seed.approve(
        stage, seed.promote(stage, live, endpoint, "noah", "First version for the support inbox.")
    )
    if request.status == Status.APPROVED:
        endpoints.deploy(request_id=request.uuid, actor=stage.user("omar"))
    step(ctx, 6, "Predicting twelve weeks of messages")
    watch.objectives(stage, endpoint)
    # learns meanwhile
    second = seed.launch(
        stage, frozen, "mia", Run.Strategy.LORA, "LoRA on the same dataset version, two epochs", TWICE
    )
    known = watch.twelve_weeks(stage, endpoint)
    step(ctx, 7, "Sending feedback and outcomes")
    watch.feedback(stage, known)
    watch.outcomes(stage, endpoint, known)
    step(ctx, 8, "Fine-tuning run 2")
    second = seed.trained(stage, second)
    step(ctx, 9, "Registering and promoting 1.1.0")
    candidate = seed.version(stage, model, second, "1.1.0", "mia")
    note = "LoRA instead of head only, on the same dataset version."
    request = seed.approve(
        stage, seed.promote(stage, candidate, endpoint, "mia", note, plans.canary(watch.PLAN))
    )
    step(ctx, 10, "A canary that fails in a drill")
    watch.canary(stage, request, endpoint)
    step(ctx, 11, "Measuring drift day by day")
    watch.drifted(stage, endpoint)
    watch.proposal(stage, endpoint)
    step(ctx, 12, "Requesting 1.1.0 again")
    seed.promote(stage, candidate, endpoint, "mia", "The drill is over; the version itself had no fault.")


def step(ctx: JobContext, number: int, name: str) -> None:
    """Report the step as the job's progress."""
    ctx.progress(number, STEPS, stage=name, unit="steps")
