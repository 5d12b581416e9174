"""Base models and runs over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.jobs.rules import PRIORITY_WORDS, Priority
from lifecycle.modeling.training import actions, pages, queries, record_page
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.engine.base import MINILM
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access import policy
from registry.ground.access.answers import ErrorOut
from registry.ground.access.decorators import Needs
from registry.ground.access.models import Project
from registry.ground.access.rest import IS_NUMBER, IS_UUID, Filters, Request, methods, operation, page_out


class StrategyField(serializers.ChoiceField):
    """What learns. A name that isn't known is refused with all that are."""

    default_error_messages = {
        "invalid_choice": f"Unknown strategy “{{input}}”. Choose one of {', '.join(Run.Strategy.values)}."
    }

    def __init__(self) -> None:
        super().__init__(choices=Run.Strategy.choices, default=Run.Strategy.LORA)


class BaseModelOut(serializers.Serializer[Any]):
    """A base model as programs read it. root_digest: null until its files are kept."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=BaseModel.Kind.choices)
    origin = serializers.CharField(source="source")
    revision = serializers.CharField()
    run = serializers.UUIDField(source="run.uuid", default=None, allow_null=True)
    root_digest = serializers.CharField(source="folder.root_digest", default=None, allow_null=True)
    facts = serializers.DictField()
    created_at = serializers.DateTimeField()


FILTERS: Filters = {
    "project": ("project__uuid", IS_UUID),
    "number": ("number", IS_NUMBER),
    "sweep": ("sweep__uuid", IS_UUID),
}


class BaseModelIn(serializers.Serializer[BaseModel]):
    """kind package: name where it is not all-MiniLM-L6-v2. folder: path, name. hub: hub_id and revision, a
    commit. run: run, whose model it is.
    """

    project = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=BaseModel.Kind.choices)
    path = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=120)
    hub_id = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    revision = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)
    run = serializers.UUIDField(required=False, default=None, allow_null=True)


class RunOut(serializers.Serializer[Any]):
    """A run as programs read it. leading: the name of the score in `metrics` that it is known by beside
    others of its task. priority: of its job, which has its place in the queue and takes another priority.
    """

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    number = serializers.IntegerField()
    note = serializers.CharField()
    dataset_version = serializers.UUIDField(source="snapshot.uuid")
    base = serializers.UUIDField(source="base.uuid")
    strategy = serializers.ChoiceField(choices=Run.Strategy.choices)
    spec = serializers.DictField()
    spec_digest = serializers.CharField()
    code_version = serializers.CharField()
    state = serializers.ChoiceField(choices=Run.State.choices)
    priority = serializers.CharField(source="job.priority_word", default=None, allow_null=True)
    step = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    best_step = serializers.IntegerField(allow_null=True)
    metrics = serializers.DictField()
    leading = serializers.SerializerMethodField()
    error = serializers.DictField(allow_null=True)
    batch = serializers.SerializerMethodField()
    cost = serializers.SerializerMethodField()
    forgetting = serializers.SerializerMethodField()
    reproduces = serializers.UUIDField(source="reproduces.uuid", default=None, allow_null=True)
    sweep = serializers.UUIDField(source="sweep.uuid", default=None, allow_null=True)
    trial = serializers.IntegerField(allow_null=True)
    repeat = serializers.SerializerMethodField()
    artifact = serializers.CharField(source="artifact.root_digest", default=None, allow_null=True)
    job = serializers.UUIDField(source="job.uuid", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_leading(self, run: Run) -> str:
        """macro_f1; micro_f1 for spans; perplexity for generation and chat."""
        return metrics_of(run.task).listed.name

    def get_forgetting(self, run: Run) -> dict[str, Any] | None:
        """Of a run from another run's model: rows that it did not learn from, and by score and class what
        that one (baseline) and this one (candidate) give on them; null where nothing was measured.
        """
        return run.result.get("forgetting")

    def get_batch(self, run: Run) -> dict[str, int] | None:
        """What passed at a time: batch_size and accumulation, smaller and higher than in the spec where
        memory ran out; null before its end.
        """
        return run.result.get("batch")

    def get_repeat(self, run: Run) -> dict[str, Any] | None:
        """Of a run that repeats another one and has succeeded: is_same (its weights are equal, bit for bit),
        differing (files), changed (conditions that are not as the first time).
        """
        repeat = queries.repeat_of(run)
        return (
            None
            if repeat is None
            else {
                "is_same": repeat.is_same,
                "differing": list(repeat.differing),
                "changed": list(repeat.changed),
            }
        )

    def get_cost(self, run: Run) -> dict[str, Any] | None:
        """What it has cost: seconds, cpu_seconds, peak_memory_mb, stages, price and currency; inference: the
        projected seconds of 1,000 predictions by graph, and of how many validation rows; null before its end.
        """
        return queries.cost_of(run)


class RunIn(serializers.Serializer[Run]):
    """options: fields of the engine's spec in place of those that are suggested. key: the same key again
    gives the same run, and with other settings a conflict.
    """

    dataset_version = serializers.UUIDField()
    base = serializers.UUIDField()
    strategy = StrategyField()
    options = serializers.DictField(required=False, default=dict)
    priority = serializers.ChoiceField(choices=PRIORITY_WORDS, default=Priority.NORMAL.word)
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    key = serializers.UUIDField(required=False, default=None, allow_null=True)

    def validate_priority(self, word: str) -> Priority:
        """As the queue knows it."""
        return Priority.of(word)


class ReproduceIn(serializers.Serializer[Run]):
    """key: the same key again gives the same run."""

    priority = serializers.ChoiceField(choices=PRIORITY_WORDS, default=Priority.NORMAL.word)
    key = serializers.UUIDField(required=False, default=None, allow_null=True)


class BasePageOut(serializers.Serializer[object]):
    """The base models of your projects, newest first, at most 200."""

    results = BaseModelOut(many=True)


class PointsOut(serializers.Serializer[object]):
    """New points: trace n grows by the n-th list. next: where to ask again, null when the run has ended."""

    traces = serializers.ListField(child=serializers.IntegerField())
    x = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    y = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    next = serializers.CharField(allow_null=True)


@operation("GET", "base_models_list", Needs("signed_in"), gives=BasePageOut)
def bases(request: Request) -> object:
    """List base models."""
    return {"results": queries.bases(request.user)[:200]}


@operation("POST", "base_models_add", Needs("signed_in"), takes=BaseModelIn, gives=BaseModelOut, status=201)
def add_base(request: Request, given: dict[str, Any]) -> object:
    """Add one; a job keeps its files."""
    project = policy.get_visible(request.user, Project, "access.view_project", uuid=given["project"])
    policy.require(request.user, "training.add_base", project)
    common: dict[str, Any] = {"project": project, "actor": request.user}
    if given["kind"] == BaseModel.Kind.FOLDER:
        return actions.add_folder_base(**common, path=given["path"], name=given["name"])
    if given["kind"] == BaseModel.Kind.RUN:
        run = queries.runs(request.user).filter(project=project, uuid=given["run"]).first()
        if run is None:
            raise serializers.ValidationError({"run": ["This project has no such run."]})
        return actions.add_run_base(run=run, actor=request.user)
    if given["kind"] == BaseModel.Kind.HUB:
        return actions.add_hub_base(**common, hub_id=given["hub_id"], revision=given["revision"])
    return actions.add_packaged_base(**common, name=given["name"] or MINILM)


@operation(
    "GET", "runs_list", Needs("signed_in"), gives=page_out(RunOut, pages.PAGE, "runs"), filters=FILTERS
)
def runs(request: Request, given: dict[str, Any]) -> object:
    """List runs by keyset, or those of a project or with a number; trials stand under the sweep that is asked
    for, not among others.
    """
    if not given.keys() & {"number", "sweep__uuid"}:
        given["sweep__isnull"] = True
    return paging.page(queries.runs(request.user).filter(**given), key_in(request.query_params), pages.PAGE)


@operation("POST", "runs_launch", Needs("signed_in"), takes=RunIn, gives=RunOut, status=201)
def launch(request: Request, given: dict[str, Any]) -> object:
    """Launch a run."""
    snapshot = queries.launchable(request.user).filter(uuid=given.pop("dataset_version")).first()
    base = queries.bases(request.user).filter(uuid=given.pop("base")).first()
    if snapshot is None or base is None:
        raise Http404("Dataset version or base model not found.")
    return actions.launch(snapshot=snapshot, base=base, actor=request.user, **given)


@operation("GET", "runs_read", Needs("training.view", Run), gives=RunOut)
def one_run(request: Request, uuid: UUID) -> object:
    """Get a run with its state and results."""
    return queries.get_run(request.user, uuid)


@operation("POST", "runs_pause", Needs("training.pause", Run, see="training.view"), gives=RunOut)
def pause_run(request: Request, uuid: UUID) -> object:
    """Have it leave its worker at its next step, with a checkpoint, until it is resumed."""
    return actions.pause(run_id=uuid, actor=request.user)


@operation("POST", "runs_stop", Needs("training.stop", Run, see="training.view"), gives=RunOut)
def stop_run(request: Request, uuid: UUID) -> object:
    """Stop it at its next step, with a checkpoint."""
    return actions.stop(run_id=uuid, actor=request.user)


@operation("POST", "runs_resume", Needs("training.launch", Run, see="training.view"), gives=RunOut)
def resume_run(request: Request, uuid: UUID) -> object:
    """Go on from the last checkpoint."""
    return actions.resume(run_id=uuid, actor=request.user)


@operation(
    "POST",
    "runs_reproduce",
    Needs("training.launch", Run, see="training.view"),
    takes=ReproduceIn,
    gives=RunOut,
    status=201,
)
def reproduce_run(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Queue its spec once more; the new run's `repeat` compares the weights."""
    return actions.reproduce(
        run_id=uuid, actor=request.user, key=given["key"], priority=Priority.of(given["priority"])
    )


