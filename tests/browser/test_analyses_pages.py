"""The pages that look deeper into an evaluation: legible in both schemes, at both widths, without a breach of the content policy."""

from __future__ import annotations

import pytest

from lifecycle.compute import warm
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Analysis
from tests.support.browser import fits, shot, violations
from tests.support.jobs import run_ok
from tests.support.training import make_run, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def addresses(project, mia, monkeypatch):
    """name → address of each page, of two runs on one snapshot whose engine is made up."""
    near = {"card": [1.0, 0.0, 0.0], "refund": [0.0, 1.0, 0.0]}
    monkeypatch.setattr(warm, "embed", lambda _, texts: [next((near[w] for w in near if w in t), [0.0, 0.0, 1.0]) for t in texts])
    shares = [{"probabilities": [0.9, 0.06, 0.04]}]
    monkeypatch.setattr(warm, "predict", lambda _, texts: {"labels": ["card", "login", "refund"], "answers": shares * len(texts)})
    snapshot = make_snapshot(project, mia, copies=12, shares={"train": 50, "validation": 10, "test": 40})
    a, b = (queries.latest_evaluation(make_run(snapshot, mia, accuracy=share, seed=seed), "test") for share, seed in ((0.5, 1), (0.7, 2)))
    item = next(iter(queries.items_by_digest(a, queries.predictions_of(a).ids).values()))
    ends = [at for at, letter in enumerate(item.text) if letter == " "]
    spans = list(zip([0, *(end + 1 for end in ends)], [*ends, len(item.text)], [2.5, -1.2, 0.001, 0.7, 0.2, 0.1], strict=False))
    found = {
        "answer": "card", "log_odds": 2.2, "empty": 0.1, "words": [{"start": s, "end": e, "effect": by} for s, e, by in spans],
        "found": len(spans) + 3,
    }  # fmt: skip
    monkeypatch.setattr(warm, "explain", lambda *_: found)
    for kind, digest in ((Analysis.Kind.CLUSTERS, ""), (Analysis.Kind.MEMBERSHIP, ""), (Analysis.Kind.WORDS, item.digest)):
        actions.analyse(evaluation=a, kind=kind, actor=mia, item=digest)
    run_ok("default")
    return {
        "compare": f"/evaluations/compare/?a={a.uuid}&b={b.uuid}",
        "groups": f"/evaluations/{a.uuid}/clusters/",
        "membership": f"/evaluations/{a.uuid}/membership/",
        "words": f"/evaluations/{a.uuid}/words/?item={item.digest}",
        "evaluation": f"/evaluations/{a.uuid}/",
    }


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_they_hold_in_both_schemes_and_widths(opened, addresses, mia, width, scheme):
    for name, address in addresses.items():
        page = opened(address, mia, width=width, scheme=scheme)
        shot(page, f"{name}-{width}-{scheme}")
        fits(page)
        assert violations(page) == [], name
