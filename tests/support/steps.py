"""Migrations taken back and made again on the tables as they are, with real rows in them.

Django's executor makes the models of the whole product anew for each operation, which takes ten seconds where the database works for one.
Here an operation sees the models of its own app alone, and of others the tables that its keys lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState, StateApps
from django.db.models.utils import make_model_tuple

Node = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """A migration, and what it and its reverse see. before, after: of its own app."""

    migration: Migration
    before: ProjectState
    after: ProjectState

    def back(self) -> None:
        """Take it back."""
        with connection.schema_editor(atomic=self.migration.atomic) as editor:
            self.migration.unapply(self.before.clone(), editor)

    def forth(self) -> None:
        """Make it."""
        with connection.schema_editor(atomic=self.migration.atomic) as editor:
            self.migration.apply(self.before.clone(), editor)


@contextmanager
def taken_back(first: Node) -> Iterator[tuple[StateApps, Callable[[], None]]]:
    """Inside, the tables are as before a migration. Gives the models of then, and what makes it again with all that rest on it, which the
    end does where nobody has. For tests with real transactions."""
    left = steps_from(first)
    old = left[0].before.apps
    for step in reversed(left):
        step.back()

    def forth() -> None:
        while left:
            left.pop(0).forth()

    try:
        yield old, forth
    finally:
        forth()


def steps_from(first: Node) -> list[Step]:
    """A migration and all that rest on it, in the order in which they are made."""
    loader = MigrationLoader(connection)
    wanted = loader.graph.backwards_plan(first)[::-1]
    below = [parent.key for node in wanted for parent in loader.graph.node_map[node].parents if parent.key not in wanted]
    state = loader.graph.make_state(nodes=below)
    found = []
    for app, name in wanted:
        migration = loader.graph.nodes[app, name]
        after = migration.mutate_state(state)
        found.append(Step(migration, narrowed(state, after, app), narrowed(after, state, app)))
        state = after
    return found


def narrowed(state: ProjectState, other: ProjectState, app: str) -> ProjectState:
    """The models of one app, and bare tables for what their keys lead to, in this state or in the other."""
    found = ProjectState()
    for key, model in state.models.items():
        if key[0] == app:
            found.add_model(model.clone())
    for key in {key for each in (state, other) for key in led_to(each, app)}:
        if key[0] != app:
            found.add_model(bare(state.models[key]))
    return found


def led_to(state: ProjectState, app: str) -> Iterator[Node]:
    """What foreign keys of an app lead to."""
    for key, model in state.models.items():
        for field in model.fields.values() if key[0] == app else ():
            if field.is_relation:
                yield make_model_tuple(field.remote_field.model)


def bare(model: ModelState) -> ModelState:
    """A table with its primary key."""
    fields = [(name, field.clone()) for name, field in model.fields.items() if field.primary_key]
    options: dict[str, Any] = {"db_table": model.options["db_table"]} if "db_table" in model.options else {}
    return ModelState(model.app_label, model.name, fields, options, bases=(models.Model,))
