"""Sweeps over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.jobs.rules import PRIORITY_WORDS, Priority
from lifecycle.modeling.training import actions, pages, queries, search, sweep_queries
from lifecycle.modeling.training.api import StrategyField
from lifecycle.modeling.training.models import Run, Sweep
from lifecycle.modeling.training.rules import RunState
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import IS_NUMBER, IS_UUID, Filters, Request, methods, operation, page_out

FILTERS: Filters = {"project": ("project__uuid", IS_UUID), "number": ("number", IS_NUMBER)}


class SweepOut(serializers.Serializer[Any]):
    """A sweep as programs read it. space: what is searched; options: what is the same in all trials. ended:
    how many trials have. best: the highest leading score on validation so far; leading: its name, macro_f1 or
    for spans micro_f1.
    """

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    number = serializers.IntegerField()
    note = serializers.CharField()
    dataset_version = serializers.UUIDField(source="snapshot.uuid")
    base = serializers.UUIDField(source="base.uuid")
    strategy = serializers.ChoiceField(choices=Run.Strategy.choices)
    space = serializers.DictField()
    options = serializers.DictField()
    trials = serializers.IntegerField(source="trials_wanted")
    sampler = serializers.ChoiceField(choices=Sweep.Sampler.choices)
    seed = serializers.IntegerField()
    prunes = serializers.BooleanField()
    warmup_trials = serializers.IntegerField()
    minutes = serializers.IntegerField(allow_null=True)
    priority = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Sweep.State.choices)
    ending = serializers.DictField(allow_null=True)
    ended = serializers.IntegerField()
    best = serializers.FloatField(allow_null=True)
    leading = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_priority(self, sweep: Sweep) -> str:
        """Of the trial to come: urgent, normal or later."""
        return Priority(sweep.priority).word

    def get_leading(self, sweep: Sweep) -> str:
        """The name of what its trials are compared by."""
        return sweep_queries.leading_of(sweep).name


class TrialOut(serializers.Serializer[Any]):
    """A trial: its run, the settings that were searched, and on validation its leading score and its
    macro-F1, null without a model. evaluations: the leading score at each on the way.
    """

    trial = serializers.IntegerField()
    run = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Run.State.choices)
    settings = serializers.DictField()
    score = serializers.FloatField(allow_null=True)
    macro_f1 = serializers.FloatField(allow_null=True)
    evaluations = serializers.ListField(child=serializers.FloatField())
    error = serializers.DictField(allow_null=True)


class OneSweepOut(SweepOut):
    """The same with its trials in their order, and how much each setting set the best apart: null while too
    few are scored.
    """

    results = TrialOut(many=True)
    importance = serializers.DictField(child=serializers.FloatField(), allow_null=True)


class SweepIn(serializers.Serializer[Sweep]):
    """space: by setting {"low", "high"} with "log", or {"choices": [...]}. options: settings that are the
    same in all trials, in place of those that are suggested. key: the same key again gives the same sweep.
    """

    dataset_version = serializers.UUIDField()
    base = serializers.UUIDField()
    strategy = StrategyField()
    space = serializers.DictField()
    options = serializers.DictField(required=False, default=dict)
    trials = serializers.IntegerField(default=20)
    sampler = serializers.ChoiceField(choices=Sweep.Sampler.choices, default=Sweep.Sampler.TPE)
    seed = serializers.IntegerField(default=1)
    prunes = serializers.BooleanField(default=True)
    warmup_trials = serializers.IntegerField(default=5)
    minutes = serializers.IntegerField(required=False, default=None, allow_null=True)
    priority = serializers.ChoiceField(choices=PRIORITY_WORDS, default=Priority.LATER.word)
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    key = serializers.UUIDField(required=False, default=None, allow_null=True)

    def validate_priority(self, word: str) -> Priority:
        """As the queue knows it."""
        return Priority.of(word)


@operation(
    "GET", "sweeps_list", Needs("signed_in"), gives=page_out(SweepOut, pages.PAGE, "sweeps"), filters=FILTERS
)
def sweeps(request: Request, given: dict[str, Any]) -> object:
    """List sweeps by keyset, or those of a project or with a number."""
    rows = sweep_queries.sweeps(request.user).filter(**given)
    return paging.page(rows, key_in(request.query_params), pages.PAGE)


@operation("POST", "sweeps_start", Needs("signed_in"), takes=SweepIn, gives=SweepOut, status=201)
def start_sweep(request: Request, given: dict[str, Any]) -> object:
    """Start a sweep."""
    snapshot = queries.launchable(request.user).filter(uuid=given.pop("dataset_version")).first()
    base = queries.bases(request.user).filter(uuid=given.pop("base")).first()
    if snapshot is None or base is None:
        raise Http404("Dataset version or base model not found.")
    made = actions.start_sweep(snapshot=snapshot, base=base, actor=request.user, **given)
    return sweep_queries.get_sweep(request.user, made.uuid)


@operation("GET", "sweeps_read", Needs("training.view", Sweep), gives=OneSweepOut)
def one_sweep(request: Request, uuid: UUID) -> Response:
    """Get a sweep with its trials."""
    sweep = sweep_queries.get_sweep(request.user, uuid)
    runs = list(sweep_queries.trials_of(sweep))
    evaluations = sweep_queries.evaluations_of(sweep)
    trials = [
        {
            "trial": run.trial,
            "run": run.uuid,
            "number": run.number,
            "state": run.state,
            "settings": sweep_queries.params_of(sweep, run),
            "score": sweep_queries.score_of(run),
            "macro_f1": run.metrics.get("macro_f1") if run.state == RunState.SUCCEEDED else None,
            "evaluations": evaluations.get(run.pk, ()),
            "error": run.error,
        }
        for run in runs
    ]
    importance = search.importances(search.read_space(sweep.space), sweep_queries.ended_trials(sweep, runs))
    more = {"results": TrialOut(trials, many=True).data, "importance": importance}
    return Response({**SweepOut(sweep).data, **more})


@operation("POST", "sweeps_cancel", Needs("training.stop", Sweep, see="training.view"), gives=SweepOut)
def cancel_sweep(request: Request, uuid: UUID) -> object:
    """Start no other trial, and stop the one that trains."""
    actions.cancel_sweep(sweep_id=uuid, actor=request.user)
    return sweep_queries.get_sweep(request.user, uuid)


urlpatterns = [
    path("sweeps/", methods(sweeps, start_sweep), name="api-sweeps"),
    path("sweeps/<uuid:uuid>/", one_sweep, name="api-sweep"),
    path("sweeps/<uuid:uuid>/cancel/", cancel_sweep, name="api-sweep-cancel"),
]