class ManifestOut(serializers.Serializer[object]):
    """A Kubernetes Job that trains the run's folder. yaml: what `kubectl apply -f -` reads."""

    yaml = serializers.CharField()


@operation(
    "GET",
    "runs_manifest",
    Needs("training.launch", Run, see="training.view"),
    gives={200: ManifestOut, 409: ErrorOut},
)
def run_manifest(request: Request, uuid: UUID) -> Response:
    """The run as a Kubernetes Job."""
    return Response({"yaml": record_page.manifest_of(queries.get_run(request.user, uuid))})


@operation(
    "GET",
    "runs_points",
    Needs("training.view", Run),
    gives=PointsOut,
    parameters=[OpenApiParameter("chart", str, enum=list(pages.CHARTS)), OpenApiParameter("after", int)],
)
def run_points(request: Request, uuid: UUID) -> Response:
    """Points of one chart after a step."""
    chart, after = request.query_params.get("chart", "loss"), request.query_params.get("after", "-1")
    if chart not in pages.CHARTS:
        raise serializers.ValidationError({"chart": [f"Choose one of {', '.join(pages.CHARTS)}."]})
    if not after.removeprefix("-").isdecimal() or len(after) > 10:
        raise serializers.ValidationError({"after": ["Must be a step number."]})
    return Response(pages.new_points(queries.get_run(request.user, uuid), chart, int(after)))


urlpatterns = [
    path("base-models/", methods(bases, add_base), name="api-base-models"),
    path("runs/", methods(runs, launch), name="api-runs"),
    path("runs/<uuid:uuid>/", one_run, name="api-run"),
    path("runs/<uuid:uuid>/pause/", pause_run, name="api-run-pause"),
    path("runs/<uuid:uuid>/stop/", stop_run, name="api-run-stop"),
    path("runs/<uuid:uuid>/resume/", resume_run, name="api-run-resume"),
    path("runs/<uuid:uuid>/reproduce/", reproduce_run, name="api-run-reproduce"),
    path("runs/<uuid:uuid>/manifest/", run_manifest, name="api-run-manifest"),
    path("runs/<uuid:uuid>/points/", run_points, name="api-run-points"),
]
