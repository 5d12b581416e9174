"""Base models and runs over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.engine.base import MINILM
from lifecycle.jobs.rules import PRIORITY_WORDS, Priority
from lifecycle.task_types.by_key.measures import metrics_of
from lifecycle.training import actions, pages, queries, record_page
from lifecycle.training.models import BaseModel, Run
from lifecycle.ui.addresses import key_in
from registry.access import policy
from registry.access.answers import ErrorOut
from registry.access.decorators import Needs
from registry.access.models import Project
from registry.access.rest import IS_NUMBER, IS_UUID, Request, View, chosen


class StrategyField(serializers.ChoiceField):
    """What learns. A name that isn't known is refused with all that are."""

    default_error_messages = {"invalid_choice": f"Unknown strategy “{{input}}”. Choose one of {', '.join(Run.Strategy.values)}."}

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


class BaseModelIn(serializers.Serializer[BaseModel]):
    """kind package: name where it is not all-MiniLM-L6-v2. folder: path, name. hub: hub_id and revision, a commit. run: run, whose model it
    is."""

    project = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=BaseModel.Kind.choices)
    path = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=120)
    hub_id = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    revision = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)
    run = serializers.UUIDField(required=False, default=None, allow_null=True)


class RunOut(serializers.Serializer[Any]):
    """A run as programs read it. leading: the name of the score in `metrics` that it is known by beside others of its task. priority: of
    its job, which tells its place in line and takes another priority."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    number = serializers.IntegerField()
    note = serializers.CharField()
    snapshot = serializers.UUIDField(source="snapshot.uuid")
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
        """macro_f1, of marked parts micro_f1, of written texts perplexity."""
        return metrics_of(run.task).listed.name

    def get_forgetting(self, run: Run) -> dict[str, Any] | None:
        """Of a run from another run's model: rows that it did not learn from, and by score and class what that one (baseline) and this one
        (candidate) give on them; null where nothing was measured."""
        return run.result.get("forgetting")

    def get_batch(self, run: Run) -> dict[str, int] | None:
        """What passed at a time: batch_size and accumulation, smaller and higher than in the spec where memory ran out; null before its
        end."""
        return run.result.get("batch")

    def get_repeat(self, run: Run) -> dict[str, Any] | None:
        """Of a run that repeats another one and has succeeded: is_same (its weights are equal, bit for bit), differing (files), changed
        (conditions that are not as the first time)."""
        repeat = queries.repeat_of(run)
        return None if repeat is None else {"is_same": repeat.is_same, "differing": list(repeat.differing), "changed": list(repeat.changed)}

    def get_cost(self, run: Run) -> dict[str, Any] | None:
        """What it has cost: seconds, cpu_seconds, peak_memory_mb, stages, price and currency; inference: by graph, what 1,000 answers are
        projected to take, from so many validation rows; null before its end."""
        return queries.cost_of(run)


class RunIn(serializers.Serializer[Run]):
    """options: fields of the engine's spec in place of those that are suggested. key: the same key again gives the same run, and with other
    settings a conflict."""

    snapshot = serializers.UUIDField()
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


class RunPageOut(serializers.Serializer[object]):
    """Up to 30 runs, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = RunOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class PointsOut(serializers.Serializer[object]):
    """New points: trace n grows by the n-th list. next: where to ask again, null when the run has ended."""

    traces = serializers.ListField(child=serializers.IntegerField())
    x = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    y = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    next = serializers.CharField(allow_null=True)


