"""The one table of roles and actions. Rules of separation (no one approves their own work) come on top of every entry."""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.words import phrase


class Role(TextChoices):
    """What a person is in one project (or on one dataset or model)."""

    ANALYST = "analyst", "Analyst"
    ADJUDICATOR = "adjudicator", "Adjudicator"
    ENGINEER = "engineer", "ML engineer"
    LEAD = "lead", "ML lead"
    GOVERNANCE = "governance", "Governance reviewer"
    ONCALL = "oncall", "On-call"
    AUDITOR = "auditor", "Auditor"


ANALYST, ADJUDICATOR, ENGINEER = Role.ANALYST, Role.ADJUDICATOR, Role.ENGINEER
LEAD, GOVERNANCE, ONCALL, AUDITOR = Role.LEAD, Role.GOVERNANCE, Role.ONCALL, Role.AUDITOR
EVERYONE = frozenset(Role)
GOVERNING = frozenset({LEAD, GOVERNANCE, AUDITOR})  # decide on the work of others, or check those who do: given as governing.py says
ADMIN = "admin"  # organisation admin: changed in the same way, and of no project
GOVERNING_CHOICES = [*((role.value, role.label) for role in Role if role in GOVERNING), (ADMIN, "Organisation admin")]
WORKING = tuple(role for role in Role if role not in GOVERNING)

