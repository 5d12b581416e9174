"""A rollback hashes nothing where the files are those that were hashed before; a touched file is hashed, and
a changed one is out.
"""

import os
from pathlib import Path

import pytest
from django.core.files.storage import storages

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.catalog.actions import files
from registry.catalog.models import Alias, ModelVersion, VerifiedCopy
from registry.endpoints import actions
from registry.endpoints.queries import rollback
from registry.ground.ledger import keys
from tests.registry.endpoints.test_roll_back import live, roll_back


@pytest.fixture
def target(live_endpoint):
    """1.0.0, which a rollback makes live."""
    return rollback.rollback_target(live_endpoint)


@pytest.fixture
def weights(target, tmp_path):
    """A file of it, where the servers find it: of this test's own copy, hence the folder of its own."""
    path = files.served_folder(target) / "serving" / "model.onnx"
    path.chmod(0o600)
    return path


@pytest.fixture
def hashed(monkeypatch):
    """The folders that were hashed from now on."""
    found = []
    verify = bundle.verify
    monkeypatch.setattr(
        bundle,
        "verify",
        lambda folder, *given, **more: found.append(folder.name) or verify(folder, *given, **more),
    )
    return found


def change(path, *, keep_times=False):
    """One bit, in place, so that inode and size stay."""
    its, content = path.stat(), path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    if keep_times:
        os.utime(path, ns=(its.st_atime_ns, its.st_mtime_ns))


@pytest.mark.postgres
def test_a_rollback_to_files_that_were_hashed_before_hashes_none(live_endpoint, target, omar, hashed):
    assert actions.verify_in_use() == 2
    hashed.clear()

    roll_back(live_endpoint, omar)

    assert (live(live_endpoint), hashed) == ("1.0.0", [])


def test_files_that_were_never_hashed_are_hashed_by_the_rollback_and_remembered(
    live_endpoint, target, omar, hashed
):
    assert not files.is_remembered(target)

    roll_back(live_endpoint, omar)

    assert (live(live_endpoint), hashed) == ("1.0.0", [target.root_digest])
    assert files.is_remembered(target)


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_changed_file_is_not_what_is_remembered_whatever_its_times(
    live_endpoint, target, weights, keep_times
):
    actions.verify_in_use()
    assert files.is_remembered(target)

    change(weights, keep_times=keep_times)

    assert not files.is_remembered(target)


def test_a_rollback_to_files_that_do_not_hold_is_refused_and_moves_nothing(
    live_endpoint, target, weights, omar
):
    actions.verify_in_use()
    change(weights)
    for path in Path(storages["blobs"].location).rglob("*"):  # what the copy would be made of again
        if path.is_file() and path.name in {each["sha256"] for each in target.folder.files}:
            path.chmod(0o600)
            change(path)

    with pytest.raises(Refused):
        roll_back(live_endpoint, omar)

    assert live(live_endpoint) == "1.1.0"
    target.refresh_from_db()
    assert target.state == ModelVersion.State.QUARANTINED


def test_what_is_added_or_missing_or_verified_with_another_key_is_not_what_is_remembered(
    live_endpoint, target, weights
):
    actions.verify_in_use()
    for disturb in (
        lambda: (weights.parent / "more.bin").write_bytes(b"x"),
        lambda: (weights.parent / "more.bin").unlink() or weights.unlink(),
    ):
        disturb()
        assert not files.is_remembered(target)

    other = VerifiedCopy.objects.exclude(version=target).get()
    other.key_fingerprint = "0" * 64
    other.save()
    assert not files.is_remembered(other.version)


def test_an_installation_that_has_another_key_for_a_while_quarantines_nothing(live_endpoint, target):
    own = keys.private_key_path()
    own.unlink()
    bundle.public_path(own).unlink()
    bundle.ensure_key(own)

    for changed in (True, False):
        actions.verify_in_use(changed=changed)

    assert set(ModelVersion.objects.values_list("state", flat=True)) == {ModelVersion.State.ACTIVE}
    assert not files.is_remembered(target)


def test_a_file_that_is_missing_comes_back(live_endpoint, target, weights):
    weights.unlink()

    for _ in range(2):  # it is laid out again, and then hashed
        actions.verify_in_use(changed=True)

    assert files.is_remembered(target)


def test_the_hourly_look_quarantines_what_no_longer_holds_and_the_endpoint_leaves_it(
    live_endpoint, target, weights
):
    served = Alias.objects.get(endpoint=live_endpoint).version
    path = files.served_folder(served) / "serving" / "model.onnx"
    path.chmod(0o600)
    change(path)

    assert actions.verify_in_use() == 2

    served.refresh_from_db()
    target.refresh_from_db()
    assert (served.state, target.state) == (ModelVersion.State.QUARANTINED, ModelVersion.State.ACTIVE)
    assert "serving/model.onnx was changed" in served.state_reason
    assert live(live_endpoint) == "1.0.0"


def test_between_the_hours_only_what_is_new_or_was_touched_is_hashed(live_endpoint, target, weights, hashed):
    assert [actions.verify_in_use(changed=True) for _ in range(2)] == [2, 0]
    hashed.clear()

    weights.touch()
    assert [actions.verify_in_use(changed=True) for _ in range(2)] == [1, 0]

    assert hashed == [target.root_digest]
    change(weights)
    actions.verify_in_use(changed=True)
    target.refresh_from_db()
    assert target.state == ModelVersion.State.QUARANTINED
    assert rollback.rollback_target(live_endpoint) is None


def test_what_changes_while_it_is_hashed_is_not_remembered(live_endpoint, target, weights, monkeypatch):
    verify = bundle.verify

    def disturbed(folder, *given, **more):
        found = verify(folder, *given, **more)
        weights.touch()
        return found

    monkeypatch.setattr(bundle, "verify", disturbed)
    files.verify_copy(target)

    assert not VerifiedCopy.objects.filter(version=target).exists()


def test_a_version_that_an_earlier_check_still_hashes_is_left_to_it(live_endpoint, target, hashed):
    with files.hashing_alone(target) as alone:
        assert (alone, [actions.verify_in_use(changed=changed) for changed in (True, False)]) == (
            True,
            [1, 1],
        )
        assert target.root_digest not in hashed

    assert (actions.verify_in_use(), target.root_digest in hashed) == (2, True)
