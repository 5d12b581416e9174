"""Registering and quarantining versions."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import NotReady, Refused
from registry.catalog import card, queries, rules, signed_cards
from registry.catalog.actions.files import laid_out
from registry.catalog.models import Card, ModelVersion, RegisteredModel
from registry.catalog.signed_cards import digest_of
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger import keys
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.rules import digest_of as digest_of_json
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def register(
    *,
    model: RegisteredModel,
    run: Run,
    semver: str,
    actor: User,
    stated: dict[str, str] | None = None,
    carried: Card | None = None,
    by_system: bool = False,
) -> Job:
    """Have a run sealed as a version, in a job. stated: the card's fields by people (purpose, limits, risks).
    carried: in place of it, the card of another version that says so; the person who wrote it is an author of
    the new one.

    by_system: the product registers it by fixed rules, on behalf of the actor: the version has no registrar,
    and the event names the actor.

    Raises Refused where the run has not succeeded, was not evaluated on its frozen test split, or is
    registered already, and where the card that is carried over was altered.
    """
    access.require(actor, "catalog.register", model)
    access.require(actor, "training.view", run)
    if carried:
        check_carried(carried)
    semver, statements = (
        rules.check_semver(semver),
        rules.check_stated(carried.stated if carried else stated or {}),
    )
    check_registrable(model, run, semver)
    key = f"catalog.register:{model.uuid}:{semver}"
    job = enqueue(
        "catalog.register",
        actor=actor,
        project=model.project,
        args={"stated": statements},
        subject=model,
        key=key,
    )
    if queries.asking(job) is None:
        record(
            None if by_system else actor,
            Verb.REGISTRATION_REQUESTED,
            job,
            project=model.project.uuid,
            model=model.uuid,
            run=run.uuid,
            semver=semver,
            stated=digest_of_json(statements),
            **({"on_behalf_of": actor.uuid} if by_system else {}),
            **(carrying(carried) if carried else {}),
        )
    return job


def check_carried(card: Card) -> None:
    """Raises Refused for a card that was altered, or that no one wrote by the audit log."""
    signed_cards.check(card)
    if not signed_cards.is_recorded(card):
        sentence = (
            f"Revision {card.revision} of the model card of {card.version.semver} isn't in the audit log."
        )
        raise Refused(sentence, next_step=signed_cards.RESTORE)


def carrying(card: Card) -> dict[str, Any]:
    """The card that a new one is copied from, and whose words it has."""
    return {
        "carried": {"version": card.version.uuid, "revision": card.revision},
        "words_of": sorted(queries.card_authors(card.version)),
    }


def check_registrable(model: RegisteredModel, run: Run, semver: str) -> Evaluation:
    """The evaluation that the version will rest on. Raises Refused naming what is missing or taken."""
    if run.project_id != model.project_id:
        raise Refused(
            "The run and the model are in different projects.",
            fields={"run": ["Choose a run of the model's project."]},
        )
    if run.state != RunState.SUCCEEDED or run.artifact is None:
        sentence = (
            f"Run {run.number} is {run.get_state_display().lower()}; only a run that succeeded has files to"
            " register."
        )
        raise Refused(sentence, fields={"run": [sentence]})
    if model.versions.filter(semver=semver).exists():
        sentence = f"{model.name} already has a version {semver}."
        raise Refused(sentence, next_step="Choose a higher number.", fields={"semver": [sentence]})
    same = model.versions.filter(root_digest=run.artifact.root_digest).first()
    if same is not None:
        sentence = f"Run {run.number} is already registered as {same.semver}."
        raise Refused(sentence, next_step=f"Use version {same.semver}.", fields={"run": [sentence]})
    evaluation = queries.frozen_evaluation(run)
    if evaluation is None:
        sentence = (
            f"Run {run.number} wasn't evaluated on the frozen test split of dataset version"
            f" v{run.snapshot.number}."
        )
        raise Refused(
            sentence,
            next_step="Evaluate the run on the test split, then register it.",
            fields={"run": [sentence]},
        )
    return evaluation


def seal(job: Job) -> ModelVersion:
    """Sign a run's files and write the version with its first card. Called by the job; a second call returns
    what the first made.

    Who asked for what is read from the audit log: the job's row could name anyone. Raises Refused where it
    isn't there.
    """
    asking, stated = queries.asking(job), job.args["stated"]
    if asking is None or asking.payload["stated"] != digest_of_json(stated):
        raise Refused(
            "The audit log doesn't say who requested this registration.", next_step="Register the run again."
        )
    asked, by_system = asking.payload, asking.actor == SYSTEM
    actor, semver = (
        User.objects.get(uuid=asked["on_behalf_of"] if by_system else asking.actor),
        asked["semver"],
    )
    model = RegisteredModel.objects.select_related("project").get(uuid=asked["model"])
    run = Run.objects.select_related(
        "artifact", "snapshot__dataset", "snapshot__schema", "base__folder", "project"
    ).get(uuid=asked["run"])
    made = model.versions.filter(run=run, semver=semver).first()
    if made is not None:
        return made
    access.require(actor, "catalog.register", model)
    evaluation = check_registrable(model, run, semver)
    assert run.artifact is not None  # noqa: S101  check_registrable refused otherwise
    with laid_out(run.artifact) as folder:
        root = bundle.sign(folder, keys.private_key_path())
        signature = (folder / bundle.SIGNATURE_NAME).read_text(encoding="utf-8")
    if root != run.artifact.root_digest:
        raise Refused(
            "The files aren't the ones the run wrote. Nothing was registered.", next_step="Train again."
        )
    author = None if by_system else actor
    facts = queries.facts(run, model, semver, evaluation)
    statements = {"purpose": model.purpose} | stated if model.purpose else dict(stated)
    words_of = sorted(asked.get("words_of", ()))
    version = ModelVersion(
        model=model,
        semver=semver,
        run=run,
        evaluation=evaluation,
        folder=run.artifact,
        root_digest=root,
        signature=signature,
        key_fingerprint=bundle.fingerprint(keys.public_key_path()),
        facts=facts,
        registered_by=author,
    )
    # signed ahead of the lock
    first = signed_cards.signed(
        version, revision=1, text=card.write(facts, statements), stated=statements, author=author
    )
    return _write(version, first, words_of, on_behalf_of=actor if by_system else None)


@transaction.atomic
def _write(
    version: ModelVersion, first: Card, words_of: list[str], *, on_behalf_of: User | None
) -> ModelVersion:
    """Save a version that was read and signed ahead of the lock, with its card. Raises NotReady where what it
    was read from has changed since: the job then starts again.
    """
    model = (
        RegisteredModel.objects.select_for_update(no_key=True)
        .select_related("project")
        .get(pk=version.model_id)
    )
    if check_registrable(model, version.run, version.semver) != version.evaluation:
        raise NotReady("The run was evaluated again while its files were being signed.")
    version.number = (model.versions.aggregate(Max("number"))["number__max"] or 0) + 1
    version.save()
    version.refresh_from_db(fields=["facts"])  # whose numbers PostgreSQL gives back in its own way
    first.save()
    record(
        version.registered_by,
        Verb.VERSION_REGISTERED,
        version,
        project=model.project.uuid,
        model=model.uuid,
        semver=version.semver,
        root_digest=version.root_digest,
        run=version.run.uuid,
        evaluation=version.evaluation.report_digest,
        card=first.digest,
        card_signature=digest_of(first.signature),
        key=version.key_fingerprint,
        facts=digest_of_json(version.facts),
        words_of=words_of,
        **({"on_behalf_of": on_behalf_of.uuid} if on_behalf_of else {}),
    )
    return version


def ask_verification(*, version: ModelVersion, actor: User) -> Job:
    """Have every file of a version hashed again and its signature verified, in a job."""
    access.require(actor, "catalog.view", version)
    args = {"version": str(version.uuid)}
    key = f"catalog.verify:{version.uuid}"
    return enqueue(
        "catalog.verify", actor=actor, project=version.model.project, args=args, subject=version, key=key
    )
