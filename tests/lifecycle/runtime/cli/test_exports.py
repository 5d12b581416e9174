"""Dataset versions and annotations are exported by a job, downloaded, and checked by digest; losses of the
format are listed.
"""

from __future__ import annotations

import hashlib

import pytest

from datasets_app.exchange.models import Export as AnnotationExport
from datasets_app.exchange.rules import ExportFormat as AnswerFormat
from datasets_app.snapshots.models import Export
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.labeling import label_items, make_queue
from tests.support.labeling import make_dataset as plain_dataset
from tests.support.snapshots import freeze


@pytest.fixture
def queue(project, mia, ana):
    made = make_queue(plain_dataset(project, mia, ["one", "two"]), mia)
    label_items(made, {ana: ["card", "billing"]})
    return made


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder in which the command is called."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("format", AnswerFormat.values)
def test_annotations_of_a_queue_are_exported_in_every_format(as_person, queue, mia, here, format):
    result = as_person(mia)("annotations", "export", "inbox", "--queue", "Batch 1", "--format", format)

    made = AnnotationExport.objects.get()
    content = (here / made.file_name).read_bytes()
    assert (result.code, result.waits) == (0, [2.0])
    assert result.out.splitlines()[:2] == [
        f"{made.file_name}: 2 items, 2 annotations; {len(content):,} bytes.",
        f"sha256 {made.blob.digest}",
    ]
    assert (made.queue, hashlib.sha256(content).hexdigest()) == (queue, made.blob.digest)
    losses = [f"  {text} {number}" for text, number in made.dropped.items()]
    assert result.out.splitlines()[2:] == (
        ["The format can't hold:", *losses] if losses else ["Nothing was left out."]
    )
    assert [path.name for path in here.iterdir()] == [made.file_name]


def test_an_existing_file_is_not_overwritten_unless_it_is_named(as_person, queue, mia, here):
    (here / "inbox-prodigy.jsonl").write_text("mine")
    command = as_person(mia)

    refused = command("annotations", "export", "inbox", "--format", "prodigy")

    assert (refused.code, refused.err.splitlines()[-1]) == (
        1,
        "inbox-prodigy.jsonl exists here already. Name the file: --to inbox-prodigy.jsonl, to replace it.",
    )
    assert (here / "inbox-prodigy.jsonl").read_text() == "mine"
    result = command(
        "annotations", "export", "inbox", "--format", "prodigy", "--to", "inbox-prodigy.jsonl", "--json"
    )
    assert (result.code, result.json["path"], result.json["queue"]) == (0, "inbox-prodigy.jsonl", None)
    assert (here / "inbox-prodigy.jsonl").read_text() != "mine"


def test_a_file_with_another_digest_is_not_kept(as_person, queue, mia, here, monkeypatch):
    def download(self, method, path, target):
        target.write(b"something else")

    monkeypatch.setattr("lifecycle.runtime.cli.client.Client.download", download)

    result = as_person(mia)("annotations", "export", "inbox", "--format", "prodigy")

    assert (result.code, "The download is damaged" in result.err, list(here.iterdir())) == (1, True, [])


def test_a_dataset_version_export_lists_what_its_format_loses(as_person, project, mia, here):
    inbox = make_dataset(project, mia, "Inbox")
    import_texts(
        inbox,
        [(f"text {n}", ("card", "cash")[n % 2], f"m-{n}") for n in range(12)],
        mia,
        header=("text", "label", "id"),
    )
    freeze(inbox, mia)

    result = as_person(mia)("dataset-versions", "export", f"{inbox.slug}@1", "--format", "fasttext")

    made = Export.objects.get()
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        f"{made.file_name}: 12 rows; {made.blob.size:,} bytes.",
        f"sha256 {made.blob.digest}",
        "The format can't hold:",
        *[f"  {words}" for words in made.left_out],
    ]
    assert made.left_out


def test_exporting_needs_the_role(as_person, queue, ana, here):
    command, before = as_person(ana), Event.objects.count()

    result = command("annotations", "export", "inbox", "--format", "prodigy")

    assert (result.code, result.out, list(here.iterdir()), Event.objects.count()) == (1, "", [], before)
    assert not AnnotationExport.objects.exists()
