"""A version's export, verified on this machine: files and model card against the signed lists, signatures
against a key from elsewhere.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from lifecycle.runtime import bundle
from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Damaged, Refused
from lifecycle.runtime.words import things

MODEL, CARD, README = "model", "card", "README.md"
DESCRIBED = "lifecycle.json"
FILES_MAX = 1_000
AGAIN = "Export the version again."


def verify(session: Session, name: str, key: Path | None, file: Path | None, save: Path | None) -> None:
    """The zip of a file, or of a version exported now. Raises Refused naming what is invalid."""
    if not key:
        raise Usage(
            "Give the installation's public key with --key. The one inside the export proves nothing: a"
            " forger would put their own there."
        )
    with tempfile.TemporaryDirectory() as folder:
        path, promised = file, None
        if not path:
            version = find.version(session, name)
            path, promised = save or Path(folder) / "version.zip", version["root_digest"]
            where = f"/versions/{version['uuid']}/export/"
            watching.follow_job(session, session.api.post(where, twice=True)["uuid"])
            with path.open("wb") as target:
                session.api.download("GET", where, target)
        whole = unpacked(path, Path(folder) / "export")
        bundle.verify(whole, key)
        (whole / MODEL / README).unlink(missing_ok=True)  # which is newer than the version's own signature
        found = bundle.verify(whole / MODEL, key, expected_root=promised)
        if DESCRIBED not in found:  # a card is signed with the same key, and is no model
            raise Damaged("model/ is signed, but isn't a model.", next_step="Don't use this file.")
        root = bundle.root_digest(found)
        revision = verify_card(whole / CARD, key, root)
        value: dict[str, Any] = {
            "holds": True,
            "root_digest": root,
            "key_fingerprint": bundle.fingerprint(key),
            "card_revision": revision,
            "files": [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in found.files],
        }
    session.screen.show(
        value,
        f"{things(len(found.files), 'file')}, {found.size:,} bytes: unchanged since they were signed.",
        f"Model card   revision {revision}, unchanged since it was signed",
        f"Root digest  {value['root_digest']}",
        f"Signed with  {value['key_fingerprint']}",
    )


def verify_card(card: Path, key: Path, root: str) -> int:
    """The revision of a card that is signed with this key and describes the model with this root digest.
    Raises Refused.
    """
    if not card.is_dir():
        raise Refused("The export contains no signed model card.", next_step=AGAIN)
    found = bundle.verify(card, key)
    try:
        about = json.loads(bundle.read_verified(card, found, "card.json"))
        digest, revision = about["root_digest"], int(about["revision"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("card.json doesn't say which model the card describes.", next_step=AGAIN) from error
    if digest != root or "README.md" not in found:
        raise Damaged(
            "The model card is signed, but describes another model.", next_step="Don't use this file."
        )
    return revision


def unpacked(path: Path, target: Path) -> Path:
    """Unpack an export into a folder of its own. Raises Refused for a malicious archive."""
    target.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            if not any(entry.filename.startswith(f"{MODEL}/") for entry in files) or len(files) > FILES_MAX:
                raise Refused(f"{path.name} contains no model.", next_step=AGAIN)
            for entry in files:
                write(archive, entry, target)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise Refused(f"{path.name} isn't a complete zip file.", next_step=AGAIN) from error
    return target


def write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one file, always below the target and no larger than the archive."""
    parts = entry.filename.split("/")
    if (
        any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)
        or entry.compress_type != zipfile.ZIP_STORED
    ):
        raise Refused(f"{entry.filename!r} isn't a file of an export.", next_step="Don't use this file.")
    place = target.joinpath(*parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, place.open("xb") as file:
        shutil.copyfileobj(source, file)