ACTIONS: dict[str, frozenset[Role]] = {
    # access
    "access.view_project": EVERYONE,
    "access.manage_members": frozenset({LEAD}),
    # data and labels
    "datasets.view": EVERYONE,
    "datasets.read_samples": frozenset({ANALYST, ADJUDICATOR, ENGINEER, GOVERNANCE}),
    "datasets.create": frozenset({ANALYST, ENGINEER, LEAD}),
    "datasets.upload": frozenset({ANALYST, ENGINEER, LEAD}),
    "datasets.slice": frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, GOVERNANCE}),
    "datasets.manage_slices": frozenset({LEAD}),  # those that others share
    "datasets.export": frozenset({ENGINEER, ADJUDICATOR}),
    "labeling.view": EVERYONE,
    "labeling.annotate": frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, GOVERNANCE}),
    "labeling.manage": frozenset({ADJUDICATOR, ENGINEER, LEAD}),
    "labeling.decide": frozenset({ADJUDICATOR}),
    "labeling.read_corrections": frozenset({ADJUDICATOR, LEAD}),  # files of corrected labels; everyone discards their own
    "labeling.discard_corrections": frozenset({LEAD}),  # those that others brought
    "labeling.gold": frozenset({ADJUDICATOR, LEAD}),  # items whose answer is known, and how they are answered
    "labeling.export": frozenset({ENGINEER, ADJUDICATOR}),
    "labeling.assess": frozenset({LEAD}),  # what each person's answers are worth, by name
    "scanning.view": EVERYONE,
    "scanning.scan": frozenset({ADJUDICATOR, LEAD}),
    "scanning.judge": frozenset({ADJUDICATOR, LEAD}),
    "scanning.send": frozenset({ADJUDICATOR, LEAD}),
    "snapshots.view": EVERYONE,
    "snapshots.freeze": frozenset({ENGINEER, LEAD}),
    "snapshots.export": frozenset({ENGINEER, ADJUDICATOR}),
    # training
    "training.view": EVERYONE,
    "training.launch": frozenset({ENGINEER, LEAD}),
    "training.pause": frozenset({ENGINEER, LEAD}),
    "training.stop": frozenset({ENGINEER, LEAD}),
    "training.add_base": frozenset({ENGINEER, LEAD}),
    "evaluation.view": EVERYONE,
    "evaluation.evaluate": frozenset({ENGINEER, LEAD}),
    # registry
    "policies.view": EVERYONE,
    "catalog.view": EVERYONE,
    "catalog.create_model": frozenset({ENGINEER, LEAD}),
    "catalog.create_endpoint": frozenset({ENGINEER, LEAD}),
    "catalog.register": frozenset({ENGINEER, LEAD}),
    "catalog.edit_card": frozenset({ENGINEER, LEAD}),
    "catalog.download": frozenset({ENGINEER, LEAD, GOVERNANCE, ONCALL}),
    "catalog.freeze": frozenset({LEAD, GOVERNANCE, ONCALL}),
    "catalog.quarantine": frozenset({LEAD, GOVERNANCE, ONCALL}),
    "promotions.view": EVERYONE,
    "promotions.request": frozenset({ENGINEER, LEAD}),
    "promotions.withdraw": frozenset({ENGINEER, LEAD}),
    "promotions.approve": frozenset({LEAD, GOVERNANCE}),
    "promotions.reject": frozenset({LEAD, GOVERNANCE}),
    "promotions.comment": EVERYONE - {AUDITOR},
    # serving
    "endpoints.view": EVERYONE,
    "endpoints.deploy": frozenset({ENGINEER, LEAD, ONCALL}),
    "endpoints.roll_back": frozenset({LEAD, ONCALL}),
    "endpoints.set_share": frozenset({ENGINEER, LEAD, ONCALL}),
    "endpoints.shadow": frozenset({ENGINEER, LEAD, ONCALL}),
    "endpoints.plant_fault": frozenset({LEAD, ONCALL}),
    "endpoints.manage_tokens": frozenset({ENGINEER, LEAD, ONCALL}),  # of programs that ask one endpoint
    "endpoints.infer": EVERYONE - {AUDITOR},
    "traffic.view": EVERYONE,
    "traffic.read_texts": frozenset({ANALYST, ADJUDICATOR, ENGINEER, GOVERNANCE}),
    "traffic.record_feedback": frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, ONCALL}),
    "traffic.define_kpi": frozenset({LEAD}),
    "traffic.record_outcomes": frozenset({ANALYST, ENGINEER, LEAD, ONCALL}),
    # watching
    "drift.view": EVERYONE,
    "drift.measure": frozenset({ENGINEER, LEAD, ONCALL}),
    "alerts.view": EVERYONE,
    "alerts.acknowledge": frozenset({LEAD, ONCALL}),
    "alerts.silence": frozenset({LEAD, ONCALL}),
    "alerts.manage": frozenset({LEAD, ONCALL}),
    "rollouts.view": EVERYONE,
    "rollouts.start": frozenset({ENGINEER, LEAD, ONCALL}),
    "rollouts.steer": frozenset({ENGINEER, LEAD, ONCALL}),
    "rollouts.abort": frozenset({ENGINEER, LEAD, ONCALL}),
    "retraining.view": EVERYONE,
    "retraining.propose": frozenset({ENGINEER, LEAD, ONCALL}),
    "retraining.decide": frozenset({LEAD}),
    "retraining.manage": frozenset({LEAD}),
    "overview.view": EVERYONE,
    # across
    "trace.view": EVERYONE,
    "jobs.view": EVERYONE,
    "jobs.cancel": frozenset({ENGINEER, LEAD}),
    "audit.view": frozenset({LEAD, GOVERNANCE, ONCALL, AUDITOR}),
    "audit.view_installation": frozenset({AUDITOR}),  # people, tokens, failed passwords: of no project
    "audit.export": frozenset({LEAD, GOVERNANCE, ONCALL, AUDITOR}),
}

# What the organisation's admin may do in any project: people and metadata, no samples and no decisions.
ADMIN_ACTIONS = frozenset({"access.view_project", "access.manage_members", "access.manage_people", "access.create_project"})

PERMISSIONS: list[tuple[str, Any]] = [(f"role_{role.value}", f"Holds the role {role.label}") for role in Role]


def roles_for(action: str) -> frozenset[Role]:
    """The roles that may take an action. Raises KeyError for an action that does not exist: a typing error, never a "no"."""
    return ACTIONS[action]


def sentence(action: str) -> str:
    """Who may, in words: "Only an ML lead or a governance reviewer can do this."."""
    names = [("an " if role.label[0] in "AMO" else "a ") + as_word(role) for role in Role if role in roles_for(action)]
    return f"Only {phrase(names, last='or')} can do this."


def as_word(role: Role) -> str:
    """The label as it stands inside a sentence: abbreviations keep their capitals."""
    return role.label if role.label.startswith("ML") else role.label[0].lower() + role.label[1:]
