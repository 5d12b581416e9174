"""Bytes are kept once, under their digest; what is damaged is refused, and a folder is laid out whole or not
at all.
"""

import errno
import hashlib
import os
from pathlib import Path

import pytest
from django.core.files.storage import storages

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Damaged, Refused
from registry.ground.artifacts import actions
from registry.ground.artifacts.models import Blob, Folder
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXT = b"I lost my card.\n"
DIGEST = hashlib.sha256(TEXT).hexdigest()


def stored(digest: str) -> Path:
    return Path(storages["blobs"].path(actions.key(digest)))


def files_in_store() -> list[str]:
    root = Path(storages["blobs"].location)
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder as a run leaves it: a name inside a folder, and two files of equal content."""
    folder = tmp_path / "model"
    (folder / "serving").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "added_tokens.json").write_bytes(b"{}")
    (folder / "serving" / "model.onnx").write_bytes(b"\x08\x0a" * 700_000)  # more than one chunk
    return folder


# ── Bytes ───────────────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_the_same_bytes_are_kept_once():
    first = actions.put_bytes(TEXT, media_type="text/plain")
    second = actions.put_bytes(TEXT, media_type="application/json")

    assert (first.pk, first.digest, first.size, second.media_type) == (
        second.pk,
        DIGEST,
        len(TEXT),
        "text/plain",
    )
    assert Blob.objects.count() == 1
    assert files_in_store() == [DIGEST]


def test_bytes_that_the_store_has_and_the_table_has_not_are_taken_up_again():
    """A crash between the two leaves a file without a row; the next attempt completes it."""
    path = stored(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)

    blob = actions.put_bytes(TEXT)

    assert (blob.digest, blob.size, files_in_store()) == (DIGEST, len(TEXT), [DIGEST])


def test_no_bytes_at_all_are_bytes_too():
    blob = actions.put_bytes(b"")

    with actions.open_blob(blob.digest) as file:
        assert (blob.size, file.read()) == (0, b"")


def test_what_was_put_comes_back(tmp_path):
    actions.put_bytes(TEXT)
    actions.copy_blob(DIGEST, tmp_path / "copy")

    with actions.open_blob(DIGEST) as file, actions.local_copy(DIGEST) as path:
        assert (file.read(), path.read_bytes(), (tmp_path / "copy").read_bytes()) == (TEXT, TEXT, TEXT)


def test_damaged_bytes_are_refused(tmp_path):
    actions.put_bytes(TEXT)
    stored(DIGEST).write_bytes(TEXT.replace(b"card", b"cord"))

    with pytest.raises(Refused, match=DIGEST[:12]), actions.local_copy(DIGEST):
        pass
    with pytest.raises(Damaged, match=DIGEST[:12]):
        actions.copy_blob(DIGEST, tmp_path / "copy")


def test_lost_bytes_are_refused_with_a_way_out():
    actions.put_bytes(TEXT)
    stored(DIGEST).unlink()

    with pytest.raises(Refused) as refusal:
        actions.open_blob(DIGEST)
    with pytest.raises(Refused), actions.local_copy(DIGEST):
        pass

    assert refusal.value.message == f"The bytes {DIGEST[:12]} are not in the store."
    assert refusal.value.next_step == "Restore the blob store from its backup."


# ── Folders ─────────────────────────────────────────────────────────────────
def test_a_folder_comes_back_as_it_was(model, tmp_path):
    kept = actions.put_folder(model)

    laid_out = actions.write_folder(kept, tmp_path / "out" / kept.root_digest)

    assert [file["name"] for file in kept.files] == ["added_tokens.json", "config.json", "serving/model.onnx"]
    assert (kept.size, kept.root_digest) == (1_400_004, bundle.root_digest(bundle.manifest(model)))
    assert bundle.manifest(laid_out) == bundle.manifest(model)
    assert len(files_in_store()) == 2  # equal content is one blob


@pytest.mark.postgres
def test_a_folder_is_noted_in_as_many_statements_however_many_files_it_has(model, django_assert_num_queries):
    (model / "more").mkdir()
    for n in range(20):
        (model / "more" / f"{n}.bin").write_bytes(bytes([n]))

    with django_assert_num_queries(5):  # the blobs; the folder, which is looked for first, in a savepoint
        kept = actions.put_folder(model)

    assert len(kept.files) == 23
    assert set(Blob.objects.values_list("digest", "size")) == {
        (file["sha256"], file["size"]) for file in kept.files
    }
    assert sorted(Blob.objects.values_list("digest", flat=True)) == files_in_store()


@pytest.mark.postgres
def test_equal_content_is_the_same_folder(model, tmp_path):
    first = actions.put_folder(model)
    again = actions.put_folder(actions.write_folder(first, tmp_path / "again"))

    assert (again.pk, Folder.objects.count()) == (first.pk, 1)


def test_the_signature_is_no_part_of_the_folder(model):
    """The signature covers the folder's digest, so the digest cannot cover the signature."""
    before = actions.put_folder(model)
    (model / "model.sig").write_text("{}")

    assert actions.put_folder(model).pk == before.pk


