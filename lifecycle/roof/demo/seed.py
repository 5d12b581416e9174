"""The first steps of the demo: from a file to a live version, each by the right people.

Each uses the product's own actions and checks first whether it is done, so that a killed job continues where
it was.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid5

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import Provenance
from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Dispute, Queue
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models import Label
from datasets_app.schemas.rules import LabelSpec
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.roof.demo import inbox
from lifecycle.roof.demo.people import passwords
from lifecycle.runtime.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion, RegisteredModel
from registry.ground.access.models import Project, User
from registry.promotions import actions as promotions
from registry.promotions.models import GateResult, PromotionRequest
from registry.promotions.rules import Status

HISTORY, NEW = 1_900, 600
OVERLAP, ANSWERED, LEFT_DISPUTED = 3, 150, 12
KEYS = UUID("6f1d2c52-7a0e-4d6e-9a43-2f8f0b6a5c11")  # namespace of the demo's idempotency keys
POLL_SECONDS = 0.5
INVENTED = Provenance(
    origin="Lifecycle's demo generator", licence="CC0", synthetic=True, generator="lifecycle.roof.demo.inbox"
)
GUIDELINE = """# Support inbox

Choose what the customer **wants from us now**, not everything they mention.

- A date that has passed makes it *delivery_late*; without one it is *order_status*.
- Broken is *damaged_item*; another item than ordered is *wrong_item*.
- Nothing sent back yet is *return_item*; money asked for is *refund_status*.
- If two wishes are there, the one that needs a person first.
"""


@dataclass(frozen=True)
class Stage:
    """The demo's project, and the job that seeds it."""

    ctx: JobContext
    project: Project

    def user(self, username: str) -> User:
        """One of the demo's people."""
        return User.objects.get(username=username)

    def wait(self, find: Callable[[], Any]) -> Any:
        """Wait until something is there, such as the end of another job."""
        while not (found := find()):
            self.ctx.raise_if_cancelled()
            time.sleep(POLL_SECONDS)
        return found

    def wait_for(self, job: Job) -> None:
        """Wait until a job has ended. Raises Refused when it did not succeed."""

        def ended() -> Job | None:
            return Job.objects.filter(pk=job.pk).exclude(state__in=[State.QUEUED, State.RUNNING]).first()

        found: Job = self.wait(ended)
        if found.state != State.SUCCEEDED:
            raise Refused(
                f"The demo stopped: {found.kind} ended as {found.state}. {found.error}",
                next_step=found.next_step,
            )


def dataset(stage: Stage) -> Dataset:
    """Ana makes the dataset."""
    found = Dataset.objects.filter(project=stage.project, slug="support-messages").first()
    about = "Synthetic customer support messages. No real person wrote them."
    return found or datasets.create_dataset(
        project=stage.project,
        actor=stage.user("ana"),
        name="Support messages",
        slug="support-messages",
        description=about,
        language="en",
        licence="CC0",
    )


def upload(
    stage: Stage, target: Dataset, name: str, messages: list[inbox.Message], *, labeled: bool
) -> Upload:
    """Ana uploads a file, reviews the dry run, and accepts it."""
    ana = stage.user("ana")
    found = (
        Upload.objects.filter(dataset=target, file_name=name).exclude(state=Upload.State.DISCARDED).first()
    )
    if found is None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            write_csv(path, messages, labeled=labeled)
            found = datasets.receive_upload(
                dataset=target, actor=ana, file=path, file_name=name, provenance=INVENTED
            )
    if found.state == Upload.State.RECEIVED:
        found = datasets.inspect(upload_id=found.uuid, actor=ana)
    if found.state == Upload.State.INSPECTED:
        datasets.accept_upload(upload_id=found.uuid, actor=ana, labels_as=Upload.Labels.DECISIONS)
    imported: Upload = stage.wait(
        lambda: Upload.objects.filter(
            pk=found.pk, state__in=[Upload.State.IMPORTED, Upload.State.FAILED]
        ).first()
    )
    if imported.state == Upload.State.FAILED:
        raise Refused(f"The demo stopped: {name} wasn't imported.")
    return imported


