"""What the command offers by name is what the server knows by that name. A list that nobody compares falls behind: each has its row."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from datasets_app.datasets.models import Upload
from datasets_app.labeling.models import GuidelineProposal, Queue
from datasets_app.labeling.queries.gold import STATES
from datasets_app.labeling.rules.exchange import ExportFormat as AnswerFormat
from datasets_app.scanning import rules as scanning
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.cli.commands.scanning import KINDS, SCANS
from lifecycle.cli.main import parser
from lifecycle.engine.spec import DEVICES
from lifecycle.jobs.rules import PRIORITY_WORDS
from lifecycle.training.rules import Sampler
from monitoring.alerts.rules.state import Severity
from monitoring.overview.rules import WEEKS
from monitoring.retraining.rules.state import State as Retraining
from monitoring.traffic.models import Kpi
from monitoring.traffic.rules import FeedbackKind
from registry.endpoints.models import Deployment, Fault

PRIORITIES, ARMS, ORDERS = dict(PRIORITY_WORDS), Deployment.Arm.values, Queue.Order.values
OWN = {
    "scan --for": ["duplicates", "labels"],
    "findings --kind": ["duplicates", "conflicts", "labels"],
    "comments list --state": ["open", "resolved"],
    "feedback word": ["right", "wrong"],
}  # words of the command itself
KNOWN = OWN | {
    "upload --labels-as": Upload.Labels.values, 
    "upload --contradicting": set(Upload.Contradicting.values) - {Upload.Contradicting.ASK},
    "findings --status": scanning.Status.values,
    "queues list --state": Queue.State.values, "queues open --source": set(Queue.Source.values) - {Queue.Source.BROUGHT},
    "queues open --order": ORDERS, "queues change --order": ORDERS, "queues open --acceptance": Queue.Acceptance.values,
    "gold list --state": STATES, "proposals list --state": GuidelineProposal.State.values,
    "export --format": ExportFormat.values, "answers --format": AnswerFormat.values,
    "evaluations rows --format": ["parquet", "csv"],
    "launch --device": DEVICES, "launch --priority": PRIORITIES, "reproduce --priority": PRIORITIES, "prioritise priority": PRIORITIES,
    "sweeps start --sampler": Sampler.values, "sweeps start --priority": PRIORITIES,
    "drill plant --arm": ARMS, "drill stop --arm": ARMS, "traffic --arm": ARMS, "drill plant --kind": Fault.Kind.values,
    "feedback --kind": FeedbackKind.values, "outcomes define --kind": Kpi.Kind.values, "outcomes define --better": Kpi.Direction.values,
    "alerts list --severity": Severity.values, "retraining list --state": Retraining.values, "dashboard --weeks": map(str, WEEKS),
}  # fmt: skip


def options(of: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each option that offers values, by command and name, with the values."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, made in action.choices.items():
                yield from options(made, f"{path} {name}".strip())
        elif action.choices is not None:
            yield f"{path} {(action.option_strings or [action.dest])[-1]}", {str(each) for each in action.choices}


def test_each_list_of_the_command_is_the_servers_own():
    assert dict(options(parser())) == {name: set(values) for name, values in KNOWN.items()}


def test_words_of_the_command_stand_for_what_the_server_knows():
    assert set(SCANS.values()) == set(scanning.ScanKind.values)
    assert set(KINDS.values()) == set(scanning.Kind.values)
