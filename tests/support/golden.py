"""What the product makes of a dozen rows of each task, as texts that are compared with files.

Annotations, versions, exports, reports and cards come about through the real actions and jobs; what a model
predicts is drawn with a seed. People and labels are the same in every run. Other ids are numbered in the
order in which a file names them, and digests that hold such an id go by what they are of.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import unified_diff
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import pyarrow.parquet as pq

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.exchange.models import Export
from datasets_app.exchange.rules import export_formats
from datasets_app.queues.models import Annotation, Decision
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.spans.tagging import Unit
from lifecycle.runtime.task_types.values import rename, words
from registry.catalog import card
from registry.catalog.models import RegisteredModel
from registry.catalog.queries import facts
from registry.ground.access.actions import grant
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, make_dataset
from tests.support.generation import make_decoder, make_generation_run
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, make_queue, make_schema, named
from tests.support.registry import STATED
from tests.support.snapshots import freeze
from tests.support.tools import lines
from tests.support.training import make_run

FOLDER = Path(__file__).parent.parent / "task_types" / "golden"
WRITE = "GOLDEN"  # the variable that has the files written
HOW = (
    f"If they should, `env {WRITE}=write .venv/bin/python -m pytest tests/task_types/test_golden.py` writes"
    " them anew."
)
LONG = re.compile(r"\d+\.\d{10,}")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)|(?<=\"_timestamp\": )\d+")
# of regions; of rows
IDS = re.compile(r"(?<=\"id\": \")[0-9a-f]{10}(?=\")|[0-9a-f]{8}(-[0-9a-f]{4}){3}-(?!0{10})[0-9a-f]{12}")
SPLITS = ("train",) * 4 + ("validation",) * 2 + ("test",) * 4 + ("train",) * 2
LABELS = ("card", "refund", "login")
TEXTS = (
    *(
        "my card is lost",
        "refund my order 👨🏻‍🚒 please",
        "the login fails",
        "card stolen,\r\nrefund it",
        "refund late",
        "card and login",
    ),
    *("where is my card", "refund the café bill", "login closed", "card refund login", "a card", "no refund"),
)
ANSWERS = ("we send one", "it takes five days", "reset it", "write to us")


def correct_value(task: str, at: int) -> dict[str, Any]:
    """The correct value of a row, with label names. at: its number, 0 to 11."""
    text, named_there = TEXTS[at], [label for label in LABELS if label in TEXTS[at]]
    places = [
        {"start": text.find(label), "end": text.find(label) + len(label), "label": label}
        for label in named_there
    ]
    places.sort(key=lambda each: each["start"])
    wide = [{"start": 0, "end": len(text), "label": "login"}] if at == 9 else []  # around the others
    return {
        "single_label": lambda: {"label": LABELS[at % 2] if at < 4 else named_there[0]},
        "multi_label": lambda: {"labels": named_there if at != 4 else []},
        "spans": lambda: {"spans": wide + places if at != 4 else []},
        "preference": lambda: {"choice": ("first", "second", "second", "first", "tie", "neither")[at % 6]},
        "ranking": lambda: {"ranking": [(at + each) % 3 for each in range(3)]},
        "generation": lambda: {"text": f"{ANSWERS[at % 4]} – {at}"},
        "chat": lambda: {
            "messages": [*asked(at), {"role": "assistant", "content": f"{ANSWERS[at % 4]} – {at}"}]
        },
    }[task]()


def asked(at: int) -> list[dict[str, Any]]:
    """The turns of a chat before the response."""
    before = [{"role": "system", "content": "be short"}] if at % 2 else []
    earlier = (
        [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day", "weight": 0}]
        if at % 3 == 1
        else []
    )
    return [*before, *earlier, {"role": "user", "content": TEXTS[at]}]


def row_of(task: str, at: int) -> dict[str, Any]:
    """A row of the file that is imported; the last two have no label."""
    text, decided = TEXTS[at], at < 10
    value = correct_value(task, at)
    own: dict[str, Any] = {
        "single_label": lambda: {"text": text, "label": value["label"] if decided else ""},
        "multi_label": lambda: {"text": text, "label": value["labels"] if decided else None},
        "spans": lambda: {"text": text, "spans": value["spans"] if decided else None},
        "preference": lambda: {
            "prompt": text,
            "response_a": ANSWERS[0],
            "response_b": f"no idea {at}",
            "choice": value["choice"] * decided,
        },
        "ranking": lambda: {
            "prompt": text,
            "responses": [ANSWERS[at % 4], f"no idea {at}", "wait"],
            "ranking": value["ranking"] if decided else None,
        },
        "generation": lambda: {
            "instruction": text,
            "input": f"order {at}" if at % 2 else "",
            "output": value["text"] * decided,
        },
        "chat": lambda: {"messages": value["messages"] if decided else asked(at)},
    }[task]()
    return {"id": f"r{at:02}", **own, "split": SPLITS[at], "channel": ("mail", "phone")[at % 2]}


@contextmanager
def numbered_labels() -> Iterator[None]:
    """Labels have ids in the order in which they are published."""
    numbers = count(1)
    with mock.patch(
        "datasets_app.schemas.actions.schemas.uuid4", side_effect=lambda: UUID(int=next(numbers))
    ):
        yield


def crew_of(project: Project) -> dict[str, User]:
    """People with ids of their own."""
    roles = {"gana": Role.ANALYST, "gben": Role.ANALYST, "gravi": Role.ADJUDICATOR, "gmia": Role.ENGINEER}
    made = {}
    for number, (name, role) in enumerate(roles.items(), start=0xA0):
        person = User.objects.create_user(
            name, uuid=UUID(int=number), email=f"{name}@example.test", display_name=name.capitalize()
        )
        grant(user=person, role=role, root=project, actor=None)
        made[name] = person
    return made


def documents(project: Project, task: str, people: Mapping[str, User]) -> dict[str, str]:
    """All that is made of the rows of a task, as texts by the names of their files."""
    with numbered_labels():
        dataset = annotated(project, task, people)
    snapshot = freeze(dataset, people["gmia"], seed=1)
    run = trained(project, snapshot, people["gmia"])
    evaluation = run.evaluations.get(split="test")
    found = {
        "annotations.jsonl": annotations(dataset),
        "manifest.jsonl": manifest(snapshot),
        "counts.json": blocks(snapshot.counts),
        "train.jsonl": train(snapshot),
        "spec.json": blocks(run.spec),
        "report.json": blocks(evaluation.report),
        "predictions.txt": schema_of(evaluation),
        "lifecycle.json": blocks(described(run).to_json()),
        "card.txt": card_of(run, evaluation),
        **exports(dataset, people["gmia"]),
    }
    known = {
        run.artifact.root_digest: "digest-of-artifact",
        run.spec_digest: "digest-of-spec",
        evaluation.report_digest: "digest-of-report",
        dataset.slug: "slug-of-dataset",
    }
    return {name: plain(text, known) for name, text in found.items()}


def annotated(project: Project, task: str, people: Mapping[str, User]) -> Dataset:
    """Ten rows whose labels were imported, one on which two people agree, and one on which they do not and
    that is adjudicated.
    """
    dataset = make_dataset(project, people["gmia"], f"Golden {task}", task=task)
    make_schema(dataset, people["gmia"], LABELS if type_of(task).has_labels else ())
    import_file(dataset, people["gmia"], lines(*(row_of(task, at) for at in range(12))), "rows.jsonl")
    queue = make_queue(dataset, people["gmia"], overlap=2)
    agreed, other = dataset.items.filter(external_id__in=("r10", "r11")).order_by("id")
    for person in ("gana", "gben"):
        annotate(queue, people[person], agreed, correct_value(task, 10), seconds=3)
        annotate(queue, people[person], other, differing(task, person), seconds=4)
    value = named(queue, correct_value(task, 11))
    adjudicate(
        queue_id=queue.uuid, item_id=other.uuid, actor=people["gravi"], value=value, reason="by the guideline"
    )
    return dataset


def differing(task: str, person: str) -> dict[str, Any]:
    """The annotators' values for the last row: one is correct."""
    if person == "gana":
        return correct_value(task, 11)
    wrong = {
        "multi_label": {"labels": ["card", "login"]},
        "spans": {"spans": [{"start": 0, "end": 2, "label": "card"}]},
    }
    messages = [*asked(11), {"role": "assistant", "content": "no"}]
    return (wrong | {"chat": {"messages": messages}}).get(task) or correct_value(
        task, 9 if task == "single_label" else 10
    )


