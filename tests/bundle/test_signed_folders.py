"""A signed folder verifies as it was signed, here and with the public tool, and not otherwise."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from model_signing._signing.sign_sigstore_pb import Signature
from model_signing.verifying import Config

from lifecycle.runtime import bundle
from lifecycle.runtime.bundle import signing
from lifecycle.runtime.refusals import Damaged, Refused


@pytest.fixture
def key(tmp_path):
    bundle.generate_key(tmp_path / "keys" / "signing.pem")
    return tmp_path / "keys" / "signing.pem"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "serving").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "serving" / "model.onnx").write_bytes(b"\x08\x01weights")
    (folder / "serving-notes.txt").write_text("sorts before the folder as text, after it as a path")
    return folder


def refusal(folder: Path, key: Path) -> str:
    with pytest.raises(Refused) as caught:
        bundle.verify(folder, bundle.public_path(key))
    return str(caught.value)


def test_root_digest_is_the_subject_of_the_signature(model, key):
    root = bundle.sign(model, key)

    verified = bundle.verify(model, bundle.public_path(key), expected_root=root)

    assert bundle.root_digest(verified) == root
    assert [file.name for file in verified.files] == [
        "config.json",
        "serving/model.onnx",
        "serving-notes.txt",
    ]


def test_the_public_command_line_tool_confirms_the_signature(model, key):
    bundle.sign(model, key)
    command = [
        sys.executable,
        "-m",
        "model_signing",
        "verify",
        "key",
        str(model),
        "--signature",
        str(model / "model.sig"),
    ]

    done = subprocess.run(
        [*command, "--public_key", str(bundle.public_path(key))], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_a_folder_can_be_signed_again_and_moved(model, key):
    first = bundle.sign(model, key)
    assert bundle.sign(model, key) == first

    moved = model.rename(model.with_name("elsewhere"))

    assert bundle.root_digest(bundle.verify(moved, bundle.public_path(key))) == first


def test_a_flipped_byte_is_refused_and_named(model, key):
    bundle.sign(model, key)
    weights = model / "serving" / "model.onnx"
    data = bytearray(weights.read_bytes())
    data[3] ^= 1
    weights.write_bytes(data)

    assert refusal(model, key) == "serving/model.onnx was changed after the model was signed."


def test_an_added_file_is_refused_and_named(model, key):
    bundle.sign(model, key)
    (model / "serving" / "extra.txt").write_text("x")

    assert refusal(model, key) == "serving/extra.txt was added after the model was signed."


def test_an_added_empty_folder_is_refused_and_named(model, key):
    bundle.sign(model, key)
    (model / "serving" / "more" / "below").mkdir(parents=True)

    with pytest.raises(Damaged, match="serving/more/below"):
        bundle.verify(model, bundle.public_path(key))
    with pytest.raises(Refused, match="serving/more/below"):
        bundle.sign(model, key)


def test_a_missing_file_is_refused_and_named(model, key):
    bundle.sign(model, key)
    (model / "config.json").unlink()

    assert refusal(model, key) == "config.json is missing. It was present when the model was signed."


def a_file(folder: Path) -> None:
    (folder / "serving" / "model.onnx").unlink()


def everything(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize("taken", [a_file, everything])
@pytest.mark.parametrize("when", ["listed", "read"])
def test_what_others_take_away_while_it_is_verified_is_not_damage(model, key, monkeypatch, taken, when):
    bundle.sign(model, key)
    owner, name = {"listed": (signing, "_compare"), "read": (Signature, "read")}[when]
    own = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given: (own(*given), taken(model))[0])

    with pytest.raises((Refused, OSError)) as caught:
        bundle.verify(model, bundle.public_path(key))

    assert not isinstance(caught.value, Damaged)


def test_a_folder_that_is_laid_out_again_while_it_is_verified_is_not_damaged(model, key, monkeypatch):
    bundle.sign(model, key)
    copy, read, differing = (
        Path(shutil.copytree(model, model.with_name("copy"))),
        Signature.read,
        Config._get_manifest_diff,
    )
    monkeypatch.setattr(Signature, "read", lambda path: (read(path), everything(model / "serving"))[0])
    monkeypatch.setattr(
        Config,
        "_get_manifest_diff",
        lambda *given: (differing(*given), everything(model), copy.rename(model))[0],
    )

    assert refusal(model, key) == "model changed during verification."

    monkeypatch.undo()
    assert len(bundle.verify(model, bundle.public_path(key)).files) == 3


def test_what_is_changed_while_it_is_verified_is_refused_and_named_as_soon_as_it_is_still(
    model, key, monkeypatch
):
    bundle.sign(model, key)
    with monkeypatch.context() as patched:
        own = Signature.read
        patched.setattr(
            Signature, "read", lambda path: (own(path), (model / "config.json").write_text("{}"))[0]
        )
        assert refusal(model, key) == "model changed during verification."

    with pytest.raises(Damaged, match="config.json"):
        bundle.verify(model, bundle.public_path(key))


def test_a_signature_of_another_key_is_refused(model, key, tmp_path):
    bundle.sign(model, key)
    other = tmp_path / "other" / "signing.pem"
    bundle.generate_key(other)

    assert refusal(model, other) == "The signature of model was made with another key or has been changed."


def test_a_signature_rewritten_to_fit_changed_files_is_refused(model, key):
    bundle.sign(model, key)
    signature = json.loads((model / "model.sig").read_text())
    (model / "config.json").write_text("{}")
    forger = model.parent / "forger" / "signing.pem"
    bundle.generate_key(forger)
    bundle.sign(model, forger)
    forged = json.loads((model / "model.sig").read_text())
    forged["verificationMaterial"] = signature["verificationMaterial"]
    (model / "model.sig").write_text(json.dumps(forged))

    assert refusal(model, key) == "The signature of model was made with another key or has been changed."


def test_an_unsigned_folder_is_refused(model, key):
    assert refusal(model, key) == "model has no signature (model.sig)."


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\x80\x04N.", b'{"dsseEnvelope": {"payload": "bm9wZQ=="}}', b"[" * 100_000]
)
def test_a_broken_signature_file_is_refused(model, key, content):
    (model / "model.sig").write_bytes(content)

    assert refusal(model, key) == "model.sig isn't a model signature."


def test_another_signed_model_is_not_the_requested_one(model, key):
    bundle.sign(model, key)

    with pytest.raises(Refused):
        bundle.verify(model, bundle.public_path(key), expected_root="0" * 64)


def test_links_and_hidden_files_are_refused(model, key, tmp_path):
    (tmp_path / "secret").write_text("s")
    (model / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="link.txt"):
        bundle.sign(model, key)
    (model / "link.txt").unlink()
    (model / "serving" / "up").symlink_to(tmp_path)
    with pytest.raises(Refused, match="serving/up"):
        bundle.sign(model, key)
    (model / "serving" / "up").unlink()
    (model / ".git").mkdir()
    with pytest.raises(Refused, match="'.git'"):
        bundle.sign(model, key)

    assert not (model / "model.sig").exists()


@pytest.mark.parametrize("name", ["a\nb.txt", "..\\up.txt", "c:d.txt", "trailing.", "bidi\u202e.txt"])
def test_names_that_mean_different_things_elsewhere_are_refused(model, name):
    (model / name).write_text("x")

    with pytest.raises(Refused):
        bundle.manifest(model)


def test_bytes_are_used_only_as_they_were_listed(model):
    listed = bundle.manifest(model)
    assert bundle.read_verified(model, listed, "config.json") == b'{"model_type": "bert"}'

    (model / "config.json").write_text("{}")

    with pytest.raises(Refused, match="config.json"):
        bundle.read_verified(model, listed, "config.json")
    with pytest.raises(Refused, match="../keys/signing.pem"):
        bundle.read_verified(model, listed, "../keys/signing.pem")


def test_an_empty_folder_has_no_digest(tmp_path):
    with pytest.raises(Refused):
        bundle.manifest(tmp_path)
