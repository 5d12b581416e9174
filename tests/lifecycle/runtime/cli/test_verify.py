"""The audit log and a version are verified offline, from files, with a key that doesn't come from the
server.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from registry.ground.ledger import keys
from registry.ground.ledger.models import Event
from tests.support import registry


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def key(version, tmp_path):
    """A file with the installation's public key."""
    path = tmp_path / "signing.pub.pem"
    path.write_bytes(keys.public_key_path().read_bytes())
    return path


@pytest.fixture
def name(version):
    return f"{version.model.slug}@{version.semver}"


@pytest.fixture
def trail(as_person, lee, version, tmp_path):
    path = tmp_path / "trail.jsonl"
    assert as_person(lee)("audit", "verify", "--save", str(path)).code == 0
    return path


def rewrite(path: Path, change) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))


def events(rows):
    return [row for row in rows if "hash" in row]


def test_a_downloaded_version_is_valid(as_person, mia, version, name, key):
    result = as_person(mia)("models", "verify", name, "--key", str(key))

    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "Waiting for a worker\n")
    assert lines[0].endswith("bytes: unchanged since they were signed.")
    assert lines[2] == f"Root digest  {version.root_digest}"
    assert lines[3] == f"Signed with  {version.key_fingerprint}"


def test_an_export_is_verified_with_no_server_at_all(
    as_person, command, mia, version, name, key, tmp_path, monkeypatch
):
    kept = tmp_path / "version.zip"
    as_person(mia)("models", "verify", name, "--key", str(key), "--save", str(kept))
    monkeypatch.delenv("LIFECYCLE_URL")
    monkeypatch.delenv("LIFECYCLE_TOKEN")

    result = command("models", "verify", "--file", str(kept), "--key", str(key), "--json")

    assert (result.code, result.json["holds"], result.json["root_digest"]) == (0, True, version.root_digest)


@pytest.mark.parametrize("inside", [".safetensors", "model/README.md", "VERIFY.md"])
def test_one_flipped_byte_is_invalid(as_person, command, mia, name, key, tmp_path, inside):
    kept, bad = tmp_path / "version.zip", tmp_path / "bad.zip"
    as_person(mia)("models", "verify", name, "--key", str(key), "--save", str(kept))
    with zipfile.ZipFile(kept) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(
                entry.filename, data[:-1] + bytes([data[-1] ^ 1]) if entry.filename.endswith(inside) else data
            )

    result = command("models", "verify", "--file", str(bad), "--key", str(key))

    assert (result.code, result.out) == (1, "")
    assert inside in result.err


@pytest.mark.parametrize("inside", ["model/../../evil", "model//etc/passwd", "model/a\\b"])
def test_a_malicious_archive_writes_nothing(command, key, tmp_path, inside):
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        target.writestr(inside, b"x")

    result = command("models", "verify", "--file", str(bad), "--key", str(key))

    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("isn't a file of an export. Don't use this file.\n")


def test_a_version_without_a_key_is_a_usage_error(as_person, mia, name):
    result = as_person(mia)("models", "verify", name)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Give the installation's public key with --key.")


def test_another_key_is_invalid(as_person, mia, name, tmp_path):
    from lifecycle.runtime import bundle

    bundle.generate_key(tmp_path / "other.pem")

    result = as_person(mia)(
        "models", "verify", name, "--key", str(bundle.public_path(tmp_path / "other.pem"))
    )

    assert (result.code, result.out) == (1, "")
    assert result.err


def test_a_valid_audit_log_shows_how_far_it_is_signed(as_person, lee, version, key, project):
    result = as_person(lee)("audit", "verify", "--key", str(key))

    assert (result.code, result.err) == (0, "")
    assert str(project.uuid) in result.out
    assert "signed up to event" in result.out


def test_without_a_key_the_output_warns_that_no_signature_was_checked(as_person, lee, version):
    result = as_person(lee)("audit", "verify")

    assert result.code == 0
    assert (
        result.out.splitlines()[-1]
        == "Signatures aren't checked: give the installation's public key with --key."
    )


def test_an_altered_event_is_invalid(command, trail):
    def alter(rows):
        events(rows)[1]["canonical"] = events(rows)[1]["canonical"].replace('"actor"', '"Actor"', 1)
        return rows

    rewrite(trail, alter)

    result = command("audit", "verify", "--file", str(trail), "--json")

    assert result.code == 1
    assert result.json["holds"] is False
    assert [chain["fault"] for chain in result.json["chains"].values() if chain["fault"]][0].endswith(
        "It was altered."
    )


def test_a_removed_event_is_detected_in_a_whole_chain(command, trail):
    whole = command("audit", "verify", "--file", str(trail), "--json").json["chains"]
    chain = next(name for name, found in whole.items() if found["state"] == "whole" and found["events"] > 2)

    def remove(rows):
        middle = [row for row in events(rows) if json.loads(row["canonical"])["chain"] == chain][1]
        return [row for row in rows if row is not middle]

    rewrite(trail, remove)
    result = command("audit", "verify", "--file", str(trail), "--json")

    assert result.json["chains"][chain]["state"] == "in parts"  # not called whole


def test_a_truncated_log_is_detected_by_saved_checkpoints(command, trail, key, tmp_path):
    kept = tmp_path / "checkpoints.jsonl"
    first = command("audit", "verify", "--file", str(trail), "--key", str(key), "--checkpoints", str(kept))
    assert first.code == 0, first.out
    chain = next(
        name
        for name, found in command("audit", "verify", "--file", str(trail), "--json").json["chains"].items()
        if found["state"] == "whole"
    )

    def cut(rows):
        newest = [row for row in events(rows) if json.loads(row["canonical"])["chain"] == chain][0]
        return [row for row in rows if row is not newest]

    rewrite(trail, cut)
    result = command("audit", "verify", "--file", str(trail), "--key", str(key), "--checkpoints", str(kept))

    assert result.code == 1
    assert f"{chain}: broken, a signed checkpoint names event " in result.out
    assert "Its end is missing." in result.out


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}\n",
        "not json\n",
        '{"hash": 1}\n',
        "[]\n",
        '{"hash": "a", "canonical": "{}"}\n',
        json.dumps({"hash": "a", "canonical": '{"chain": "a", "seq": 1e999, "previous": ""}'}),
        json.dumps({"hash": "a", "canonical": '{"chain": "\ud800", "seq": 1, "previous": ""}'}),
    ],
)
def test_an_invalid_export_gives_no_traceback(command, tmp_path, content):
    path = tmp_path / "trail.jsonl"
    path.write_text(content)

    result = command("audit", "verify", "--file", str(path))

    assert result.code == (0 if not content else 1)
    assert "Traceback" not in result.err + result.out


def test_a_file_that_is_not_there_is_a_usage_error(command, tmp_path):
    result = command("audit", "verify", "--file", str(tmp_path / "nothing.jsonl"))

    assert (result.code, result.out) == (2, "")


def test_exporting_the_audit_log_without_the_role_names_the_role(as_person, ana, version):
    before = Event.objects.filter(verb="audit.exported").count()

    result = as_person(ana)("audit", "verify")

    assert (result.code, result.out) == (1, "")
    assert "can do this." in result.err
    assert Event.objects.filter(verb="audit.exported").count() == before