def test_one_changed_byte_is_another_folder(model):
    before = actions.put_folder(model)
    (model / "config.json").write_bytes(b"[]")

    after = actions.put_folder(model)

    assert after.root_digest != before.root_digest
    assert Folder.objects.count() == 2


def test_a_folder_with_a_damaged_file_is_not_laid_out_at_all(model, tmp_path):
    kept = actions.put_folder(model)
    path = stored(kept.files[-1]["sha256"])
    path.write_bytes(path.read_bytes()[:-1])
    out = tmp_path / "out"

    with pytest.raises(Damaged):
        actions.write_folder(kept, out / "model")

    assert list(out.iterdir()) == []


def test_a_folder_that_is_there_is_kept_as_it_is(model, tmp_path):
    kept = actions.put_folder(model)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")

    actions.write_folder(kept, tmp_path / "there")

    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine.txt"]


def test_a_lost_race_keeps_the_winner_and_leaves_nothing_behind(model, tmp_path, monkeypatch):
    kept = actions.put_folder(model)
    target = tmp_path / "out" / "model"

    def winner_was_quicker(_source: str, _target: str) -> None:
        target.mkdir()
        (target / "config.json").write_bytes(b"{}")
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(os, "replace", winner_was_quicker)
    actions.write_folder(kept, target)

    assert sorted(path.name for path in target.parent.iterdir()) == ["model"]


def test_a_full_disk_is_reported_and_leaves_nothing_behind(model, tmp_path, monkeypatch):
    kept = actions.put_folder(model)

    def full(_source: str, _target: str) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        actions.write_folder(kept, tmp_path / "out" / "model")

    assert list((tmp_path / "out").iterdir()) == []


def link(folder: Path) -> None:
    (folder / "weights.json").symlink_to("/etc/passwd")


def linked_folder(folder: Path) -> None:
    (folder / "weights").symlink_to(folder.parent)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def hidden(folder: Path) -> None:
    (folder / ".netrc").write_text("secret")


def backslash(folder: Path) -> None:
    (folder / "..\\..\\escape.json").write_text("{}")


def line_break(folder: Path) -> None:
    (folder / "two\nlines.json").write_text("{}")


def ends_in_a_dot(folder: Path) -> None:
    (folder / "config.").write_text("{}")


@pytest.mark.parametrize(
    "trick",
    [link, linked_folder, pipe, hidden, backslash, line_break, ends_in_a_dot],
    ids=lambda trick: trick.__name__,
)
def test_a_name_or_link_that_leads_elsewhere_is_refused_and_nothing_is_kept(model, trick):
    trick(model)

    with pytest.raises(Refused):
        actions.put_folder(model)

    assert (Folder.objects.count(), Blob.objects.count(), files_in_store()) == (0, 0, [])


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    with refused():
        actions.put_folder(tmp_path / "empty")
