"""The API under Schemathesis: whatever is sent, by whomever, the answer is one that the description knows.

Requests are made from the description: some fit it, some do not. An address names a thing of the world, so
that a request gets further than to "there is nothing here". A lead makes each, a stranger and an annotator
the first of each kind, and what it did is taken back. The seed is fixed: the same code gets the same
requests. `FUZZ=20` makes twenty times as many.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from registry.ground.access.actions import create_token
from registry.ground.access.scopes import Scope
from tests.support.described import described
from tests.support.kept import rolled_back
from tests.support.role_table import ROWS
from tests.support.world import World

pytestmark = pytest.mark.fuzz

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PEOPLE = ("lee", "otto", "ana")  # a lead, a stranger, an annotator
FITTING, ODD = (int(os.environ.get("FUZZ", "1")) * count for count in (3, 2))  # requests of each operation
THINGS = {
    re.sub(r"<\w+:(\w+)>", r"{\1}", row.path): row.thing for row in ROWS if row.path.startswith("/api/v1/")
}
OTHERS = {"version": 1, "name": "errors", "kind": "availability"}
PARTS = 4


@contextmanager
def connection_kept():
    """The test's transaction outlives each request, as with Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@pytest.fixture
def tokens(world: World) -> dict[str, str]:
    """Everybody's token, with every scope."""
    scopes = [str(each) for each in Scope]
    return {
        name: create_token(user=world.people[name], name="fuzz", scopes=scopes, days=1)[1] for name in PEOPLE
    }


def named(path: str, world: World) -> dict[str, Any]:
    """The arguments in a URL of the world's object."""
    fixed: dict[str, Any] = OTHERS | {"digest": world.things["event"].hash}
    if thing := THINGS.get(path):
        fixed["uuid"] = str(world[thing])
    return {name: fixed[name] for name in re.findall(r"{(\w+)}", path)}


def operations(description: dict[str, Any]) -> list[Any]:
    """What a description offers, answered by the site in this process."""
    schema = schemathesis.openapi.from_dict(description)
    schema.app = get_wsgi_application()
    return [each.ok() for each in schema.get_all_operations()]


def asked(operation: Any, world: World, tokens: dict[str, str]) -> tuple[set[str], Counter[tuple[str, int]]]:
    """What is wrong with the answers to an operation's requests, a line each, and how often each person got
    each status.
    """
    found: set[str] = set()
    got: Counter[tuple[str, int]] = Counter()
    at = named(operation.path, world)

    def ask(case: Any, people: list[str]) -> None:
        for name in people:
            cache.clear()
            with rolled_back(), connection_kept():
                answer = case.call(headers={"Authorization": f"Bearer {tokens[name]}"})
            got[name, answer.status_code] += 1
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as failures:
                sent = case.body if isinstance(case.body, dict | list) else ""
                found.update(
                    f"{operation.label} as {name} {answer.status_code}: {each.title}: {each.message[:300]} | {case.query} {sent}"[  # noqa: E501
                        :900
                    ]
                    for each in failures.exceptions
                )
        people[1:] = []

    ways = [(GenerationMode.POSITIVE, FITTING)]
    if operation.query or operation.body:
        ways.append((GenerationMode.NEGATIVE, ODD))
    for mode, often in ways:
        strategy = operation.as_strategy(generation_mode=mode, **({"path_parameters": at} if at else {}))
        run = settings(
            max_examples=often,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        # one list for all: who asked once asks no more
        seed(1)(run(given(strategy, st.just([*PEOPLE]))(ask)))()
    return found, got


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_one_that_the_description_knows(world, tokens, part):
    wrong, got = set(), Counter()
    for operation in operations(described()[0])[part::PARTS]:
        found, statuses = asked(operation, world, tokens)
        wrong |= found
        got += statuses

    assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(sorted(wrong))
    assert {name for name, _ in got} == set(PEOPLE)
    assert 401 not in {status for _, status in got}
    assert sum(count for (name, status), count in got.items() if name == "lee" and status < 300) > 20


@pytest.mark.django_db
def test_an_answer_that_the_description_does_not_know_is_found(world, tokens):
    described_otherwise = deepcopy(described()[0])
    path = "/api/v1/jobs/"
    described_otherwise["paths"] = {path: {"get": described_otherwise["paths"][path]["get"]}}
    answers = described_otherwise["paths"][path]["get"]["responses"]
    schema = answers["200"]["content"]["application/json"]["schema"]
    answers["200"]["content"]["application/json"]["schema"] = {"allOf": [schema, {"required": ["never"]}]}

    found, _ = asked(operations(described_otherwise)[0], world, tokens)

    assert len(found) >= len(PEOPLE)
    assert all("never" in line for line in found)
