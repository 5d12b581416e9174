"""What a load test computes from the times that it measured."""

from __future__ import annotations

import os
import random
import time

import psutil
import pytest
import scipy.stats

from lifecycle.runtime.inference import load_test
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.served import served_of
from tests.inference.models import TOKEN, endpoint


@pytest.mark.parametrize("count", [72, 100, 200, 1_000])
def test_the_ends_of_the_percentile_are_the_order_statistics_of_the_binomial_distribution(count):
    times = list(range(1, count + 1))  # a value is its rank
    random.Random(1).shuffle(times)

    found = load_test.percentile(times)

    ranks = scipy.stats.binom(count, 0.95)
    assert found.high == ranks.ppf(0.975) + 1
    assert ranks.cdf(found.low - 1) <= 0.025 < ranks.cdf(found.low)
    assert found.low <= found.value <= found.high


def test_too_few_requests_have_no_percentile():
    assert load_test.percentile([1.0] * 71) is None
    assert load_test.percentile([]) is None


def test_the_mean_of_rounds_has_students_interval():
    rounds = [4.0, 5.0, 6.0, 5.0, 4.5]
    found, (low, high) = (
        load_test.mean(rounds),
        scipy.stats.t.interval(0.95, 4, loc=4.9, scale=scipy.stats.sem(rounds)),
    )

    assert (found.value, found.low, found.high) == (
        pytest.approx(4.9),
        pytest.approx(low),
        pytest.approx(high),
    )
    assert load_test.mean([4.0, 5.0]) is None


ITEMS = {
    "single_label": ("Where is my card?", None),
    "multi_label": ("Where is my card?", None),
    "spans": ("Where is my card?", None),
    "generation": ("Where is my card?", None),
    "chat": (
        "user: Where is my card?\nassistant: On its way.",
        {
            "messages": [
                {"role": "user", "content": "Where is my card?"},
                {"role": "assistant", "content": "On its way."},
            ]
        },
    ),
    "preference": ("", {"prompt": "Where is my card?", "responses": ["On its way.", "No idea."]}),
    "ranking": (
        "",
        {
            "prompt": [{"role": "user", "content": "Where is my card?"}],
            "responses": ["On its way.", "No idea.", [{"role": "assistant", "content": "Ask again."}]],
        },
    ),
}


@pytest.mark.parametrize("task", ITEMS)
def test_an_item_of_any_task_is_a_request_of_it(task):
    served = served_of(task)

    (row,) = served.read(served.given(*ITEMS[task]))

    first, *others = served.texts(row)
    assert first.removeprefix("user: ") == "Where is my card?"
    assert len(others) == len((ITEMS[task][1] or {}).get("responses", ()))


def servers():
    """The load test's servers that still run."""
    return [each for each in psutil.Process().children() if "guarded" in " ".join(each.cmdline())]


@pytest.mark.engine
def test_a_server_of_its_own_is_asked_and_ended(installation, monkeypatch):
    monkeypatch.setattr(load_test, "ROUNDS", 4)
    installation.publish(**{"support-inbox/prod": endpoint(installation.artifact())})
    served = served_of("single_label")
    bodies = [served.request(served.given(f"card lost {number}", None)) for number in range(100)]
    target, asked = load_test.Target("/v2/models/support-inbox/prod/infer", TOKEN, bodies), []

    found = load_test.measure(
        installation.folder, target, os.environ, clients=5, alive=lambda: asked.append(1)
    )

    assert (found.requests, found.texts, found.failed, found.clients) == (100, 100, 0, 5)
    assert len(asked) == 4
    assert 0 < found.p95.low <= found.p95.value <= found.p95.high
    assert 0 <= found.cpu.low < found.cpu.value
    assert servers() == []


def answered(*times):
    """Responses to as many bodies."""
    return [load_test.Response(number, 200, ms) for number, ms in enumerate(times)]


def test_a_text_counts_once_with_its_slowest_response():
    found = [*answered(5.0, 7.0), *answered(6.0, 3.0), load_test.Response(2, 503, 1.0)]

    assert load_test.slowest(found) == {0: 6.0, 1: 7.0}
    assert load_test.percentile([*load_test.slowest(answered(*range(72)) * 3).values()]) is not None
    assert load_test.percentile([*load_test.slowest(answered(*range(71)) * 3).values()]) is None


@pytest.mark.parametrize(("clients", "requests"), [(1, 20), (4, 20), (5, 25), (32, 160)])
def test_a_round_has_work_for_every_client(clients, requests):
    assert load_test.of_round(clients) == requests


def test_nothing_is_sent_when_the_time_is_over():
    target = load_test.Target("/", "", [{}])

    found = load_test.sent(1, target, range(3), 2, time.monotonic() - 1)

    assert {each.status for each in found} == {load_test.OVER}


@pytest.mark.engine
@pytest.mark.parametrize("broken", ["token", "routes"])
def test_a_server_that_does_not_answer_is_refused_with_its_status(installation, broken):
    if broken == "token":
        installation.publish(**{"support-inbox/prod": endpoint(installation.artifact())})
    target = load_test.Target("/v2/models/support-inbox/prod/infer", "another token", [{"inputs": []}])

    with pytest.raises(Refused, match="status 40[14]"):
        load_test.measure(installation.folder, target, os.environ)
    assert servers() == []
