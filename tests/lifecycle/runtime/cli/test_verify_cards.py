"""`lifecycle models verify` checks the model card of an export with the key, offline: altered, missing and
foreign cards are refused.
"""

from __future__ import annotations

import zipfile

import pytest

from lifecycle.runtime import bundle
from registry.ground.ledger import keys
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


def rewritten(kept, change, *, signed=True):
    """The export with other bytes. change: returns those of an entry, None to leave it out. signed: the whole
    is signed again, so that a change inside is found by its own signature.
    """
    folder = kept.with_name("changed")
    with zipfile.ZipFile(kept) as source:
        for entry in source.infolist():
            if (data := change(entry.filename, source.read(entry))) is not None:
                (folder / entry.filename).parent.mkdir(parents=True, exist_ok=True)
                (folder / entry.filename).write_bytes(data)
    if signed:
        bundle.sign(folder, keys.private_key_path())
    with zipfile.ZipFile(kept.with_name("changed.zip"), "w", zipfile.ZIP_STORED) as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            target.write(path, path.relative_to(folder).as_posix())
    return kept.with_name("changed.zip")


def verified(command, path, key):
    return command("models", "verify", "--file", str(path), "--key", str(key), "--json")


def test_the_card_of_an_export_is_valid(command, kept, key):
    result = verified(command, kept, key)

    assert (result.code, result.json["holds"], result.json["card_revision"]) == (0, True, 1)


@pytest.mark.parametrize("name", ["card/README.md", "card/card.json", "card/model.sig"])
def test_one_altered_byte_of_the_card_is_invalid(command, kept, key, name):
    changed = rewritten(
        kept, lambda entry, data: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:] if entry == name else data
    )

    assert verified(command, changed, key).code == 1


@pytest.mark.parametrize("left_out", ["card/", "card/model.sig"])
def test_a_missing_card_or_signature_is_invalid(command, kept, key, left_out):
    changed = rewritten(kept, lambda entry, data: None if entry.startswith(left_out) else data)

    assert verified(command, changed, key).code == 1


def test_an_export_without_its_overall_signature_is_invalid(command, kept, key):
    changed = rewritten(kept, lambda entry, data: None if entry == "model.sig" else data, signed=False)

    result = verified(command, changed, key)

    assert (result.code, "has no signature" in result.err) == (1, True)


def test_a_signed_card_of_another_model_is_invalid(command, kept, key, tmp_path):
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "README.md").write_text("# Another model\n")
    (folder / "card.json").write_bytes(bundle.canonical_json({"root_digest": "0" * 64, "revision": 1}))
    bundle.sign(folder, keys.private_key_path())
    changed = rewritten(
        kept, lambda entry, data: (folder / entry[5:]).read_bytes() if entry.startswith("card/") else data
    )

    result = verified(command, changed, key)

    assert (result.code, "describes another model" in result.err) == (1, True)


@pytest.mark.parametrize(
    "name", ["code/lifecycle_model.py", "transformers/modeling_lifecycle.py", "MLmodel", "requirements.txt"]
)
def test_unsigned_files_beside_signed_folders_are_invalid(command, kept, key, name):
    changed = rewritten(kept, lambda entry, data: b"import os" if entry == name else data, signed=False)
    with zipfile.ZipFile(changed, "a", zipfile.ZIP_STORED) as forged:
        if name not in forged.namelist():
            forged.writestr(name, "import os")

    result = verified(command, changed, key)

    assert (result.code, name in result.err) == (1, True)
