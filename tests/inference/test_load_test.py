"""What a load test computes from the times that it measured."""

from __future__ import annotations

import os
import random

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

    assert "Where is my card?" in served.texts(row)[0]
    assert len(served.texts(row)) == 1 + len((ITEMS[task][1] or {"responses": ()})["responses"])


def servers():
    """The load test's servers that still run."""
    return [each for each in psutil.Process().children() if "guarded" in " ".join(each.cmdline())]


@pytest.mark.engine
def test_a_server_of_its_own_is_asked_and_ended(installation, monkeypatch):
    monkeypatch.setattr(load_test, "ROUNDS", 4)
    installation.publish(**{"support-inbox/prod": endpoint(installation.artifact())})
    served = served_of("single_label")
    target = load_test.Target(
        "/v2/models/support-inbox/prod/infer", TOKEN, [served.request(served.given("card lost", None))]
    )

    found = load_test.measure(installation.folder, target, os.environ, clients=3)

    assert (found.requests, found.failed, found.clients) == (80, 0, 3)
    assert 0 < found.p95.low <= found.p95.value <= found.p95.high
    assert 0 <= found.cpu.low < found.cpu.value
    assert servers() == []


@pytest.mark.engine
@pytest.mark.parametrize("broken", ["token", "routes"])
def test_a_server_that_does_not_answer_is_refused_with_its_status(installation, broken):
    if broken == "token":
        installation.publish(**{"support-inbox/prod": endpoint(installation.artifact())})
    target = load_test.Target("/v2/models/support-inbox/prod/infer", "another token", [{"inputs": []}])

    with pytest.raises(Refused, match="status 40[14]"):
        load_test.measure(installation.folder, target, os.environ)
    assert servers() == []
