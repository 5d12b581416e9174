"""Changes of labels between versions: the next labels, and what each removed label becomes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn
from uuid import UUID

from django.db.models import TextChoices

from datasets_app.schemas.rules import ClassesNow, LabelSpec, through
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.inputs import clean
from lifecycle.runtime.task_types.values import labels_of

CHANGES_LIMIT = 20  # changes of one version


class ChangeKind(TextChoices):
    """What happens to a label that the next version no longer has."""

    MERGE = "merge", "Merge into"
    SPLIT = "split", "Split into"
    RETIRE = "retire", "Retire"


RENAME = "rename"
KINDS = [(RENAME, "Rename to"), *ChangeKind.choices]


@dataclass(frozen=True, slots=True)
class Change:
    """One requested change. kind: rename or a ChangeKind. into: the new name, the target of a merge, the
    labels of a split, or empty.
    """

    source: UUID
    kind: str
    into: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """A label that the next version no longer has. into: names in the next version."""

    source: UUID
    name: str
    kind: str
    into: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The labels of the next version, in their order, the removed labels, and (old, new) names of renamed
    ones.
    """

    labels: list[LabelSpec]
    removed: list[Removed]
    renamed: list[tuple[str, str]]


def plan(labels: Sequence[LabelSpec], changes: Sequence[Change]) -> Plan:
    """Apply all changes at once. labels: of the current version, each with its stable id. Raises Refused,
    naming the field `changes`.

    Renamed labels keep their position and stable id. The new labels of a split take the old one's position
    and heading. A merge target must stay, so merges can't form a cycle.
    """
    known = {label.stable_id: label for label in labels if label.stable_id}
    check(changes, known)
    by_source = {change.source: change for change in changes}
    renamed = [(known[each.source].name, clean(each.into[0])) for each in changes if each.kind == RENAME]
    staying = [label for label in labels if not is_removed(by_source, label)]
    called = dict(renamed)
    names = {label.name: called.get(label.name, label.name) for label in staying}
    following: list[LabelSpec] = []
    removed: list[Removed] = []
    for label in labels:
        change = by_source.get(label.stable_id) if label.stable_id else None
        if change is None or change.kind == RENAME:
            following.append(replace(label, name=names[label.name]))
            continue
        into = targets(change, label, names)
        removed.append(Removed(change.source, label.name, change.kind, into))
        if change.kind == ChangeKind.SPLIT:
            following += [LabelSpec(name, group=label.group) for name in into if name not in names.values()]
    return Plan(following, removed, renamed)


def is_removed(changes: Mapping[UUID, Change], label: LabelSpec) -> bool:
    """Whether the next version removes this label."""
    change = changes.get(label.stable_id) if label.stable_id else None
    return change is not None and change.kind != RENAME


def targets(change: Change, label: LabelSpec, names: Mapping[str, str]) -> tuple[str, ...]:
    """The names, in the next version, that a label becomes. names: of the remaining labels, old to new."""
    into = tuple(dict.fromkeys(names.get(clean(name), clean(name)) for name in change.into if clean(name)))
    if change.kind == ChangeKind.RETIRE:
        return ()
    if label.name in into:
        refuse(f"{label.name} can't be merged or split into itself.")
    if change.kind == ChangeKind.MERGE and (len(into) != 1 or into[0] not in names.values()):
        reason = f"{label.name} must be merged into one label that stays in the next version"
        refuse(f"{reason}; {into[0]} doesn't." if len(into) == 1 else f"{reason}.")
    if change.kind == ChangeKind.SPLIT and len(into) < 2:
        refuse(f"{label.name} must be split into two or more labels; separate their names with semicolons.")
    return into


def check(changes: Sequence[Change], known: Mapping[UUID, LabelSpec]) -> None:
    """Raises Refused for invalid changes before anything is applied."""
    if not changes:
        refuse("No change was chosen.")
    if len(changes) > CHANGES_LIMIT:
        refuse(f"There are {len(changes)} changes; the limit per version is {CHANGES_LIMIT}.")
    for source, count in Counter(change.source for change in changes).items():
        if source not in known:
            refuse("A label isn't in the current version.")
        if count > 1:
            refuse(f"{known[source].name} has {count} changes at once.")
    for change in changes:
        if change.kind not in dict(KINDS):
            refuse(f"Unknown change {change.kind!r}.")
        if change.kind == RENAME and len([name for name in change.into if clean(name)]) != 1:
            refuse(f"{known[change.source].name} needs one new name.")


def refuse(reason: str) -> NoReturn:
    """Refuse the changes with a reason."""
    raise Refused("The labels weren't changed.", next_step=reason, fields={"changes": [reason]})


def follow(source: UUID, merges: Mapping[UUID, UUID]) -> UUID:
    """The final label after all merges; itself if it was never merged. Ends even for a cycle, which can't be
    saved.
    """
    seen = {source}
    while (target := merges.get(source)) is not None and target not in seen:
        source = target
        seen.add(source)
    return source


def moved(
    value: Value, *, merged: Mapping[str, str], split: Collection[str], retired: Collection[str]
) -> Value | None:
    """A resolved label after the changes of one version, all by stable id; None if it's no longer valid.

    It's no longer valid if it has a split label or only retired ones: no annotator confirmed that no other
    label fits.
    """
    if not set(split).isdisjoint(labels_of(value)):
        return None
    now = through(value, ClassesNow(merged, frozenset(retired)))
    return now if set(retired).isdisjoint(labels_of(now)) else None


def split_names(text: str) -> tuple[str, ...]:
    """Names separated by semicolons."""
    return tuple(name for part in text.split(";") if (name := clean(part)))
