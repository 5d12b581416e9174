"""The pages that look deeper into an evaluation: legible in both schemes, at both widths, without a breach of
the content policy.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import actions, queries, rules
from lifecycle.modeling.evaluation.models import Analysis
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok
from tests.support.losses import made_losses
from tests.support.ranking import ranking_snapshot
from tests.support.spans import spans_snapshot
from tests.support.training import make_run, make_snapshot, multi_label_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def addresses(project, mia, monkeypatch):
    """name → address of each page, of two runs on one dataset version with a simulated engine."""
    near = {"card": [1.0, 0.0, 0.0], "refund": [0.0, 1.0, 0.0]}
    monkeypatch.setattr(
        warm,
        "embed",
        lambda _, texts: [next((near[w] for w in near if w in t), [0.0, 0.0, 1.0]) for t in texts],
    )
    made_losses(monkeypatch, lambda row: {"card": 0.1, "login": 2.8, "refund": 3.2}[row["label"]])
    snapshot = make_snapshot(project, mia, copies=12, shares={"train": 50, "validation": 10, "test": 40})
    a, b = (
        queries.latest_evaluation(make_run(snapshot, mia, accuracy=share, seed=seed), "test")
        for share, seed in ((0.5, 1), (0.7, 2))
    )
    item = next(iter(queries.items_by_digest(a, queries.rows_of(a).ids).values()))
    ends = [at for at, letter in enumerate(item.text) if letter == " "]
    spans = list(
        zip(
            [0, *(end + 1 for end in ends)],
            [*ends, len(item.text)],
            [2.5, -1.2, 0.001, 0.7, 0.2, 0.1],
            strict=False,
        )
    )
    found = {
        "answer": "card",
        "log_odds": 2.2,
        "empty": 0.1,
        "words": [{"start": s, "end": e, "effect": by} for s, e, by in spans],
        "found": len(spans) + 3,
    }
    monkeypatch.setattr(warm, "explain", lambda *_: found)
    for kind, digest in (
        (Analysis.Kind.CLUSTERS, ""),
        (Analysis.Kind.MEMBERSHIP, ""),
        (Analysis.Kind.WORDS, item.digest),
    ):
        actions.analyse(evaluation=a, kind=kind, actor=mia, item=digest)
    run_ok("default", "evaluation")
    return {
        "compare": f"/evaluations/compare/?a={a.uuid}&b={b.uuid}",
        "groups": f"/evaluations/{a.uuid}/clusters/",
        "membership": f"/evaluations/{a.uuid}/membership/",
        "words": f"/evaluations/{a.uuid}/attribution/?item={item.digest}",
        "evaluation": f"/evaluations/{a.uuid}/",
    }


def test_they_hold_in_both_schemes_and_widths(opened, addresses, mia):
    for name, page in loaded_on_a_phone(opened, addresses, mia):
        is_accessible(page, name)


@pytest.fixture
def of_tasks(project, mia):
    """name → address: error clusters, membership inference, and reports of tasks other than single label."""
    near = {"card": [1.0, 0.0], "refund": [0.0, 1.0]}
    shares, kinds = (
        {"train": 30, "validation": 20, "test": 50},
        (
            Analysis.Kind.CLUSTERS,
            Analysis.Kind.MEMBERSHIP,
        ),
    )
    runs = {
        "multi_label": make_run(
            multi_label_snapshot(project, mia, copies=8, shares=shares), mia, accuracy=0.5
        ),
        "spans": make_run(spans_snapshot(project, mia, copies=8, shares=shares), mia, accuracy=0.5),
        "ranking": make_run(ranking_snapshot(project, mia), mia),
        "generation": make_generation_run(generation_snapshot(project, mia), mia, make_decoder(project, mia)),
    }
    measured = {name: queries.latest_evaluation(run, "test") for name, run in runs.items()}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            warm, "embed", lambda _, texts: [near["card" if "card" in text else "refund"] for text in texts]
        )
        patched.setattr(rules, "LEAST_ROWS", 5)
        made_losses(patched, lambda row: 0.1)
        for name, evaluation in measured.items():
            for kind in kinds if name in ("multi_label", "spans") else kinds[1:]:
                actions.analyse(evaluation=evaluation, kind=kind, actor=mia)
        run_ok("default", "evaluation")
    return {
        f"groups-{name}": f"/evaluations/{measured[name].uuid}/clusters/" for name in ("multi_label", "spans")
    } | {
        f"{part}-{name}": f"/evaluations/{found.uuid}/{path}"
        for name, found in measured.items()
        for part, path in (("report", ""), ("membership", "membership/"))
    }


def test_those_of_other_tasks_hold_too(opened, of_tasks, mia):
    for name, page in loaded_on_a_phone(opened, of_tasks, mia):
        is_accessible(page, name)


def test_the_items_of_an_error_cluster_of_spans_become_a_queue_by_keyboard(opened, of_tasks, mia):
    page = opened(of_tasks["groups-spans"], mia)

    page.get_by_role("link", name=re.compile("^Open [0-9,]+ items$")).first.press("Enter")
    expect(page.get_by_role("heading", name="Error cluster 1")).to_be_visible()
    expect(page.locator("#items mark.true").first).to_be_visible()
    page.locator("#items tbody input[name=item]").first.press("Space")
    page.get_by_role("button", name="Label selected items").press("Enter")

    expect(page).to_have_url(re.compile("item="))
