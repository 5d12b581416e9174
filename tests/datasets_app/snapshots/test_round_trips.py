"""An exported snapshot is imported as the same items, labels, splits, and order, except for reported
losses.
"""

from __future__ import annotations

import io
import json
import zipfile

import pyarrow.parquet as pq
import pytest

from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from datasets_app.snapshots import actions
from datasets_app.snapshots.models import Export, Snapshot
from datasets_app.snapshots.queries import export_formats
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.runtime.task_types.values import rename
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, make_dataset
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db
CALL = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
# what texts and labels alone leave out of the rows below
BARE = {"ids": 10, "groups": 10, "times": 10, "metadata": 10}


def user(text: str, **more) -> dict:
    return {"role": "user", "content": text, **more}


def assistant(text: str, **more) -> dict:
    return {"role": "assistant", "content": text, **more}


def beside(n: int) -> dict:
    """Further columns of half of the rows."""
    if n % 2:
        return {}
    return {
        "id": f"=id{n}",
        "group": f"g{n}",
        "time": "2026-01-02T03:04:05+00:00",
        "source": "'=mail",
        "tools": [{"a": 1.5}],
    }


ROWS: dict[str, list[dict]] = {
    "single_label": [
        {"text": f"=text {n} 'quoted', ü 👩🏽", "label": "abc"[n % 3], **beside(n)} for n in range(20)
    ],
    "multi_label": [
        {"text": f"+text {n}", "labels": (["a"], ["b", "a;b"], ["a", "c|d"])[n % 3], **beside(n)}
        for n in range(20)
    ],
    "spans": [
        {
            "text": f"Anna{n} of New York",
            "spans": [[0, 4 + len(str(n)), "PER"], *([[9 + n // 10, 17 + n // 10, "LOC"]] * (n % 2))],
            **beside(n),
        }
        for n in range(20)
    ],
    "generation": [
        {
            "instruction": f"Sum up {n}.",
            "input": f"-long\ntext {n}" if n % 4 == 0 else "",
            "output": "null" if n == 3 else f"@short {n}",
            **beside(n),
        }
        for n in range(20)
    ],
    "chat": [
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                user(f"Hi {n}?", name="ann"),
                assistant("", tool_calls=CALL),
                {"role": "tool", "content": "7", "tool_call_id": "c1"},
                assistant(f"=Hello {n}.", weight=n % 2),
            ],
            **beside(n),
        }
        for n in range(20)
    ],
    "preference": [
        {"prompt": [user(f"2+{n}?")], "chosen": [assistant("4")], "rejected": [assistant("5")], **beside(n)}
        for n in range(20)
    ],
    "ranking": [
        {"prompt": f"Joke {n}?", "responses": ["a", "b", "c"], "ranking": [2, 0, 1], **beside(n)}
        for n in range(20)
    ],
}
LOSSES: dict[tuple[str, str], dict[str, int]] = {
    ("single_label", "fasttext"): BARE,
    ("multi_label", "fasttext"): BARE,
    ("spans", "conll"): BARE,
    ("generation", "prompts"): {"joined": 5},
    ("generation", "summaries"): {"joined": 5},
}


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def exported(snapshot: Snapshot, actor, kind: str) -> tuple[Export, bytes]:
    actions.export(snapshot_id=snapshot.uuid, actor=actor, format=kind)
    run_ok("default")
    made = Export.objects.latest("id")
    return made, artifacts.open_blob(made.blob.digest).read()


def decided(dataset) -> dict[str, object]:
    names = names_in(latest_schema(dataset))
    return {row.item.digest: rename(value_of(row), names) for row in current_decisions(dataset)}


def facts(dataset, *, beside: bool) -> dict[str, tuple]:
    """The text and content of each item; with beside, all other columns too."""
    fields = ("text", "content", *(("external_id", "group", "event_time", "metadata") if beside else ()))
    return {digest: rest for digest, *rest in dataset.items.values_list("digest", *fields)}


def parts(content: bytes) -> dict[str, bytes]:
    """The files of a ZIP without digests."""
    if not content.startswith(b"PK") or b"xl/workbook.xml" in content:
        return {}
    packed = zipfile.ZipFile(io.BytesIO(content))
    return {
        name: packed.read(name) for name in packed.namelist() if name.endswith((".jsonl", ".ft", ".conll"))
    }


@pytest.fixture
def of_every_task(project, ana, mia) -> dict[str, Snapshot]:
    made = {}
    for task, rows in ROWS.items():
        dataset = make_dataset(project, ana, name=f"Inbox of {task}", task=task)
        import_file(dataset, ana, lines(rows), "rows.jsonl")
        made[task] = freeze(dataset, mia)
    return made


@pytest.mark.parametrize("task", ROWS)
def test_every_format_round_trips(of_every_task, project, ana, mia, task):
    snapshot, first = of_every_task[task], of_every_task[task].dataset
    assert snapshot.counts["rows"] == 20
    splits, before = dict(first.items.values_list("digest", "assignment__split")), decided(first)

    for kind in kinds(snapshot):
        made, content = exported(snapshot, mia, kind)
        second = make_dataset(project, ana, task=task)
        upload = import_file(second, ana, content, made.file_name)
        lost = LOSSES.get((task, kind.value), {})

        assert {each["code"]: each["count"] for each in made.losses} == lost, kind
        assert (made.rows, made.dropped, upload.rows_failed) == (20, sum(lost.values()), 0), kind
        if "joined" in lost:  # the text is the same, but merged with its context
            assert sorted(second.items.values_list("text")) == sorted(first.items.values_list("text"))
            continue
        assert facts(second, beside=lost != BARE) == facts(first, beside=lost != BARE), kind
        assert decided(second) == before, kind
        assert dict(second.items.values_list("digest", "split")) == splits, kind
        if parts(content):
            assert parts(exported(freeze(second, mia), mia, kind)[1]) == parts(content), kind


def kinds(snapshot: Snapshot) -> list[ExportFormat]:
    """The formats that can be imported into a dataset of the same task."""
    return [kind for kind in export_formats(snapshot) if kind != ExportFormat.UNPAIRED]


def test_a_written_text_is_a_plain_cell_of_a_table(of_every_task, mia):
    _, content = exported(of_every_task["generation"], mia, "csv")

    assert b",'@short 5," in content


@pytest.mark.postgres
def test_strings_of_a_pair_stay_strings(project, ana, mia):
    first = make_dataset(project, ana, task="preference")
    import_file(
        first,
        ana,
        lines([{"prompt": f"{n}?", "chosen": "4", "rejected": "5"} for n in range(12)]),
        "rows.jsonl",
    )
    made, content = exported(freeze(first, mia), mia, "trl")
    second = make_dataset(project, ana, task="preference")

    import_file(second, ana, content, made.file_name)

    assert facts(second, beside=True) == facts(first, beside=True)
    assert decided(second) == decided(first)


def test_unpaired_preferences_round_trip(project, ana, mia):
    first = make_dataset(project, ana)
    import_file(
        first,
        ana,
        lines([{"prompt": f"{n}?", "completion": "4", "label": n % 2 == 0} for n in range(12)]),
        "rows.jsonl",
    )
    snapshot = freeze(first, mia)

    for kind in ("csv", "jsonl", "hf", "unpaired"):
        made, content = exported(snapshot, mia, kind)
        second = make_dataset(project, ana)
        import_file(second, ana, content, made.file_name)
        assert facts(second, beside=True) == facts(first, beside=True), kind
        assert decided(second) == decided(first), kind


def test_a_folder_has_label_names_in_the_file_and_in_the_card(of_every_task, mia):
    _, content = exported(of_every_task["single_label"], mia, "hf")

    packed = zipfile.ZipFile(io.BytesIO(content))
    assert packed.namelist() == [
        "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    ]
    card = packed.read("README.md").decode()
    assert "  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': a\n" in card
    assert r"# Inbox of single\_label, version 1" in card
    schema = parquet_schema(packed.read("data/test-00000-of-00001.parquet"))
    assert schema["info"]["features"]["label"] == {"names": ["a", "b", "c"], "_type": "ClassLabel"}


def parquet_schema(content: bytes) -> dict:
    return json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"huggingface"])
