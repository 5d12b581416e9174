"""The installation's key, and the JSON documents signed with it."""

import json
import subprocess
import sys

import pytest

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused


@pytest.fixture
def key(tmp_path):
    bundle.generate_key(tmp_path / "signing.pem")
    return tmp_path / "signing.pem"


def test_the_private_key_is_readable_by_its_owner_only(key):
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(bundle.fingerprint(bundle.public_path(key))) == 64


def test_a_key_is_never_overwritten(key):
    before = key.read_bytes()

    with pytest.raises(Refused, match="signing.pem"):
        bundle.generate_key(key)
    bundle.ensure_key(key)

    assert key.read_bytes() == before


def test_a_lost_public_half_is_written_again(key):
    public = bundle.public_path(key)
    before = bundle.fingerprint(public)
    public.unlink()

    assert bundle.fingerprint(bundle.ensure_key(key)) == before


def test_a_document_is_returned_as_it_was_signed(key):
    document = {"epoch": 3, "endpoints": {"té": [1, 2.5, None, "x"]}}

    assert bundle.verify_document(bundle.sign_document(document, key), bundle.public_path(key)) == document


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["document"].update(epoch=4),
        lambda it: it["document"].update(extra=1),
        lambda it: it["signature"].update(value="AAAA"),
        lambda it: it["signature"].update(algorithm="none"),
        lambda it: it.pop("signature"),
    ],
)
def test_a_changed_document_is_refused(key, change):
    envelope = json.loads(bundle.sign_document({"epoch": 3}, key))
    change(envelope)

    with pytest.raises(Refused):
        bundle.verify_document(json.dumps(envelope).encode(), bundle.public_path(key))


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"document": 1, "signature": {}}']
)
def test_something_else_is_not_a_document(key, data):
    with pytest.raises(Refused):
        bundle.verify_document(data, bundle.public_path(key))


def test_a_document_of_another_installation_is_refused(key, tmp_path):
    other = tmp_path / "other.pem"
    bundle.generate_key(other)

    with pytest.raises(Refused):
        bundle.verify_document(bundle.sign_document({"epoch": 1}, other), bundle.public_path(key))


def test_numbers_without_a_json_spelling_are_not_signed(key):
    with pytest.raises(ValueError):
        bundle.sign_document({"share": float("nan")}, key)


def test_importing_the_room_does_not_import_the_signing_library():
    code = (
        "import sys, lifecycle.runtime.bundle; sys.exit('model_signing' in sys.modules or 'django' in"
        " sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
