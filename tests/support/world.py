"""One project in which every kind of thing exists once, for tests that walk over the whole site and change
nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from datasets_app.assist.actions.suggesting import write_function
from datasets_app.datasets import actions as datasets
from datasets_app.exchange.actions.corrections.reviewing import upload_corrections
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.queues.actions.comments import comment
from datasets_app.queues.actions.opening import open_queue
from datasets_app.review.models import SpotCheck
from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Export
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.notices.models import Notice
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.modeling.training.actions import estimate as try_steps
from monitoring.drift import actions as drift
from monitoring.drift.rules import running_span
from monitoring.traffic import actions as traffic
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.ground.access import actions as access
from registry.ground.access.models import RoleProposal, User
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.policies.models import Policy
from registry.promotions import actions as promotions
from tests.support import registry
from tests.support.alerts import make_alerts
from tests.support.datasets import csv_bytes, import_file, import_texts, make_dataset, receive
from tests.support.endpoints import deployed_endpoint, spool_line, write_segment
from tests.support.jobs import run_ok
from tests.support.people import PASSWORD, PEOPLE, make_person, make_project
from tests.support.retraining import make_proposal
from tests.support.rollouts import make_rollout
from tests.support.scanning import scan
from tests.support.sweeps import make_sweep
from tests.support.tools import annotation, as_json, choice, task
from tests.support.training import make_run

SCRIPT = "<script>alert(1)</script>"  # part of every text that users can enter
NUMBER = "4929 0000 1111"  # part of every item text of the world, and of nothing else
SECRET = f"My card {NUMBER} was stolen {SCRIPT}"


class World:
    """people by user name, things by name: dataset, upload, item, queue … each a saved object of the one
    project.

    zoe: an ML lead of another project. otto: a person without any role. adam: the organisation's admin.
    """

    def __init__(self) -> None:
        self.project = make_project()
        self.people: dict[str, User] = {
            name: make_person(name, project=self.project, role=role) for name, role in PEOPLE.items()
        }
        User.objects.filter(username="mia").update(display_name=f"Mia {SCRIPT}")
        self.people["mia"].refresh_from_db()
        self.people["zoe"] = make_person(
            "zoe", project=make_project("elsewhere", "Elsewhere"), role=Role.LEAD
        )
        self.people["adam"] = User.objects.create_user("adam", password=PASSWORD, is_organisation_admin=True)
        self.things: dict[str, Any] = {"project": self.project}
        self.add_data()
        self.add_registry()
        self.add_traffic()
        self.add_the_rest()

    def __getitem__(self, thing: str) -> UUID:
        return self.things[thing].uuid

    def add_data(self) -> None:
        """A dataset with a pending upload, items, labels, a queue, and a version with an exported file."""
        people, things = self.people, self.things
        dataset = make_dataset(self.project, people["mia"], f"Inbox {SCRIPT}")
        import_texts(
            dataset,
            [(f"{SECRET} {n}", ("billing", f"card {SCRIPT}")[n % 2]) for n in range(12)],
            people["mia"],
        )
        import_texts(dataset, [f"{SECRET} again {n}" for n in range(4)], people["mia"])
        queue = open_queue(dataset_id=dataset.uuid, actor=people["mia"], name=f"Batch {SCRIPT}")
        waiting = receive(
            dataset, people["ana"], csv_bytes([(f"{SECRET} waiting", "card")], ("text", "label"))
        )
        job = snapshots.freeze(
            dataset=dataset, actor=people["mia"], shares={"train": 60, "validation": 20, "test": 20}
        )
        run_ok("default")
        label = dataset.schemas.latest("version").labels.all()[0].stable_id
        things["function"] = write_function(
            dataset_id=dataset.uuid,
            actor=people["mia"],
            name=SCRIPT,
            label=label,
            kind="words",
            pattern="card",
        )
        things["slice"] = datasets.save_slice(
            dataset_id=dataset.uuid,
            actor=people["ana"],
            name=f"Slice {SCRIPT}",
            filters={"q": SECRET},
            shared=True,
        )
        things |= {"dataset": dataset, "item": dataset.items.first(), "queue": queue, "upload": waiting}
        things["check"] = SpotCheck.objects.create(
            queue=queue, waiting=1, last=1, tolerated=2, created_by=people["ravi"]
        )
        things["guideline"] = propose_change(
            dataset_id=dataset.uuid,
            actor=people["ana"],
            text=SCRIPT,
            labels=[label],
            item_id=queue.slots.first().item.uuid,
        )
        scan(dataset, people["ravi"])
        things["finding"] = dataset.findings.earliest("id")
        things["snapshot"] = dataset.snapshots.get(uuid=job.args["snapshot"])
        snapshots.export(snapshot_id=things["snapshot"].uuid, actor=people["mia"], format="csv")
        run_ok("default")
        things["export"] = Export.objects.get()
        things["correction"] = upload_corrections(
            dataset=dataset,
            actor=people["ravi"],
            content=[b"item,decision,label\n"],
            file_name=f"{SCRIPT}.csv",
        )
        export_annotations(dataset_id=dataset.uuid, actor=people["mia"], format="labelstudio")
        things["project_file"] = import_file(
            dataset, people["mia"], as_json([task(1, SECRET, annotation(7, choice("card")))]), "project.json"
        )
        things["answers"] = dataset.annotation_exports.get()
        datasets.export_items(dataset_id=dataset.uuid, actor=people["mia"], filters={"q": "card"})
        run_ok("default")
        things["item_file"] = dataset.item_exports.get()
        things["job"] = Job.objects.filter(kind="snapshots.create").latest("id")

    def add_registry(self) -> None:
        """A model with a live version, its run and evaluation, and a second version whose promotion waits."""
        things, mia = self.things, self.people["mia"]
        endpoint = deployed_endpoint(self.project)
        version = endpoint.alias.version
        registry.exported(version, mia).close()
        newer = registry.make_version(
            self.project,
            mia,
            self.people["ravi"],
            model=version.model,
            semver="1.1.0",
            stated=dict.fromkeys(registry.STATED, SCRIPT),
        )
        other = registry.make_endpoint(version.model, mia)
        things |= {"endpoint": endpoint, "version": version, "model": version.model}
        things |= {
            "promotion": registry.asked_request(newer, other, mia, note=SCRIPT),
            "deployment": Deployment.objects.get(),
        }
        things["rollout"] = make_rollout(other, newer, things["promotion"], mia, reason=SCRIPT)
        until = timezone.now() + timedelta(days=3)
        things["freeze"] = catalog.freeze(
            endpoint_id=endpoint.uuid, reason=SCRIPT, until=until, actor=self.people["lee"]
        )
        run = make_run(things["snapshot"], mia, splits=["test"])
        type(run).objects.filter(pk=run.pk).update(note=SCRIPT)
        things["estimate"] = try_steps(snapshot=things["snapshot"], base=run.base, strategy="lora", actor=mia)
        things["sweep"] = make_sweep(things["snapshot"], mia, base=run.base, note=SCRIPT)
        things |= {"run": run, "evaluation": run.evaluations.get(), "policy": Policy.objects.first()}
        things["side"] = SideBySide.objects.create(
            first=things["evaluation"],
            second=things["evaluation"],
            upload=things["upload"],
            pairs=10,
            same=0,
            swapped=[],
            seed=1,
            created_by=mia,
            dataset=make_dataset(self.project, mia, f"Pairs {SCRIPT}", task="preference"),
        )

    def add_traffic(self) -> None:
        """One answered request."""
        write_segment(spool_line(self.things["endpoint"], (SECRET, "billing", 0.9)))
        traffic.ingest()
        self.things["prediction"] = Prediction.objects.get()
        self.things["kpi"] = traffic.define_kpi(
            endpoint_id=self["endpoint"],
            name=SCRIPT,
            unit=SCRIPT[:20],
            direction="up",
            kind="number",
            holdout_share=0.1,
            actor=self.people["lee"],
        )
        endpoint = self.things["endpoint"]
        self.things |= make_alerts(endpoint, self.people["omar"], note=SCRIPT)
        self.things["retraining"] = make_proposal(endpoint, self.people["mia"], note=SCRIPT)
        self.things["drift"] = drift.measure(endpoint, endpoint.alias.version, running_span(timezone.now()))

    def add_the_rest(self) -> None:
        """A notice and a token, both Ana's; an event; a person, and a role proposed for them."""
        ana = self.people["ana"]
        self.things["proposal"] = RoleProposal.objects.create(
            project=self.project,
            person=self.people["ben"],
            role=Role.AUDITOR,
            gives=True,
            proposed_by=self.people["adam"],
        )
        promotions.comment(request_id=self["promotion"], actor=ana, text=SCRIPT)
        comment(
            queue_id=self["queue"],
            actor=ana,
            item_id=self.things["queue"].slots.first().item.uuid,
            text=SCRIPT,
        )
        self.things["notice"] = Notice.objects.create(user=ana, text=SCRIPT, url="/datasets/")
        self.things["token"], _ = access.create_token(user=ana, name="nightly", scopes=["read"], days=9)
        self.things["endpoint_token"], _ = endpoints.create_token(
            endpoint_id=self["endpoint"], name=SCRIPT, days=9, actor=self.people["lee"]
        )
        self.things["event"] = (
            Event.objects.filter(project=self.project.uuid).exclude(actor=str(ana.uuid)).latest("id")
        )
        self.things["person"] = self.people["ben"]