def trained(project: Project, snapshot: Snapshot, user: User) -> Run:
    """A synthetic run with its predictions on the test rows."""
    if snapshot.dataset.task in ("generation", "chat"):
        return make_generation_run(snapshot, user, make_decoder(project, user), splits=("test",), quality=0.6)
    return make_run(snapshot, user, splits=("test",), accuracy=0.6)


def annotations(dataset: Dataset) -> str:
    """The annotations of each item in words, and its resolved label with the digest."""
    names = names_in(latest_schema(dataset))

    def fields_of(row: Annotation | Decision) -> dict[str, Any]:
        value = value_of(row)
        return {
            "value": canonical(value),
            "names": canonical(rename(value, names)),
            "words": words(value, names, row.item.text),
        }

    given: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in (
        Annotation.objects.filter(item__dataset=dataset)
        .select_related("user", "label", "item")
        .order_by("id")
    ):
        given[row.item_id].append({"by": row.user.username, **fields_of(row)})
    return one_a_line(
        {
            "id": row.item.external_id,
            "item": row.item.digest,
            "text": row.item.text,
            "content": row.item.content,
        }
        | {
            "annotations": given[row.item_id],
            "decision": {"how": row.how, "digest": row.digest, **fields_of(row)},
        }
        for row in current_decisions(dataset).select_related("label", "item").order_by("item_id")
    )


