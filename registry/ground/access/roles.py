"""The one table of roles and actions. Rules of separation (no one approves their own work) come on top of
every entry.
"""

from __future__ import annotations

from dataclasses import dataclass
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
# decide on the work of others, or check those who do: given as governing.py says
GOVERNING = frozenset({LEAD, GOVERNANCE, AUDITOR})
ADMIN = "admin"  # organisation admin: changed in the same way, and of no project
GOVERNING_CHOICES = [
    *((role.value, role.label) for role in Role if role in GOVERNING),
    (ADMIN, "Organisation admin"),
]
WORKING = tuple(role for role in Role if role not in GOVERNING)


@dataclass(frozen=True, slots=True)
class Action:
    """A permission. label: what it allows, as people read it; roles: who has it."""

    label: str
    roles: frozenset[Role]


ACTIONS: dict[str, Action] = {
    # access
    "access.view_project": Action("View the project and its members", EVERYONE),
    "access.manage_members": Action("Assign roles", frozenset({LEAD})),
    # data and labels
    "datasets.view": Action("View datasets", EVERYONE),
    "datasets.read_samples": Action("Read texts", frozenset({ANALYST, ADJUDICATOR, ENGINEER, GOVERNANCE})),
    "datasets.create": Action("Create datasets", frozenset({ANALYST, ENGINEER, LEAD})),
    "datasets.upload": Action("Upload files", frozenset({ANALYST, ENGINEER, LEAD})),
    "datasets.slice": Action("Save slices", frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, GOVERNANCE})),
    "datasets.manage_slices": Action("Change other people's slices", frozenset({LEAD})),
    "datasets.export": Action("Export items", frozenset({ENGINEER, ADJUDICATOR})),
    "labeling.view": Action("View label schemas and queues", EVERYONE),
    "labeling.annotate": Action("Label items", frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, GOVERNANCE})),
    "labeling.manage": Action(
        "Manage schemas, queues, and labeling functions", frozenset({ADJUDICATOR, ENGINEER, LEAD})
    ),
    "labeling.adjudicate": Action("Adjudicate", frozenset({ADJUDICATOR})),
    # everyone discards their own
    "labeling.read_corrections": Action("Read files of corrected labels", frozenset({ADJUDICATOR, LEAD})),
    "labeling.discard_corrections": Action(
        "Discard other people's files of corrected labels", frozenset({LEAD})
    ),
    "labeling.gold": Action("Manage gold items", frozenset({ADJUDICATOR, LEAD})),
    "labeling.export": Action("Export annotations", frozenset({ENGINEER, ADJUDICATOR})),
    "labeling.assess": Action("View annotators' quality by name", frozenset({LEAD})),
    "scanning.view": Action("View data issues", EVERYONE),
    "scanning.scan": Action("Scan datasets", frozenset({ADJUDICATOR, LEAD})),
    "scanning.review": Action("Confirm and dismiss data issues", frozenset({ADJUDICATOR, LEAD})),
    "scanning.send": Action("Send data issues to labeling", frozenset({ADJUDICATOR, LEAD})),
    "snapshots.view": Action("View dataset versions", EVERYONE),
    "snapshots.create": Action("Create dataset versions", frozenset({ENGINEER, LEAD})),
    "snapshots.export": Action("Export dataset versions", frozenset({ENGINEER, ADJUDICATOR})),
    # training
    "training.view": Action("View runs", EVERYONE),
    "training.launch": Action("Launch runs and sweeps", frozenset({ENGINEER, LEAD})),
    "training.pause": Action("Pause and resume runs", frozenset({ENGINEER, LEAD})),
    "training.stop": Action("Stop runs", frozenset({ENGINEER, LEAD})),
    "training.add_base": Action("Import base models", frozenset({ENGINEER, LEAD})),
    "evaluation.view": Action("View evaluations", EVERYONE),
    "evaluation.evaluate": Action("Evaluate and analyze runs", frozenset({ENGINEER, LEAD})),
    # registry
    "policies.view": Action("View policies", EVERYONE),
    "catalog.view": Action("View models and versions", EVERYONE),
    "catalog.create_model": Action("Create models", frozenset({ENGINEER, LEAD})),
    "catalog.create_endpoint": Action("Create endpoints", frozenset({ENGINEER, LEAD})),
    "catalog.register": Action("Register versions", frozenset({ENGINEER, LEAD})),
    "catalog.edit_card": Action("Edit model cards", frozenset({ENGINEER, LEAD})),
    "catalog.download": Action("Export versions", frozenset({ENGINEER, LEAD, GOVERNANCE, ONCALL})),
    "catalog.freeze": Action("Freeze endpoints", frozenset({LEAD, GOVERNANCE, ONCALL})),
    "catalog.quarantine": Action("Quarantine versions", frozenset({LEAD, GOVERNANCE, ONCALL})),
    "promotions.view": Action("View promotion requests", EVERYONE),
    "promotions.request": Action("Request promotion", frozenset({ENGINEER, LEAD})),
    "promotions.withdraw": Action("Withdraw promotion requests", frozenset({ENGINEER, LEAD})),
    "promotions.approve": Action("Approve promotion", frozenset({LEAD, GOVERNANCE})),
    "promotions.reject": Action("Reject promotion", frozenset({LEAD, GOVERNANCE})),
    "promotions.comment": Action("Comment on promotion requests", EVERYONE - {AUDITOR}),
    # serving
    "endpoints.view": Action("View endpoints", EVERYONE),
    "endpoints.deploy": Action("Deploy approved versions", frozenset({ENGINEER, LEAD, ONCALL})),
    "endpoints.roll_back": Action("Roll back", frozenset({LEAD, ONCALL})),
    "endpoints.set_share": Action("Change a canary's share", frozenset({ENGINEER, LEAD, ONCALL})),
    "endpoints.shadow": Action("Start and stop shadows", frozenset({ENGINEER, LEAD, ONCALL})),
    "endpoints.inject_fault": Action("Inject faults (drill)", frozenset({LEAD, ONCALL})),
    "endpoints.manage_tokens": Action("Manage endpoint tokens", frozenset({ENGINEER, LEAD, ONCALL})),
    "endpoints.infer": Action("Request predictions", EVERYONE - {AUDITOR}),
    "traffic.view": Action("View traffic", EVERYONE),
    "traffic.read_texts": Action(
        "Read the texts of predictions", frozenset({ANALYST, ADJUDICATOR, ENGINEER, GOVERNANCE})
    ),
    "traffic.record_feedback": Action(
        "Give feedback", frozenset({ANALYST, ADJUDICATOR, ENGINEER, LEAD, ONCALL})
    ),
    "traffic.define_kpi": Action("Define business KPIs", frozenset({LEAD})),
    "traffic.record_outcomes": Action("Report outcomes", frozenset({ANALYST, ENGINEER, LEAD, ONCALL})),
    # watching
    "drift.view": Action("View drift", EVERYONE),
    "drift.measure": Action("Measure drift now", frozenset({ENGINEER, LEAD, ONCALL})),
    "alerts.view": Action("View objectives and alerts", EVERYONE),
    "alerts.acknowledge": Action("Acknowledge and resolve alerts", frozenset({LEAD, ONCALL})),
    "alerts.silence": Action("Silence alerts", frozenset({LEAD, ONCALL})),
    "alerts.manage": Action("Change objectives and alert channels", frozenset({LEAD, ONCALL})),
    "rollouts.view": Action("View rollouts", EVERYONE),
    "rollouts.start": Action("Start rollouts", frozenset({ENGINEER, LEAD, ONCALL})),
    "rollouts.steer": Action("Pause, resume, and widen rollouts", frozenset({ENGINEER, LEAD, ONCALL})),
    "rollouts.abort": Action("Abort rollouts", frozenset({ENGINEER, LEAD, ONCALL})),
    "retraining.view": Action("View retraining proposals", EVERYONE),
    "retraining.propose": Action("Propose retraining", frozenset({ENGINEER, LEAD, ONCALL})),
    "retraining.decide": Action("Approve and reject retraining", frozenset({LEAD})),
    "retraining.manage": Action("Change retraining triggers", frozenset({LEAD})),
    "overview.view": Action("View the dashboard", EVERYONE),
    # across
    "trace.view": Action("View lineage", EVERYONE),
    "jobs.view": Action("View jobs", EVERYONE),
    "jobs.cancel": Action("Cancel other people's jobs", frozenset({ENGINEER, LEAD})),
    "audit.view": Action("View the audit log", frozenset({LEAD, GOVERNANCE, ONCALL, AUDITOR})),
    # people, tokens, failed passwords
    "audit.view_installation": Action("View the audit log of the installation", frozenset({AUDITOR})),
    "audit.export": Action("Export the audit log", frozenset({LEAD, GOVERNANCE, ONCALL, AUDITOR})),
}

# What the organisation's admin may do in any project: people and metadata, no samples and no decisions.
ADMIN_ACTIONS = frozenset(
    {"access.view_project", "access.manage_members", "access.manage_people", "access.create_project"}
)

PERMISSIONS: list[tuple[str, Any]] = [(f"role_{role.value}", f"Holds the role {role.label}") for role in Role]


def roles_for(action: str) -> frozenset[Role]:
    """The roles that may take an action. Raises KeyError for an action that does not exist: a typing error,
    never a "no".
    """
    return ACTIONS[action].roles


def sentence(action: str) -> str:
    """Who may, in words: "Only an ML lead or a governance reviewer can do this."."""
    names = [
        ("an " if role.label[0] in "AMO" else "a ") + as_word(role)
        for role in Role
        if role in roles_for(action)
    ]
    return f"Only {phrase(names, last='or')} can do this."


def as_word(role: Role) -> str:
    """The label inside a sentence: abbreviations keep their capitals."""
    return role.label if role.label.startswith("ML") else role.label[0].lower() + role.label[1:]
