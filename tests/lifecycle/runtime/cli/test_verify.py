"""The trail and a version are verified here, from files, with a key that does not come from the server."""

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
    """The public key as whoever runs the installation hands it over."""
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


def test_a_version_is_downloaded_and_holds(as_person, mia, version, name, key):
    said = as_person(mia)("models", "verify", name, "--key", str(key))

    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "Waiting for a worker\n")
    assert lines[0].endswith("bytes: unchanged since they were signed.")
    assert lines[2] == f"Root digest  {version.root_digest}"
    assert lines[3] == f"Signed with  {version.key_fingerprint}"


def test_an_export_is_verified_with_no_server_at_all(as_person, command, mia, version, name, key, tmp_path, monkeypatch):
    kept = tmp_path / "version.zip"
    as_person(mia)("models", "verify", name, "--key", str(key), "--save", str(kept))
    monkeypatch.delenv("LIFECYCLE_URL")
    monkeypatch.delenv("LIFECYCLE_TOKEN")

    said = command("models", "verify", "--file", str(kept), "--key", str(key), "--json")

    assert (said.code, said.json["holds"], said.json["root_digest"]) == (0, True, version.root_digest)


@pytest.mark.parametrize("inside", [".safetensors", "model/README.md", "VERIFY.md"])
def test_one_flipped_byte_does_not_hold(as_person, command, mia, name, key, tmp_path, inside):
    kept, bad = tmp_path / "version.zip", tmp_path / "bad.zip"
    as_person(mia)("models", "verify", name, "--key", str(key), "--save", str(kept))
    with zipfile.ZipFile(kept) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry.filename, data[:-1] + bytes([data[-1] ^ 1]) if entry.filename.endswith(inside) else data)

    said = command("models", "verify", "--file", str(bad), "--key", str(key))

    assert (said.code, said.out) == (1, "")
    assert inside in said.err


@pytest.mark.parametrize("inside", ["model/../../evil", "model//etc/passwd", "model/a\\b"])
def test_an_archive_that_was_made_to_do_harm_writes_nothing(command, key, tmp_path, inside):
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as target:
        target.writestr(inside, b"x")

    said = command("models", "verify", "--file", str(bad), "--key", str(key))

    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("isn't a file of an export. Don't use this file.\n")


def test_a_version_without_a_key_is_a_mistake_in_the_call(as_person, mia, name):
    said = as_person(mia)("models", "verify", name)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Give the installation's public key with --key.")


def test_another_key_does_not_hold(as_person, mia, name, tmp_path):
    from lifecycle.runtime import bundle

    bundle.generate_key(tmp_path / "other.pem")

    said = as_person(mia)("models", "verify", name, "--key", str(bundle.public_path(tmp_path / "other.pem")))

    assert (said.code, said.out) == (1, "")
    assert said.err


def test_the_trail_holds_and_says_how_far_it_is_signed(as_person, lee, version, key, project):
    said = as_person(lee)("audit", "verify", "--key", str(key))

    assert (said.code, said.err) == (0, "")
    assert str(project.uuid) in said.out
    assert "signed up to event" in said.out


def test_without_a_key_it_says_that_no_signature_was_checked(as_person, lee, version):
    said = as_person(lee)("audit", "verify")

    assert said.code == 0
    assert said.out.splitlines()[-1] == "Signatures aren't checked: give the installation's public key with --key."


def test_an_altered_event_does_not_hold(command, trail):
    def alter(rows):
        events(rows)[1]["canonical"] = events(rows)[1]["canonical"].replace('"actor"', '"Actor"', 1)
        return rows

    rewrite(trail, alter)

    said = command("audit", "verify", "--file", str(trail), "--json")

    assert said.code == 1
    assert said.json["holds"] is False
    assert [chain["fault"] for chain in said.json["chains"].values() if chain["fault"]][0].endswith("It was altered.")


def test_a_removed_event_is_seen_where_the_chain_is_whole(command, trail):
    whole = command("audit", "verify", "--file", str(trail), "--json").json["chains"]
    chain = next(name for name, found in whole.items() if found["state"] == "whole" and found["events"] > 2)

    def remove(rows):
        middle = [row for row in events(rows) if json.loads(row["canonical"])["chain"] == chain][1]
        return [row for row in rows if row is not middle]

    rewrite(trail, remove)
    said = command("audit", "verify", "--file", str(trail), "--json")

    assert said.json["chains"][chain]["state"] == "in parts"  # said, and not called whole


def test_a_tail_that_was_cut_off_is_known_by_the_checkpoints_that_were_kept(command, trail, key, tmp_path):
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
    said = command("audit", "verify", "--file", str(trail), "--key", str(key), "--checkpoints", str(kept))

    assert said.code == 1
    assert f"{chain}: broken, a signed checkpoint names event " in said.out
    assert "Its end is missing." in said.out


@pytest.mark.parametrize(
    "content",
    [
        "", "{}\n", "not json\n", '{"hash": 1}\n', "[]\n", '{"hash": "a", "canonical": "{}"}\n',
        json.dumps({"hash": "a", "canonical": '{"chain": "a", "seq": 1e999, "previous": ""}'}),
        json.dumps({"hash": "a", "canonical": '{"chain": "\ud800", "seq": 1, "previous": ""}'}),
    ],
)  # fmt: skip
def test_what_is_no_export_is_no_traceback(command, tmp_path, content):
    path = tmp_path / "trail.jsonl"
    path.write_text(content)

    said = command("audit", "verify", "--file", str(path))

    assert said.code == (0 if not content else 1)
    assert "Traceback" not in said.err + said.out


def test_a_file_that_is_not_there_is_a_mistake_in_the_call(command, tmp_path):
    said = command("audit", "verify", "--file", str(tmp_path / "nothing.jsonl"))

    assert (said.code, said.out) == (2, "")


def test_who_may_not_export_the_trail_is_told_who_may(as_person, ana, version):
    before = Event.objects.filter(verb="audit.exported").count()

    said = as_person(ana)("audit", "verify")

    assert (said.code, said.out) == (1, "")
    assert "can do this." in said.err
    assert Event.objects.filter(verb="audit.exported").count() == before
