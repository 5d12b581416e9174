"""Models, their versions and cards, and endpoints, by the audit log and by the tables: verification finds a
quarantine or a freeze that was lifted in the database, a card that was altered, added or removed behind the
product's back, another purpose of a model, and an endpoint that was put under another policy.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from registry.catalog import signed_cards
from registry.catalog.models import Card, Endpoint, Freeze, ModelVersion, RegisteredModel
from registry.catalog.rules import State
from registry.catalog.signed_cards import digest_of
from registry.ground.ledger import rules
from registry.ground.ledger.accounts import Account, LoggedEvent, moment
from registry.ground.ledger.verbs import Verb

WORDS = {"name": "has a name with digest ", "purpose": "has a purpose with digest "}
IN_PROJECT, OF_MODEL, FACTS = "is in project ", "is of model ", "has facts with digest "


def logged_model_facts(events: list[LoggedEvent]) -> set[str]:
    """What the event of a model reports about it."""
    facts: set[str] = set()
    for event in events:
        facts |= {created(event.payload["slug"], by=event.actor), f"{IN_PROJECT}{event.project}"}
        facts |= {begins + event.payload[name] for name, begins in WORDS.items()}
    return facts


def stored_model_facts(models: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these models."""
    facts: dict[str, set[str]] = {}
    for row in RegisteredModel.objects.filter(uuid__in=models).select_related("project", "owner"):
        facts[str(row.uuid)] = {
            created(row.slug, by=row.owner.uuid if row.owner else rules.SYSTEM),
            f"{IN_PROJECT}{row.project.uuid}",
        }
        facts[str(row.uuid)] |= {
            begins + rules.digest_of(getattr(row, name)) for name, begins in WORDS.items()
        }
    return facts


def created(slug: str, *, by: object) -> str:
    """How the model was made."""
    return f"is {slug}, created by {by}"


def logged_version_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a version."""
    facts: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.VERSION_REGISTERED:
            about = (payload[name] for name in ("semver", "run", "evaluation", "root_digest", "key"))
            facts |= {registered(*about, by=event.actor), f"{IN_PROJECT}{event.project}"}
            facts |= {OF_MODEL + payload["model"], FACTS + payload["facts"]}
        else:
            facts.add(is_now(State.QUARANTINED, payload["reason"]))
    return facts


def stored_version_facts(versions: list[str]) -> dict[str, set[str]]:
    """Facts from the tables about these versions."""
    facts: dict[str, set[str]] = {}
    columns = (
        "semver",
        "run__uuid",
        "evaluation__report_digest",
        "root_digest",
        "key_fingerprint",
        "registered_by__uuid",
    )
    where = ("facts", "model__project__uuid", "model__uuid")
    for row in ModelVersion.objects.filter(uuid__in=versions).values_list(
        "uuid", "state", "state_reason", *where, *columns
    ):
        uuid, state, reason, known, project, model, *about, by = row
        facts[str(uuid)] = {
            registered(*about, by=by or "system"),
            f"{IN_PROJECT}{project}",
            f"{OF_MODEL}{model}",
        }
        facts[str(uuid)].add(FACTS + rules.digest_of(known))
        facts[str(uuid)] |= set() if state == State.ACTIVE else {is_now(state, reason)}
    return facts


def registered(semver: str, run: object, evaluation: str, root_digest: str, key: str, *, by: object) -> str:
    """What the version is, and who registered it."""
    return (
        f"{semver} of run {run}, judged by evaluation {evaluation}, files {root_digest} signed by {key},"
        f" registered by {by}"
    )


def is_now(state: str, reason: str) -> str:
    """Why no one may serve it."""
    return f"is {state}: {reason}"


def logged_card_facts(events: list[LoggedEvent]) -> set[str]:
    """Facts from a version's events about the revisions of its card."""
    facts: set[str] = set()
    for event in events:
        first = event.verb == Verb.VERSION_REGISTERED
        revision, digest = (
            (1, event.payload["card"]) if first else (event.payload["revision"], event.payload["new"])
        )
        facts |= {reads(revision, digest, by=event.actor), signed(revision, event.payload["card_signature"])}
    return facts


def stored_card_facts(versions: list[str]) -> dict[str, set[str]]:
    """Facts from the table about the cards of these versions; digests are computed from the texts."""
    facts: dict[str, set[str]] = defaultdict(set)
    for card in (
        Card.objects.filter(version__uuid__in=versions)
        .select_related("version", "author")
        .iterator(chunk_size=100)
    ):
        found = facts[str(card.version.uuid)]
        found.add(
            reads(card.revision, digest_of(card.text), by=card.author.uuid if card.author else "system")
        )
        found.add(signed(card.revision, digest_of(card.signature)))
        if signed_cards.is_altered(card):
            found.add(f"card revision {card.revision} isn't what was signed")
        if signed_cards.is_of_another_key(card):
            found.add(
                f"card revision {card.revision} is signed with key {card.key_fingerprint}, which isn't this"
                " installation's"
            )
    return facts