def write_csv(path: Path, messages: list[inbox.Message], *, labeled: bool) -> None:
    """The file as a customer-care system would export it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", *(["intent"] if labeled else []), "received_at", "channel"])
        for message in messages:
            label = [message.intent] if labeled else []
            writer.writerow(
                [f"m-{message.number:05d}", message.text, *label, message.received_at, message.channel]
            )


def schema(stage: Stage, target: Dataset) -> None:
    """Ravi writes the guideline: definitions, examples, what looks close."""
    samples = inbox.messages(400, seed=inbox.SEED + 1)
    specs = [
        LabelSpec(
            name=intent.name,
            group=intent.group,
            definition=intent.definition,
            examples=tuple(m.text for m in samples if m.intent == intent.name and not m.hard)[:2],
            lookalikes=({"name": intent.close, "note": intent.note},),
        )
        for intent in inbox.INTENTS
    ]
    publish_schema(dataset_id=target.uuid, actor=stage.user("ravi"), labels=specs, guideline=GUIDELINE)


def queue(stage: Stage, target: Dataset, new: Upload) -> Queue:
    """Ravi opens a queue over the new messages: three people an item."""
    name = "November inbox"
    found = Queue.objects.filter(dataset=target, name=name).first()
    found = found or open_queue(
        dataset_id=target.uuid,
        actor=stage.user("ravi"),
        name=name,
        overlap=OVERLAP,
        source=Queue.Source.UPLOAD,
        upload_id=new.uuid,
    )
    opened: Queue = stage.wait(
        lambda: Queue.objects.filter(
            pk=found.pk, state=Queue.State.OPEN, slots_total__gte=NEW * OVERLAP
        ).first()
    )
    return opened


def annotate(stage: Stage, work: Queue, messages: list[inbox.Message]) -> None:
    """Ana, Ben and Chloe label the first messages; each has their own way of getting hard ones wrong."""
    by_text = {message.text: message for message in messages}
    labels = {label.name: label.uuid for label in Label.objects.filter(schema=work.schema)}
    for at, name in enumerate(("ana", "ben", "chloe")):
        person = stage.user(name)
        done = work.annotations.filter(user=person).count()
        while done < ANSWERED and (slots := claim(queue_id=work.uuid, actor=person)):
            for slot in slots[: ANSWERED - done]:
                label = labels[inbox.answer(by_text[slot.item.text], name)]
                seconds = 3.0 + (slot.pk * 7 + at) % 11
                key = uuid5(KEYS, f"{work.uuid}:{name}:{slot.item_id}")
                submit(
                    queue_id=work.uuid,
                    actor=person,
                    slot_id=slot.pk,
                    token=slot.lease_token,
                    value={"label": str(label)},
                    client_key=key,
                    seconds=seconds,
                )
            done = work.annotations.filter(user=person).count()
            stage.ctx.progress(at * ANSWERED + done, 3 * ANSWERED, unit="annotations")
            stage.ctx.raise_if_cancelled()
        release(queue_id=work.uuid, actor=person)


def adjudicate_disputes(stage: Stage, work: Queue, messages: list[inbox.Message]) -> None:
    """Ravi settles disagreements and leaves a dozen for anyone who tries the demo."""
    by_text = {message.text: message for message in messages}
    labels = {label.name: label.uuid for label in Label.objects.filter(schema=work.schema)}
    waiting = list(
        Dispute.objects.filter(queue=work, state=Dispute.State.OPEN).select_related("item").order_by("id")
    )
    for dispute in waiting[: max(0, len(waiting) - LEFT_DISPUTED)]:
        meant = by_text[dispute.item.text].intent
        reason = f"The guideline: {inbox.BY_NAME[meant].definition}"
        value = {"label": str(labels[meant])}
        adjudicate(
            queue_id=work.uuid,
            item_id=dispute.item.uuid,
            actor=stage.user("ravi"),
            value=value,
            reason=reason,
        )


def snapshot(stage: Stage, target: Dataset) -> Snapshot:
    """Mia freezes what is decided."""
    found = Snapshot.objects.filter(dataset=target).order_by("number").first()
    if found is None:
        job = snapshots.freeze(
            dataset=target, actor=stage.user("mia"), note="First version of the support inbox"
        )
        stage.wait_for(job)
        found = Snapshot.objects.get(dataset=target, number=1)
    return found


def launch(
    stage: Stage, frozen: Snapshot, who: str, strategy: str, note: str, options: dict[str, Any]
) -> Run:
    """An engineer launches a run. Idempotent."""
    base = training.add_packaged_base(project=stage.project, actor=None)
    base = stage.wait(lambda: BaseModel.objects.filter(pk=base.pk, folder__isnull=False).first())
    key = uuid5(KEYS, f"{frozen.uuid}:{strategy}")
    return training.launch(
        snapshot=frozen,
        base=base,
        strategy=strategy,
        actor=stage.user(who),
        options=options,
        note=note,
        key=key,
    )


def trained(stage: Stage, started: Run) -> Run:
    """The run, once it has ended and both evaluations, which follow on their own, are there."""
    ended: Run = stage.wait(
        lambda: Run.objects.filter(
            pk=started.pk, state__in=[Run.State.SUCCEEDED, Run.State.FAILED, Run.State.STOPPED]
        ).first()
    )
    if ended.state != Run.State.SUCCEEDED:
        raise Refused(
            f"The demo stopped: {ended} ended as {ended.state}. {(ended.error or {}).get('message', '')}"
        )
    stage.wait(lambda: Evaluation.objects.filter(run=ended, split="test").exists())
    return ended


def version(stage: Stage, model: RegisteredModel, source: Run, semver: str, who: str) -> ModelVersion:
    """The engineer registers the run: files sealed and signed, card written."""
    found = ModelVersion.objects.filter(model=model, semver=semver).first()
    if found is None:
        stage.wait_for(
            catalog.register(model=model, run=source, semver=semver, actor=stage.user(who), stated=STATED)
        )
        found = ModelVersion.objects.get(model=model, semver=semver)
    return found


STATED = {
    "purpose": "Sorts incoming support messages into twelve intents, so that each reaches the right desk.",
    "limits": "English only. Messages with two wishes get one label.",
    "risks": "A message in the wrong queue is answered later; a person always reads it.",
}


def registered_model(stage: Stage) -> RegisteredModel:
    """Noah makes the model that versions belong to."""
    found = RegisteredModel.objects.filter(project=stage.project, slug="support-intent").first()
    return found or catalog.create_model(
        project=stage.project,
        name="Support intent",
        slug="support-intent",
        purpose=STATED["purpose"],
        actor=stage.user("noah"),
    )


def endpoint(stage: Stage, model: RegisteredModel) -> Endpoint:
    """Noah makes the address that customers' messages are sent to."""
    return Endpoint.objects.filter(
        project=stage.project, slug="support-inbox-prod"
    ).first() or catalog.create_endpoint(
        model=model,
        slug="support-inbox-prod",
        environment=Endpoint.Environment.PRODUCTION,
        keep_text=True,
        actor=stage.user("noah"),
    )


