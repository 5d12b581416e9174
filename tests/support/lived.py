"""An installation that has lived through everything once: a row in every table, made by the product's own
actions.

`python -m tests.support.upgrade` keeps it with the version that made it. One of its models is really trained,
so that it can serve; what the others answer is drawn with a seed.
"""

from __future__ import annotations

import io
import json
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import transaction
from django.test import Client
from django.utils import timezone

from datasets_app.assist.actions.learning import learn
from datasets_app.assist.actions.suggesting import retire_function
from datasets_app.datasets import actions as datasets
from datasets_app.exchange.actions.corrections.reviewing import upload_corrections
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.queues.actions.answers import skip
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.comments import comment, flag
from datasets_app.queues.actions.opening import open_queue
from datasets_app.review.actions.checks import start_check
from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots import queries as frozen
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.rules import Device
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation import compare
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.models import Run
from lifecycle.roof.trace import actions as trace
from lifecycle.runtime.engine.flips import Flip
from monitoring.alerts import tasks as alerts
from monitoring.drift import actions as drift
from monitoring.drift.rules import DAY, Span
from monitoring.retraining import actions as retraining
from monitoring.rollouts import actions as rollouts
from monitoring.traffic import actions as traffic
from monitoring.traffic.actions.deposit import Place, deposit
from monitoring.traffic.actions.feedback import Entry
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import Prediction
from monitoring.traffic.rules import floor
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion, RegisteredModel
from registry.endpoints import actions as endpoints
from registry.endpoints.queries import deployments
from registry.ground.access import actions as access
from registry.ground.access import governing
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.ledger import checkpoints
from registry.policies.actions import publish
from registry.promotions import actions as promotions
from registry.promotions import plans
from tests.datasets_app.assist.test_learning import words_alone
from tests.monitoring.rollouts.conftest import QUICK, Street, key
from tests.support import changing, functions, gold, golden, registry
from tests.support.alerts import make_alerts
from tests.support.datasets import csv_bytes, import_file, import_texts, make_dataset, receive
from tests.support.endpoints import spool_line, write_segment, write_status
from tests.support.evaluations import made_probes
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok
from tests.support.labeling import label_items, make_schema, queue_items
from tests.support.people import PASSWORD, PEOPLE, make_project, sign_in
from tests.support.scanning import scan
from tests.support.snapshots import freeze
from tests.support.sweeps import make_sweep
from tests.support.tiny_models import make_tiny_base
from tests.support.tools import annotation, as_json, choice, lines, packed
from tests.support.tools import task as tool_task
from tests.support.training import labeled_dataset, make_base, make_run
from tests.support.warm import ended_engine
from tests.task_types.examples import BUILT_IN

NOTE = "Once in the life of an installation."
TEAM = ("billing", "card", "transfer")
QUICKLY = {"epochs": 3, "batch_size": 8, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}
LAX = """
format: 1
name: standard
title: What few rows can show
gates: {leakage: {}, signature: {}}
steps: [{name: technical, title: Technical review, role: lead}, {name: governance, title: Governance review, role: governance}]
days_to_decide: 14
days_valid: 7
"""  # noqa: E501


