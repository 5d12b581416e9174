"""The manifest of a folder: every file with its digest, and one root digest over all of them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lifecycle.runtime.refusals import Refused

SIGNATURE_NAME = "model.sig"
MAX_FILES = 1_000
CHUNK_BYTES = 1 << 20
FORBIDDEN_IN_NAMES = frozenset('\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class File:
    """One file of a folder. name: relative, with forward slashes; sha256: hex; size: bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a folder except its signature, sorted by name, folder by folder (the order of OMS: a/z
    before a-b).
    """

    files: tuple[File, ...]

    def __getitem__(self, name: str) -> File:
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(file.name == name for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def manifest(folder: Path) -> Manifest:
    """Every regular file below the folder, hashed. Raises Refused for an empty folder, links, devices and
    unsafe names.
    """
    if not folder.is_dir() or folder.is_symlink():
        raise Refused(
            f"{folder.name} isn't a folder.", next_step="Enter the folder that contains the model files."
        )
    files = []
    for name, path in walk(folder):
        if name != SIGNATURE_NAME:
            sha256, size = digest(path)
            files.append(File(name, sha256, size))
        if len(files) > MAX_FILES:
            raise Refused(
                f"{folder.name} contains more than {MAX_FILES} files.",
                next_step="A model folder contains a few dozen files at most.",
            )
    if not files:
        raise Refused(f"{folder.name} is empty.", next_step="Check that the run that writes it succeeded.")
    return Manifest(tuple(sorted(files, key=lambda file: file.name.split("/"))))


def root_digest(of: Manifest) -> str:
    """One digest for the whole folder, hex: sha256 over the raw digests in name order, the subject digest of
    its OMS signature.
    """
    return hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in of.files)).hexdigest()


def read_verified(folder: Path, of: Manifest, name: str) -> bytes:
    """The bytes of one listed file, read once and compared with the manifest: what was checked is what is
    used.
    """
    if name not in of:
        raise Refused(f"{name} is missing.", next_step="Register the model again from its run.")
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != of[name].sha256:
        raise Refused(
            f"{name} changed during reading.",
            next_step="Find the process that writes to this folder. It must not change.",
        )
    return data


def stamps(folder: Path) -> list[list[str | int]]:
    """Of every file below the folder, its signature too: name, inode, size, and when its bytes and its inode
    were last changed, in ns.

    Reads no file. While these stay the same, so do the bytes: writing to a file sets its mtime, and only the
    system sets the ctime of its inode. Raises Refused as `manifest` does, and for an empty folder inside.
    """
    if not folder.is_dir() or folder.is_symlink():
        raise Refused(
            f"{folder.name} isn't a folder.", next_step="Enter the folder that contains the model files."
        )
    check_no_empty_folder(folder)
    return stamps_of_files(folder)


def stamps_of_files(folder: Path) -> list[list[str | int]]:
    """As `stamps`, but empty folders inside are allowed."""
    found = ((name, path.stat(follow_symlinks=False)) for name, path in walk(folder))
    return sorted([name, its.st_ino, its.st_size, its.st_mtime_ns, its.st_ctime_ns] for name, its in found)


def walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Names and paths of all regular files below a folder; raises Refused at the first entry that is not safe
    to follow.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            check_name(entry.name, name)
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                raise Refused(f"{name} is a symbolic link.", next_step="Copy the real file into the folder.")
            if stat.S_ISDIR(mode):
                yield from walk(Path(entry.path), f"{name}/")
            elif stat.S_ISREG(mode):
                yield name, Path(entry.path)
            else:
                raise Refused(f"{name} isn't a file or folder.", next_step="Remove it from the folder.")


def check_no_empty_folder(folder: Path) -> None:
    """Raise Refused for an empty folder inside: no signature covers it, so its addition would go
    unnoticed.
    """
    for path, folders, files in os.walk(folder):
        if not folders and not files:
            raise Refused(
                f"{Path(path).relative_to(folder)} is an empty folder, which a signature can't cover.",
                next_step="Remove it.",
            )


def check_name(part: str, name: str) -> None:
    """Names mean the same on every system and in every tool: no hidden files, no control characters, nothing
    a shell reads.
    """
    if part.startswith(".") or part.endswith((".", " ")):
        raise Refused(
            f"{name!r} is a hidden file or ends in a dot or space.", next_step="Remove or rename it."
        )
    if not part.isprintable() or FORBIDDEN_IN_NAMES & set(part) or len(part) > 200:
        raise Refused(
            f"{name!r} isn't a valid file name.",
            next_step="Use letters, digits, dots, dashes, and underscores.",
        )


def digest(path: Path) -> tuple[str, int]:
    """The sha256 (hex) and size (bytes) of a file, without following a link put there in the meantime."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    hasher, size = hashlib.sha256(), 0
    with os.fdopen(handle, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size