def manifest(snapshot: Snapshot) -> str:
    """The digests of the version, then its rows."""
    return one_a_line(
        [
            {"digest": snapshot.digest, "test": snapshot.test_digest},
            *(row._asdict() for row in snapshots.open_snapshot(snapshot)),
        ]
    )


def train(snapshot: Snapshot) -> str:
    """What the engine reads of the training rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        snapshots.write_split(snapshot, "train", path)
        return path.read_text(encoding="utf-8")


def described(run: Run) -> ArtifactInfo:
    """The content of lifecycle.json for an artifact of this run."""
    labels, task = tuple(run.spec["labels"]), run.spec["task"]
    return ArtifactInfo(
        labels=labels,
        max_tokens=run.spec["max_tokens"],
        pooling=run.spec["pooling"],
        temperature=1.25,
        strategy=run.strategy,
        base_name=run.base.name,
        base_digest=run.base.facts["engine_digest"],
        inputs=("input_ids", "attention_mask"),
        task=task,
        thresholds=(0.5,) * len(labels) if task == "multi_label" else None,
        unit=Unit.WORD if task == "spans" else Unit.PIECE,
        max_new_tokens=run.spec.get("max_new_tokens"),
        serving="" if task == "generation" else "serving/model.onnx",
    )


def schema_of(evaluation: Evaluation) -> str:
    """The columns of the file of predictions, and what its metadata names."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        schema = pq.read_schema(path)
    columns = [f"{field.name}: {field.type}{'' if field.nullable else ' not null'}" for field in schema]
    about = [
        f"{key.decode()} = {value.decode()}"
        for key, value in sorted((schema.metadata or {}).items())
        if key != b"ARROW:schema"
    ]
    return "\n".join([*columns, "", *about, ""])


def card_of(run: Run, evaluation: Evaluation) -> str:
    """The first model card of a version of it."""
    model = RegisteredModel(name=f"Golden {run.snapshot.dataset.task}", slug="golden")
    return card.write(facts(run, model, "1.0.0", evaluation), STATED)


def exports(dataset: Dataset, user: User) -> dict[str, str]:
    """The files of each tool that can hold the annotations, and what it leaves out."""
    found = {}
    for tool in export_formats(dataset.task):
        export_annotations(dataset_id=dataset.uuid, actor=user, format=tool)
        run_ok("default")
        made = Export.objects.latest("id")
        with artifacts.open_blob(made.blob.digest) as file:
            content = file.read()
        found |= {
            f"{tool}.{name}": text
            for name, text in files_in(content, made.file_name.rpartition(".")[2]).items()
        }
        found[f"{tool}.dropped.json"] = blocks(made.dropped)
    return found


def files_in(content: bytes, ending: str) -> dict[str, str]:
    """The texts in an archive by their names, or the one that it is."""
    if ending != "zip":
        return {f"answers.{ending}": content.decode()}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def one_a_line(rows: Iterable[dict[str, Any]]) -> str:
    """Each row as one line of JSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def blocks(document: Mapping[str, Any]) -> str:
    """An object of JSON, one member a line, in its own order. Floats have nine digits, which every processor
    gives alike.
    """
    parts = (
        f" {json.dumps(name)}: {json.dumps(rounded(value), ensure_ascii=False)}"
        for name, value in document.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def rounded(value: Any) -> Any:
    """A value of JSON, its floats to nine digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def plain(text: str, known: Mapping[str, str]) -> str:
    """A text in which what differs from one run to the next goes by a name: these words, times, and every id
    that is drawn by chance.
    """
    for volatile, name in known.items():
        text = text.replace(volatile, name)
    numbers: dict[str, str] = {}
    text = LONG.sub(lambda found: f"{float(found[0]):.9g}", TIMES.sub("time", text))
    return IDS.sub(lambda found: numbers.setdefault(found[0], f"id-{len(numbers) + 1}"), text)


def compared(made: Mapping[str, Mapping[str, str]], folder: Path = FOLDER) -> list[str]:
    """Every difference between the files of the folder and these documents, line by line."""
    found: list[str] = []
    for task in sorted(made.keys() | {path.name for path in folder.iterdir()}):
        kept = {path.name: path.read_bytes().decode() for path in (folder / task).glob("*")}
        texts = made.get(task, {})
        for name in sorted(texts.keys() | kept.keys()):
            before, now = (each.get(name, "").splitlines(keepends=True) for each in (kept, texts))
            found += map(repr, unified_diff(before, now, f"golden/{task}/{name}", "made now", n=0))
    return found


def write(made: Mapping[str, Mapping[str, str]], folder: Path = FOLDER) -> None:
    """Make the files anew, and remove those of which nothing is made."""
    for task, texts in made.items():
        (folder / task).mkdir(parents=True, exist_ok=True)
        for path in (folder / task).iterdir():
            path.unlink()
        for name, text in texts.items():
            (folder / task / name).write_bytes(text.encode())