def reads(revision: int, digest: str, *, by: object) -> str:
    """The text of a revision, by its digest, and who wrote it."""
    return f"card revision {revision} has digest {digest}, written by {by}"


def signed(revision: int, digest: str) -> str:
    """The signature of a revision, by its digest."""
    return f"card revision {revision} has a signature with digest {digest}"


GOVERNED = "is governed by policy "


def logged_setting_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about an endpoint: what it is for, and every freeze."""
    facts: set[str] = set()
    until = ""  # of the freeze that no one lifted
    for event in events:
        payload = event.payload
        match event.verb:
            case Verb.ENDPOINT_CREATED:
                facts.add(
                    is_for(payload["slug"], payload["environment"], payload["keep_text"], by=event.actor)
                )
                facts |= {
                    f"{IN_PROJECT}{event.project}",
                    OF_MODEL + payload["model"],
                    GOVERNED + payload["policy"],
                }
            case Verb.ENDPOINT_FROZEN:
                if until:  # it was over: there is one at a time
                    facts.add(ran_out(until))
                until = payload["until"]
                facts.add(frozen(until, payload["reason"], by=event.actor))
            case Verb.ENDPOINT_UNFROZEN:
                until = ""
                facts.add(lifted(payload["freeze"], by=event.actor))
    return facts


def stored_setting_facts(endpoints: list[str]) -> dict[str, set[str]]:
    """Facts from the tables about these endpoints and their freezes."""
    facts: dict[str, set[str]] = {}
    rows = Endpoint.objects.filter(uuid__in=endpoints)
    about = (
        "slug",
        "environment",
        "keep_text",
        "created_by__uuid",
        "policy__name",
        "model__uuid",
        "model__project__uuid",
        "project__uuid",
    )
    for uuid, slug, environment, keeps, by, policy, model, *projects in rows.values_list("uuid", *about):
        facts[str(uuid)] = {
            is_for(slug, environment, keeps, by=by or "system"),
            f"{GOVERNED}{policy}",
            f"{OF_MODEL}{model}",
        }
        facts[str(uuid)] |= {f"{IN_PROJECT}{each}" for each in projects}
    columns = ("endpoint__uuid", "uuid", "until", "reason", "owner__uuid", "lifted_at", "lifted_by__uuid")
    for endpoint, uuid, until, reason, owner, at, by in Freeze.objects.filter(
        endpoint__uuid__in=endpoints
    ).values_list(*columns):
        facts[str(endpoint)].add(frozen(until, reason, by=owner))
        if at is not None:
            facts[str(endpoint)].add(ran_out(until) if by is None and at == until else lifted(uuid, by=by))
    return facts


def is_for(slug: str, environment: str, keep_text: bool, *, by: object) -> str:
    """How the endpoint was made."""
    return (
        f"is {slug}, for {environment}, and {'keeps' if keep_text else 'drops'} the texts of requests,"
        f" created by {by}"
    )


def frozen(until: str | datetime, reason: str, *, by: object) -> str:
    """Who froze it, how long and why."""
    return f"frozen by {by} until {moment(until)}: {reason}"


def ran_out(until: str | datetime) -> str:
    """That a freeze was over when the next one began."""
    return f"the freeze until {moment(until)} ran out"


def lifted(freeze: object, *, by: object) -> str:
    """Who ended a freeze before its time."""
    return f"freeze {freeze} lifted by {by or 'unknown'}"


MODELS = Account(
    "models", RegisteredModel, frozenset({Verb.MODEL_CREATED}), logged_model_facts, stored_model_facts
)
VERSIONS = Account(
    "versions",
    ModelVersion,
    frozenset({Verb.VERSION_REGISTERED, Verb.VERSION_QUARANTINED}),
    logged_version_facts,
    stored_version_facts,
)
CARDS = Account(
    "cards",
    ModelVersion,
    frozenset({Verb.VERSION_REGISTERED, Verb.CARD_CHANGED}),
    logged_card_facts,
    stored_card_facts,
)
SETTINGS = Account(
    "endpoint settings",
    Endpoint,
    frozenset({Verb.ENDPOINT_CREATED, Verb.ENDPOINT_FROZEN, Verb.ENDPOINT_UNFROZEN}),
    logged_setting_facts,
    stored_setting_facts,
)
