"""`lifecycle verify` checks the model card of an export with the key, offline: altered, missing and foreign cards are refused."""

from __future__ import annotations

import zipfile

import pytest

from lifecycle import bundle
from registry.ledger import keys
from tests.support import registry


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def key(version, tmp_path):
    path = tmp_path / "signing.pub.pem"
    path.write_bytes(keys.public_key_path().read_bytes())
    return path


@pytest.fixture
def export(version, mia) -> bytes:
    """Of all tests: they write it where each may change it."""
    with registry.exported(version, mia) as packed:
        return packed.read()


@pytest.fixture
def kept(export, tmp_path):
    path = tmp_path / "version.zip"
    path.write_bytes(export)
    return path


def rewritten(kept, change):
    """The export with other bytes, as one from before one signature covered all of it: change gives the bytes of an entry, None to leave it
    out."""
    with zipfile.ZipFile(kept) as source, zipfile.ZipFile(kept.with_name("changed.zip"), "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            if not entry.filename.startswith(("model/", "card/")) or entry.filename == "model/README.md":
                continue
            if (data := change(entry.filename, source.read(entry))) is not None:
                target.writestr(entry.filename, data)
    return kept.with_name("changed.zip")


def verified(command, path, key, *more):
    return command("verify", "--file", str(path), "--key", str(key), "--json", *more)


def test_the_card_of_an_export_holds(command, kept, key):
    said = verified(command, kept, key)

    assert (said.code, said.json["holds"], said.json["card_revision"]) == (0, True, 1)


@pytest.mark.parametrize("name", ["card/README.md", "card/card.json", "card/model.sig"])
def test_one_altered_byte_of_the_card_does_not_hold(command, kept, key, name):
    changed = rewritten(kept, lambda entry, data: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:] if entry == name else data)

    assert verified(command, changed, key).code == 1


@pytest.mark.parametrize("left_out", ["card/", "card/model.sig"])
def test_a_card_or_signature_that_was_taken_out_does_not_hold_unless_it_is_not_asked_for(command, kept, key, left_out):
    changed = rewritten(kept, lambda entry, data: None if entry.startswith(left_out) else data)

    assert verified(command, changed, key).code == 1
    said = verified(command, changed, key, "--without-card")
    assert (said.code, said.json["card_revision"]) == (0, None)


def test_a_signed_card_of_another_model_does_not_hold(command, kept, key, tmp_path):
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "README.md").write_text("# Another model\n")
    (folder / "card.json").write_bytes(bundle.canonical_json({"root_digest": "0" * 64, "revision": 1}))
    bundle.sign(folder, keys.private_key_path())
    changed = rewritten(kept, lambda entry, data: (folder / entry[5:]).read_bytes() if entry.startswith("card/") else data)

    said = verified(command, changed, key)

    assert (said.code, "describes another model" in said.err) == (1, True)


@pytest.mark.parametrize("name", ["code/lifecycle_model.py", "transformers/modeling_lifecycle.py", "MLmodel", "requirements.txt"])
def test_what_no_signature_covers_does_not_hold_beside_folders_that_do(command, kept, key, name):
    with zipfile.ZipFile(rewritten(kept, lambda entry, data: data), "a", zipfile.ZIP_STORED) as forged:
        forged.writestr(name, "import os")

    said = verified(command, kept.with_name("changed.zip"), key)

    assert (said.code, f"{name} is covered by no signature" in said.err) == (1, True)
