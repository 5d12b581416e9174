"""Card revisions as signed folders: README.md, card.json that names the version and revision, and model.sig
over both.

The signature is of the same kind and key as that of the version's files, so the same tool verifies both.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from lifecycle.ground.remembered import cache
from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.catalog.models import Card, ModelVersion
from registry.ground.access.models import User
from registry.ground.ledger import accounts, keys
from registry.ground.ledger.verbs import Verb

WRITTEN = frozenset({Verb.VERSION_REGISTERED, Verb.CARD_CHANGED})  # each of these events records a revision
HOUR = 3600  # for which an answer that depends on nothing else is remembered
README, ABOUT = "README.md", "card.json"
ALTERED = "Revision {revision} of the model card was changed after signing."
OTHER_KEY = (
    "Revision {revision} of the model card was signed with key {key}, which isn't this installation's key."
)
RESTORE = "Compare it with the audit log or a backup, correct it, then save it."
SIGN_AGAIN = "Edit and save the card to sign a new revision."


def digest_of(text: str) -> str:
    """sha256 of a card's text or signature, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def files(card: Card) -> dict[str, bytes]:
    """The signed files by name. card.json keeps a card from being shown as that of another version or as
    another revision.
    """
    version = card.version
    about = {
        "model": version.facts.get("model_slug", ""),
        "semver": version.semver,
        "root_digest": version.root_digest,
        "revision": card.revision,
        "stated": card.stated,
    }
    return {README: card.text.encode("utf-8"), ABOUT: bundle.canonical_json(about) + b"\n"}


@contextmanager
def laid_out(content: dict[str, bytes]) -> Iterator[Path]:
    """These files in a temporary folder."""
    scratch = Path(settings.DATA_DIR) / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as workplace:
        folder = Path(workplace) / "card"
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
        yield folder


def signed(
    version: ModelVersion, *, revision: int, text: str, stated: dict[str, str], author: User | None
) -> Card:
    """A new revision with its signature, not saved yet."""
    card = Card(
        version=version, revision=revision, text=text, stated=stated, digest=digest_of(text), author=author
    )
    with laid_out(files(card)) as folder:
        bundle.sign(folder, keys.private_key_path())
        card.signature = (folder / bundle.SIGNATURE_NAME).read_text(encoding="utf-8")
    card.key_fingerprint = bundle.fingerprint(keys.public_key_path())
    return card


def exported(card: Card) -> dict[str, bytes]:
    """A revision as an export contains it, with its signature."""
    return files(card) | {bundle.SIGNATURE_NAME: card.signature.encode("utf-8")}


def is_altered(card: Card) -> bool:
    """Whether a revision differs from what was signed with this installation's key, or its digest from its
    text, or it has no signature.
    """
    if digest_of(card.text) != card.digest or not card.signature:
        return True
    if is_of_another_key(card):
        return False
    content = exported(card)
    known = hashlib.sha256(
        b"".join(hashlib.sha256(each).digest() for _, each in sorted(content.items()))
    ).hexdigest()
    answer: bool = cache.get_or_set(f"card:{card.key_fingerprint}:{known}", lambda: not holds(content), HOUR)
    return answer


def is_of_another_key(card: Card) -> bool:
    """Whether a revision says that another key than this installation's signed it, so that an alteration
    can't be detected here.
    """
    return bool(card.signature) and card.key_fingerprint != bundle.fingerprint(keys.public_key_path())


def is_recorded(card: Card) -> bool:
    """Whether the audit log has a revision of the version's card with this text."""
    known = {
        event.payload.get("new", event.payload.get("card"))
        for event in accounts.events_about(card.version.uuid, WRITTEN)
    }
    return digest_of(card.text) in known


def holds(content: dict[str, bytes]) -> bool:
    """Whether these files are what this installation's key signed. Verifying takes 40 MB and a quarter of a
    second the first time.
    """
    with laid_out(content) as folder:
        try:
            bundle.verify(folder, keys.public_key_path())
        except Refused:
            return False
    return True


def problem(card: Card) -> str:
    """Why a revision can't be relied on, as a sentence; "" when its signature holds."""
    if is_altered(card):
        return ALTERED.format(revision=card.revision)
    if is_of_another_key(card):
        return OTHER_KEY.format(revision=card.revision, key=card.key_fingerprint[:12])
    return ""


def check(card: Card) -> None:
    """Raises Refused for a revision that was altered, or signed with another key."""
    if sentence := problem(card):
        raise Refused(sentence, next_step=RESTORE if is_altered(card) else SIGN_AGAIN)