class Lived:
    """people by user name; what later chapters go on with is named in `things`."""

    def __init__(self) -> None:
        self.project = make_project()
        self.people: dict[str, User] = {}
        self.things: dict[str, Any] = {}

    def live(self) -> None:
        """All chapters in their order."""
        for chapter in CHAPTERS:
            chapter(self)

    def __getattr__(self, name: str) -> Any:
        if name in ("things", "people"):
            raise AttributeError(name)
        return self.people.get(name) or self.things[name]

    # ── People ──────────────────────────────────────────────────────────────
    def accounts(self) -> None:
        """People with their roles; a second factor, an address to be confirmed, a session, tokens, a proposed
        role.
        """
        for name, role in PEOPLE.items():
            made = access.create_user(
                username=name,
                display_name=name.capitalize(),
                email=f"{name}@example.test",
                password=PASSWORD,
                actor=None,
            )
            self.people[name] = made
            if role:
                access.grant(user=made, role=role, root=self.project, actor=None)
        for name in ("adam", "eva"):
            self.people[name] = access.create_user(
                username=name,
                display_name=name.capitalize(),
                email=f"{name}@example.test",
                password=PASSWORD,
                actor=None,
                admin=True,
            )
        TOTP.activate(self.aida, generate_totp_secret())
        waiting = EmailAddress.objects.create(user=self.otto, email="otto@elsewhere.test")
        confirmation = EmailConfirmation.create(waiting)
        confirmation.sent = timezone.now()
        confirmation.save()
        sign_in(Client(), self.mia)
        governing.change(
            person=self.ben,
            role=Role.GOVERNANCE,
            project=self.project,
            gives=True,
            actor=self.adam,
            password=PASSWORD,
        )
        access.create_token(user=self.ana, name="nightly", scopes=["read"], days=300)

    # ── Data ────────────────────────────────────────────────────────────────
    def tasks(self) -> None:
        """A dataset of each task: imported, annotated, resolved, versioned, exported for every tool and in
        every format; a run, a model version.
        """
        people = {f"g{name}": person for name, person in self.people.items()}
        for task in BUILT_IN:
            dataset = golden.annotated(self.project, task, people)
            snapshot = freeze(dataset, self.mia, seed=1)
            golden.exports(dataset, self.mia)
            for form in frozen.export_formats(snapshot):
                snapshots.export(snapshot_id=snapshot.uuid, actor=self.mia, format=form)
            datasets.export_items(dataset_id=dataset.uuid, actor=self.mia, filters={})
            run_ok("default")
            run = golden.trained(self.project, snapshot, self.mia)
            self.register(run, self.model(task.replace("_", "-")))

    def model(self, slug: str) -> RegisteredModel:
        """A name for versions."""
        return catalog.create_model(
            project=self.project,
            name=slug.title(),
            slug=slug,
            purpose=registry.STATED["purpose"],
            actor=self.mia,
        )

    def register(self, run: Run, model: RegisteredModel, semver: str = "1.0.0") -> ModelVersion:
        """A version of a run, sealed by the real job."""
        catalog.register(model=model, run=run, semver=semver, actor=self.mia, stated=registry.STATED)
        run_ok("default")
        return ModelVersion.objects.get(model=model, semver=semver)

    def team(self) -> None:
        """A queue of two annotators with gold items, labeling functions, a skip, comments, an agreement
        sample, and a quality report.
        """
        mia, ana, ben, ravi = self.mia, self.ana, self.ben, self.ravi
        dataset = self.things["team"] = make_dataset(self.project, mia, "Team")
        access.grant(user=self.otto, role=Role.ANALYST, root=dataset, actor=None)
        schema = make_schema(dataset, mia, TEAM, "Choose what the customer wants.")
        import_texts(
            dataset, [f"my card {n} is lost" if n % 3 else f"pay bill {n} again" for n in range(24)], mia
        )
        for file_name, content in files().items():
            import_file(dataset, mia, content, file_name)
        receive(dataset, ana, csv_bytes([("one that waits", "card")], ("text", "label")))
        items = list(dataset.items.order_by("id"))
        for item in items[:2]:
            gold.know(item, ravi, {"label": "card"}, explanation="Cards that are lost are about cards.")
        functions.write(dataset, mia, "lost", "card")
        gone = functions.write(dataset, mia, "found", "card")
        functions.apply(dataset, mia)
        retire_function(function_id=gone.uuid, actor=mia)
        queue = self.things["queue"] = open_queue(
            dataset_id=dataset.uuid,
            actor=mia,
            name="Team",
            overlap=2,
            acceptance="reviewer",
            people=[ana, ben],
            gold_rate=10,
        )
        label_items(
            queue,
            {ana: ["card"] * 9 + ["billing"], ben: ["card"] * 9 + ["transfer"]},
            queue_items(queue)[:10],
        )
        slot = claim(queue_id=queue.uuid, actor=ana, k=1)[0]
        skip(
            queue_id=queue.uuid,
            actor=ana,
            slot_id=slot.pk,
            client_key=uuid.uuid4(),
            reason="Two wishes in one.",
        )
        item = queue_items(queue)[9]
        comment(queue_id=queue.uuid, actor=ana, item_id=item.uuid, text="@ben look at this one.")
        flag(queue_id=queue.uuid, actor=ben, item_id=item.uuid, text="Neither fits.")
        start_check(queue_id=queue.uuid, actor=ravi, size=3, tolerated=10)
        measure_quality(queue_id=queue.uuid, actor=mia)
        label = schema.labels.get(name="card").stable_id
        propose_change(
            dataset_id=dataset.uuid, actor=ana, text="Say what a card is.", labels=[label], item_id=item.uuid
        )
        upload_corrections(
            dataset=dataset, actor=ravi, content=[b"item,decision,label\n"], file_name="corrections.csv"
        )
        datasets.save_slice(
            dataset_id=dataset.uuid, actor=ana, name="Cards", filters={"q": "card"}, shared=True
        )
        run_ok("default")
        scan(dataset, ravi)
        with words_alone():
            by_model = open_queue(dataset_id=dataset.uuid, actor=mia, name="By model", order="model")
            label_items(by_model, {ana: ["card", "billing"] * 4}, queue_items(by_model)[:8])
            learn(queue_id=by_model.uuid, actor=mia)
            run_ok("default")
        changing.change(dataset, mia, ("transfer", "merge", ["billing"]))
        run_ok("default")

    # ── Models ──────────────────────────────────────────────────────────────
    def models(self) -> None:
        """A run that really learns, one beside it, their comparison, an analysis, a search, steps that are
        tried, two put side by side.
        """
        mia = self.mia
        snapshot = self.things["snapshot"] = freeze(
            labeled_dataset(self.project, mia, name="Messages", copies=16),
            mia,
            shares={"train": 60, "validation": 20, "test": 20},
        )
        with tempfile.TemporaryDirectory() as scratch:
            base = make_base(
                self.project, mia, folder=make_tiny_base(Path(scratch) / "base"), name="tiny-words"
            )
        run = self.things["run"] = training.launch(
            snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICKLY
        )
        run_ok("training", "evaluation")
        run.refresh_from_db()
        other = self.things["other"] = make_run(snapshot, mia, base=base, accuracy=0.8)
        training.record_events(other, [FINDING])
        first = run.evaluations.get(split="test")
        with mock.patch.object(compare, "LARGE", 0):
            evaluation.start_comparison(a=first, b=other.evaluations.get(split="test"), actor=mia)
            run_ok("default", "evaluation")
        flips = [
            Flip("typos", item, "card", "card", 0.9, "refund", 0.6, 1.0, 0.0)
            for item in evaluations.rows_of(first).ids[:2]
        ]
        made_probes(first, mia, flips)
        training.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia)
        make_sweep(snapshot, mia, base=base, note=NOTE)
        self.beside()

    def beside(self) -> None:
        """Two runs that write texts, put side by side for people to choose."""
        snapshot = generation_snapshot(
            self.project, self.mia, shares={"train": 40, "validation": 20, "test": 40}
        )
        decoder = make_decoder(self.project, self.mia)
        runs = [
            make_generation_run(snapshot, self.mia, decoder, quality=quality, splits=("test",))
            for quality in (1.0, 0.0)
        ]
        first, second = (run.evaluations.get() for run in runs)
        evaluation.ask_people(first=first, second=second, actor=self.mia)
        run_ok("default")

    # ── Release ─────────────────────────────────────────────────────────────
    def release(self) -> None:
        """The trained version goes live by two approvals; a second one waits for its canary, a third one is a
        shadow.
        """
        mia, omar, lee = self.mia, self.omar, self.lee
        publish(text=LAX, actor=None)
        model = self.model("messages")
        access.grant(user=self.otto, role=Role.AUDITOR, root=model, actor=None)
        version = self.things["version"] = self.register(self.run, model)
        self.things["second"] = self.register(self.other, model, "1.1.0")
        endpoint = catalog.create_endpoint(
            model=model, slug="messages-prod", environment="production", keep_text=True, actor=mia
        )
        self.things["endpoint"] = endpoint
        request = registry.approved_request(version, endpoint, mia, lee, self.gita)
        promotions.comment(request_id=request.uuid, actor=self.ana, text=NOTE)
        endpoints.deploy(request_id=request.uuid, actor=omar)
        registry.exported(version, mia).close()
        endpoints.create_token(endpoint_id=endpoint.uuid, name="app", days=300, actor=lee)
        staging = catalog.create_endpoint(
            model=model, slug="messages-test", environment="staging", keep_text=True, actor=mia
        )
        self.things["staging"] = staging
        endpoints.deploy(
            request_id=registry.approved_request(version, staging, mia, lee, self.gita).uuid, actor=omar
        )
        write_status(drills=True, at=(timezone.now() + timedelta(hours=1)).isoformat(timespec="milliseconds"))
        endpoints.inject_fault(
            deployment_id=deployments.live_deployment(staging).uuid,
            share=100,
            kind="error",
            actor=omar,
            reason=NOTE,
        )
        asked = registry.approved_request(self.second, staging, mia, lee, self.gita, plans.by_hand(500))
        self.things["closed"] = endpoints.deploy(request_id=asked.uuid, actor=omar)

    # ── What is watched ─────────────────────────────────────────────────────
    def watch(self) -> None:
        """Traffic by the spool, an automatic canary, a shadow, feedback, drift, alerts, a business
        figure, a retraining.
        """
        mia, omar, lee, endpoint = self.mia, self.omar, self.lee, Endpoint.objects.get(pk=self.endpoint.pk)
        street = Street(endpoint)
        street.shift(-12)
        request = registry.approved_request(
            self.second, endpoint, mia, lee, self.gita, {"kind": "canary", **QUICK, "steps": [500, 10_000]}
        )
        street.feed(-30, stable=(400, 2))
        rollouts.start(request_id=request.uuid, actor=mia, now=street.at(0))
        for minute in range(1, 4):
            street.feed(minute, stable=(20, 1), canary=(10, 1), key=key("a customer"))
        street.tick(6)
        shadow = endpoints.start_shadow(
            endpoint_id=endpoint.uuid, version_id=self.third().uuid, share=100, actor=omar
        )
        answered = Prediction.objects.filter(endpoint=endpoint, code=200).latest("id")
        write_segment(
            shadow_line(shadow, answered),
            guard_line(self.closed),
            *self.texts(endpoint),
            name="20260101-9000.jsonl",
        )
        traffic.ingest()
        predicted = list(
            Prediction.objects.filter(endpoint=endpoint, text__startswith="new wish").order_by("id")
        )
        traffic.record_many(
            entries=[Entry(each.uuid, False, "refund", "truth") for each in predicted[:10]], actor=mia
        )
        self.figures(endpoint)
        self.drifts(endpoint)
        make_alerts(endpoint, omar, note=NOTE)
        alerts.evaluate()
        retraining.set_trigger(
            endpoint_id=endpoint.uuid, kind="drift", actor=lee, threshold=0.2, enabled=True
        )
        proposal = retraining.propose(
            endpoint_id=endpoint.uuid, actor=mia, note=NOTE, min_labels=8, queue_items=15
        )
        retraining.advance(proposal.uuid)
        run_ok("default")
        retraining.advance(proposal.uuid)
        with ended_engine():
            trace.find_neighbours(prediction=predicted[0], actor=mia)
            trace.attribute_words(prediction=predicted[0], actor=mia)
            run_ok("default")
            run_ok("evaluation")

    def third(self) -> ModelVersion:
        """Another version of the model, from another seed."""
        run = make_run(self.snapshot, self.mia, base=self.run.base, accuracy=0.85, seed=3, splits=("test",))
        return self.register(run, self.second.model, "1.2.0")

    def texts(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        """Answers of yesterday with their texts."""
        at = timezone.now() - timedelta(hours=20)
        moments = [(at + timedelta(seconds=n)).isoformat(timespec="milliseconds") for n in range(60)]
        return [
            spool_line(endpoint, (f"new wish number {n} please", "card", 0.4 + n / 200), at=each)
            for n, each in enumerate(moments)
        ]

    def figures(self, endpoint: Endpoint) -> None:
        """A business figure with what came of cases, and a minute in which no server answers."""
        kpi = traffic.define_kpi(
            endpoint_id=endpoint.uuid,
            name="Handled at once",
            direction="up",
            kind="share",
            holdout_share=0.1,
            actor=self.lee,
            unit="%",
        )
        at = timezone.now() - timedelta(hours=3)
        cases = [
            traffic.Case(
                uuid=uuid.uuid4(), arm=("model", "holdout")[n % 2], value=n % 3 > 0, at=at, subject=str(n)
            )
            for n in range(8)
        ]
        traffic.record_outcomes(kpi_id=kpi.uuid, cases=cases, actor=self.mia)
        with mock.patch(
            "monitoring.traffic.actions.probing.httpx.get",
            side_effect=httpx.ConnectError("Connection refused."),
        ):
            traffic.probe()

    def drifts(self, endpoint: Endpoint) -> None:
        """Three days with nearly always the same predicted label, and a check of yesterday's texts."""
        version, today = endpoint.alias.version, floor(timezone.now(), DAY)
        days = [Span(today - ago * DAY, today - (ago - 1) * DAY) for ago in (4, 3, 2)]
        for day in days:
            many = Counts(
                requests=600,
                answers=600,
                labels={"card": 580, "refund": 10, "login": 10},
                confidence={"48": 600},
            )
            with transaction.atomic():
                deposit(
                    {Place(endpoint.pk, version.pk, "stable", day.start + timedelta(hours=9)): many},
                    timezone.now(),
                )
        traffic.build_rollups()
        for day in days:
            drift.measure(endpoint, version, day)
        with ended_engine():
            drift.check_texts_of_day(endpoint, version, Span(today - DAY, today))
            run_ok("default")

    def rest(self) -> None:
        """A deployment freeze, a past worker, and a signed audit log that can be verified at any time."""
        until = timezone.now() + timedelta(days=3)
        catalog.freeze(endpoint_id=self.staging.uuid, reason=NOTE, until=until, actor=self.lee)
        jobs.announce(["default"], Device.CPU)
        checkpoints.sign_checkpoints()


CHAPTERS = (Lived.accounts, Lived.tasks, Lived.team, Lived.models, Lived.release, Lived.watch, Lived.rest)
FINDING = {
    "seq": 90,
    "at": "2026-11-24T12:01:05.000+00:00",
    "kind": "finding",
    "code": "overfitting",
    "severity": "watch",
    "title": "Validation loss rises from step 40 on.",
    "detail": "From 1.00 to 1.20.",
    "next_step": "Train less.",
    "from_step": 40,
    "to_step": 60,
}


def shadow_line(shadow: Any, answered: Prediction) -> dict[str, Any]:
    """A shadow's prediction for a served request."""
    version = shadow.version
    return {
        "kind": "shadow",
        "uuid": str(uuid.uuid4()),
        "at": answered.at.isoformat(),
        "endpoint": shadow.endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "deployment": str(shadow.uuid),
        "prediction": str(answered.uuid),
        "code": 200,
        "label": "refund",
        "confidence": 0.7,
        "agrees": False,
        "kl": 0.4,
        "latency_ms": 5.0,
        "primary_latency_ms": 4.0,
        "key": "",
    }


def guard_line(deployment: Any) -> dict[str, Any]:
    """A canary that its server closed."""
    return {
        "kind": "guard",
        "uuid": str(uuid.uuid4()),
        "at": timezone.now().isoformat(),
        "endpoint": deployment.endpoint.full_name,
        "deployment": str(deployment.uuid),
        "failures": 12,
        "of": 20,
    }


def files() -> dict[str, bytes]:
    """A file of every kind that can be imported, by its name."""

    def rows(kind: str) -> list[dict[str, Any]]:
        return [{"text": f"from {kind}, number {n}", "label": TEAM[n % 3]} for n in range(3)]

    def tabular(separator: str, kind: str) -> bytes:
        return "".join(
            f"{separator.join(each)}\n" for each in [("text", "label"), *(row.values() for row in rows(kind))]
        ).encode()

    parquet, book, sheet = io.BytesIO(), openpyxl.Workbook(), io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows("parquet")), parquet)
    for row in [("text", "label"), *(each.values() for each in rows("excel"))]:
        book.active.append(list(row))
    book.save(sheet)
    return {
        "rows.csv": csv_bytes([row.values() for row in rows("comma")], ("text", "label")),
        "rows.tsv": tabular("\t", "tab"),
        "rows.jsonl": lines(*rows("lines")),
        "rows.json": json.dumps(rows("list")).encode(),
        "rows.parquet": parquet.getvalue(),
        "rows.xlsx": sheet.getvalue(),
        "rows.txt": b"a line of text\nanother line of text\n",
        "project.json": as_json([tool_task(1, "from a labeling tool", annotation(7, choice("card")))]),
        "packed.zip": packed(inside__csv=csv_bytes([("from an archive", "card")], ("text", "label"))),
    }