def promote(
    stage: Stage,
    candidate: ModelVersion,
    target: Endpoint,
    who: str,
    note: str,
    plan: dict[str, Any] | None = None,
) -> PromotionRequest:
    """The engineer asks; the gates are checked by a job. Raises Refused where one holds it back or none was
    checked.
    """
    found = PromotionRequest.objects.filter(version=candidate, endpoint=target, note=note).first()
    if found is None:
        found = promotions.request(
            version=candidate, endpoint=target, note=note, actor=stage.user(who), plan=plan
        )
    elif found.status == Status.DRAFT:  # an earlier demo stopped here
        found = promotions.check_again(request_id=found.uuid, actor=stage.user(who))
    checked: PromotionRequest = stage.wait(
        lambda: PromotionRequest.objects.filter(pk=found.pk).exclude(status=Status.CHECKING).first()
    )
    if checked.status == Status.DRAFT:
        held = checked.gates.filter(
            check_number=checked.checks, status=GateResult.Status.FAILED, blocking=True
        ).order_by("id")
        if not held:
            raise Refused(
                f"The demo stopped: the gates of {candidate.semver} weren't checked. {checked.reason}"
            )
        reasons = " ".join(f"{each.title}: {each.value}." for each in held)
        raise Refused(f"The demo stopped: {candidate.semver} didn't pass its gates. {reasons}")
    return checked


def approve(stage: Stage, request: PromotionRequest) -> PromotionRequest:
    """Lee, then Gita, each with their password."""
    secrets = passwords()
    reasons = {
        "lee": "Reviewed the test errors: they match annotator disagreements.",
        "gita": "Card complete, signature valid, no leakage.",
    }
    for name, reason in reasons.items():
        request.refresh_from_db()
        if (
            request.status == Status.IN_REVIEW
            and not request.verdicts.filter(reviewer=stage.user(name)).exists()
        ):
            promotions.approve(
                request_id=request.uuid,
                actor=stage.user(name),
                reason=reason,
                password=secrets[name],
                seen=request.subject_digest,
            )
    request.refresh_from_db()
    return request
