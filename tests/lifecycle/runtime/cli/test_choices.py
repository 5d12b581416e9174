"""Choices of the command's hand-written verbs match the server's; plain verbs take theirs from the API's
schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from datasets_app.datasets.models import Upload
from datasets_app.exchange.rules import ExportFormat as AnswerFormat
from datasets_app.scanning import rules as scanning
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.ground.jobs.rules import PRIORITY_WORDS
from lifecycle.modeling.training.rules import Sampler
from lifecycle.runtime.cli.commands.datasets import SCANS
from lifecycle.runtime.cli.main import NOUNS
from lifecycle.runtime.cli.table import VERBS
from lifecycle.runtime.cli.verbs import load
from lifecycle.runtime.engine.spec import DEVICES
from monitoring.alerts.rules.state import Severity
from monitoring.traffic.rules import FeedbackKind

PRIORITIES = [word for word, _ in PRIORITY_WORDS]
OWN = {
    "datasets scan kind": ["duplicates", "labels"],
    "feedback give word": ["right", "wrong"],
    "evaluations download format": ["parquet", "csv"],
}  # words of the command itself
KNOWN = OWN | {
    "datasets upload labels_as": Upload.Labels.values,
    "datasets upload contradicting": set(Upload.Contradicting.values) - {Upload.Contradicting.ASK},
    "dataset-versions export format": ExportFormat.values,
    "annotations export format": AnswerFormat.values,
    "runs launch device": DEVICES,
    "runs launch priority": PRIORITIES,
    "runs reproduce priority": PRIORITIES,
    "runs prioritize priority": PRIORITIES,
    "jobs prioritize priority": PRIORITIES,
    "sweeps start sampler": Sampler.values,
    "sweeps start priority": PRIORITIES,
    "feedback give kind": FeedbackKind.values,
    "feedback send kind": FeedbackKind.values,
    "alerts list severity": Severity.values,
}


def options() -> Iterator[tuple[str, set[str]]]:
    """Each option with choices of a hand-written verb: command and name, and the choices."""
    plain = {verb.name for verb in VERBS}
    for noun in NOUNS:
        for name, verb in getattr(load(noun), "commands", {}).items():
            for param in verb.params if f"{noun} {name}" not in plain else ():
                if choices := literals(param.type_descriptor.annotation):
                    yield f"{noun} {name} {param.name}", choices


def literals(kind: Any) -> set[str]:
    """The values of a Literal, also within Optional."""
    if get_origin(kind) is Literal:
        return set(map(str, get_args(kind)))
    return set().union(*map(literals, get_args(kind)))


def test_each_list_of_the_command_is_the_servers_own():
    assert dict(options()) == {name: set(values) for name, values in KNOWN.items()}


def test_words_of_the_command_map_to_values_of_the_server():
    assert set(SCANS.values()) == set(scanning.ScanKind.values)