class Bases(View):
    """Base models."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="base_models_list", responses=BasePageOut)
    def get(self, request: Request) -> Response:
        """List base models."""
        return Response({"results": BaseModelOut(queries.bases(request.user)[:200], many=True).data})

    @extend_schema(operation_id="base_models_add", request=BaseModelIn, responses={201: BaseModelOut})
    def post(self, request: Request) -> Response:
        """Add one; a job keeps its files."""
        given = checked(BaseModelIn(data=request.data))
        project = policy.get_visible(request.user, Project, "access.view_project", uuid=given["project"])
        policy.require(request.user, "training.add_base", project)
        common: dict[str, Any] = {"project": project, "actor": request.user}
        if given["kind"] == BaseModel.Kind.FOLDER:
            base = actions.add_folder_base(**common, path=given["path"], name=given["name"])
        elif given["kind"] == BaseModel.Kind.RUN:
            run = queries.runs(request.user).filter(project=project, uuid=given["run"]).first()
            if run is None:
                raise serializers.ValidationError({"run": ["This project has no such run."]})
            base = actions.add_run_base(run=run, actor=request.user)
        elif given["kind"] == BaseModel.Kind.HUB:
            base = actions.add_hub_base(**common, hub_id=given["hub_id"], revision=given["revision"])
        else:
            base = actions.add_packaged_base(**common, name=given["name"] or MINILM)
        return Response(BaseModelOut(base).data, status=201)


class Runs(View):
    """Runs."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(
        operation_id="runs_list", responses=RunPageOut,
        parameters=[
            OpenApiParameter("before", int), OpenApiParameter("project", UUID), OpenApiParameter("number", int),
            OpenApiParameter("sweep", UUID),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """List runs by keyset, or those of a project or with a number; trials are under the sweep that is asked for, not among others."""
        fields = {"project": ("project__uuid", IS_UUID), "number": ("number", IS_NUMBER), "sweep": ("sweep__uuid", IS_UUID)}
        given = chosen(request, **fields)
        if not given.keys() & {"number", "sweep__uuid"}:
            given["sweep__isnull"] = True
        found = list(queries.runs(request.user).filter(**given, **before_in(request))[: pages.PAGE + 1])
        older = found[pages.PAGE - 1].pk if len(found) > pages.PAGE else None
        return Response({"results": RunOut(found[: pages.PAGE], many=True).data, "before": older})

    @extend_schema(operation_id="runs_launch", request=RunIn, responses={201: RunOut})
    def post(self, request: Request) -> Response:
        """Launch a run."""
        given = checked(RunIn(data=request.data))
        snapshot = queries.launchable(request.user).filter(uuid=given.pop("snapshot")).first()
        base = queries.bases(request.user).filter(uuid=given.pop("base")).first()
        if snapshot is None or base is None:
            raise Http404("Dataset version or base model not found.")
        return Response(RunOut(actions.launch(snapshot=snapshot, base=base, actor=request.user, **given)).data, status=201)


class OneRun(View):
    """One run."""

    needs = {"GET": Needs("training.view", Run)}

    @extend_schema(operation_id="runs_read", responses=RunOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """State and result."""
        return Response(RunOut(queries.get_run(request.user, uuid)).data)


class PauseRun(View):
    """Pausing a run."""

    needs = {"POST": Needs("training.pause", Run, see="training.view")}

    @extend_schema(operation_id="runs_pause", request=None, responses=RunOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have it leave its worker at its next step, with a checkpoint, until it is resumed."""
        return Response(RunOut(actions.pause(run_id=uuid, actor=request.user)).data)


class StopRun(View):
    """Stopping a run."""

    needs = {"POST": Needs("training.stop", Run, see="training.view")}

    @extend_schema(operation_id="runs_stop", request=None, responses=RunOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Stop it at its next step, with a checkpoint."""
        return Response(RunOut(actions.stop(run_id=uuid, actor=request.user)).data)


class ResumeRun(View):
    """Resuming a run."""

    needs = {"POST": Needs("training.launch", Run, see="training.view")}

    @extend_schema(operation_id="runs_resume", request=None, responses=RunOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Go on from the last checkpoint."""
        return Response(RunOut(actions.resume(run_id=uuid, actor=request.user)).data)


class ReproduceRun(View):
    """Running a run again."""

    needs = {"POST": Needs("training.launch", Run, see="training.view")}

    @extend_schema(operation_id="runs_reproduce", request=ReproduceIn, responses={201: RunOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Queue its spec once more; the new run's `repeat` tells how the weights compare."""
        given = checked(ReproduceIn(data=request.data))
        made = actions.reproduce(run_id=uuid, actor=request.user, key=given["key"], priority=Priority.of(given["priority"]))
        return Response(RunOut(made).data, status=201)


class ManifestOut(serializers.Serializer[object]):
    """A Kubernetes Job that trains the run's folder. yaml: what `kubectl apply -f -` reads."""

    yaml = serializers.CharField()


class RunManifest(View):
    """A run on a cluster."""

    needs = {"GET": Needs("training.launch", Run, see="training.view")}

    @extend_schema(operation_id="runs_manifest", responses={200: ManifestOut, 409: ErrorOut})
    def get(self, request: Request, uuid: UUID) -> Response:
        """The run as a Kubernetes Job."""
        return Response({"yaml": record_page.manifest_of(queries.get_run(request.user, uuid))})


class RunPoints(View):
    """The curves of a run."""

    needs = {"GET": Needs("training.view", Run)}

    @extend_schema(
        operation_id="runs_points", responses=PointsOut,
        parameters=[OpenApiParameter("chart", str, enum=list(pages.CHARTS)), OpenApiParameter("after", int)],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """Points of one chart after a step."""
        chart, after = request.query_params.get("chart", "loss"), request.query_params.get("after", "-1")
        if chart not in pages.CHARTS:
            raise serializers.ValidationError({"chart": [f"Choose one of {', '.join(pages.CHARTS)}."]})
        if not after.removeprefix("-").isdecimal() or len(after) > 10:
            raise serializers.ValidationError({"after": ["Must be a step number."]})
        return Response(pages.new_points(queries.get_run(request.user, uuid), chart, int(after)))


def before_in(request: Request) -> dict[str, int]:
    """The filter of ?before=. Raises Unreadable."""
    before = key_in(request.query_params)
    return {} if before is None else {"id__lt": before}


def checked(given: serializers.Serializer[Any]) -> dict[str, Any]:
    """The input as plain values. Raises ValidationError."""
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(given.validated_data)
    return values


urlpatterns = [
    path("base-models/", Bases.as_view(), name="api-base-models"),
    path("runs/", Runs.as_view(), name="api-runs"),
    path("runs/<uuid:uuid>/", OneRun.as_view(), name="api-run"),
    path("runs/<uuid:uuid>/pause/", PauseRun.as_view(), name="api-run-pause"),
    path("runs/<uuid:uuid>/stop/", StopRun.as_view(), name="api-run-stop"),
    path("runs/<uuid:uuid>/resume/", ResumeRun.as_view(), name="api-run-resume"),
    path("runs/<uuid:uuid>/reproduce/", ReproduceRun.as_view(), name="api-run-reproduce"),
    path("runs/<uuid:uuid>/manifest/", RunManifest.as_view(), name="api-run-manifest"),
    path("runs/<uuid:uuid>/points/", RunPoints.as_view(), name="api-run-points"),
]
