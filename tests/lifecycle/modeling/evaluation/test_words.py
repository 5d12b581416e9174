"""Word attribution of an item, for users who may read it."""

from __future__ import annotations

import re
from html import escape

import pytest

from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.shading import Part, depth, parts
from lifecycle.modeling.evaluation.task_types.multi_label.rows import ENTRY as SETS
from lifecycle.modeling.evaluation.task_types.spans.rows import every
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs, run_ok
from tests.support.spans import spans_snapshot
from tests.support.training import make_run, multi_label_snapshot

pytestmark = pytest.mark.django_db
WORDS = Analysis.Kind.WORDS
NOTHING = "The model predicted no spans in this text, so there's nothing to explain."


@pytest.fixture
def engine(monkeypatch):
    """An engine in which only the first word of a text matters; its inputs are recorded."""
    asked = []

    def explain(folder, text, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        asked.append(text)
        first = len(text.split()[0])
        words = [
            {"start": 0, "end": first, "effect": 1.5},
            {"start": first + 1, "end": first + 2, "effect": -0.6},
        ]
        return {"answer": "card", "log_odds": 2.0, "empty": 0.25, "words": words, "found": 4}

    monkeypatch.setattr(warm, "explain", explain)
    return asked


@pytest.fixture
def item(measured):
    return next(iter(queries.items_by_digest(measured, queries.rows_of(measured).ids).values()))


def test_the_parts_of_a_text_are_the_text_and_shades_are_thirds_of_the_strongest_effect():
    text = "Où est – ma 😀 carte?"
    words = [
        {"start": 0, "end": 2, "effect": 0.5},
        {"start": 3, "end": 6, "effect": -0.005},
        {"start": 14, "end": 19, "effect": -3.0},
    ]

    found = parts(text, words)

    assert "".join(part.text for part in found) == text
    assert found == [
        Part("Où", 0.5, 1),
        Part(" "),
        Part("est", -0.005, 0),
        Part(" – ma 😀 "),
        Part("carte", -3.0, -3),
        Part("?"),
    ]
    assert [depth(effect, 3.0) for effect in (0.99, 1.01, 2.01, 3.0, -1.5, 0.009)] == [1, 2, 3, 3, -2, 0]
    assert parts("", []) == []


def asks(page, address: str) -> bool:
    """Whether the page offers to explain the prediction."""
    return f'<form method="post" action="{address}">' in page.content.decode()


def test_a_page_shades_the_words_and_lists_them(measured, engine, item, client_for, mia):
    address = f"/evaluations/{measured.uuid}/attribution/?item={item.digest}"
    client = client_for(mia)
    assert asks(client.get(address), address)

    client.post(address)
    run_ok("default")
    page = client.get(address)

    assert not asks(page, address)
    assert engine == [item.text]
    first = item.text.split()[0]
    assert f'<mark class="for f3" title="+1.50">{first}</mark>' in page.content.decode()
    assert 'class="against a2" title="−0.60"' in page.content.decode()
    assert [part.effect for part in page.context["words"]] == [1.5, -0.6]
    assert re.search(r"\b2 of 4\s+words\b", page.content.decode())
    analysis = queries.analysis(measured, WORDS, item.digest)
    assert first not in str(analysis.report).replace("'card'", "")
    assert item.text not in str(Job.objects.get(kind="evaluation.words").args)


# ── Multi-label ─────────────────────────────────────────────────────────────
@pytest.fixture
def several(project, mia):
    return queries.latest_evaluation(make_run(multi_label_snapshot(project, mia), mia, accuracy=0.6), "test")


@pytest.fixture
def each_class(monkeypatch):
    """An engine in which the first word supports card and opposes refund."""

    def explain(folder, text, timeout_seconds=0.0):
        end = len(text.split()[0])

        def one(answer, given, effect):
            words = [{"start": 0, "end": end, "effect": effect}]
            return {
                "answer": answer,
                "given": given,
                "log_odds": 2.0 * effect,
                "empty": 0.25,
                "words": words,
                "found": 4,
            }

        return {"classes": [one("card", True, 1.5), one("refund", False, -0.6)]}

    monkeypatch.setattr(warm, "explain", explain)


def test_each_label_has_its_words(several, each_class, client_for, mia):
    client, item = (
        client_for(mia),
        next(iter(queries.items_by_digest(several, queries.rows_of(several).ids).values())),
    )
    address = f"/evaluations/{several.uuid}/attribution/?item={item.digest}"
    assert asks(client.get(address), address)

    client.post(address)
    run_ok("default")
    card, refund, other = (client.get(address + chosen) for chosen in ("", "&for=refund", "&for=nothing"))

    first = item.text.split()[0]
    assert [tab["label"] for tab in card.context["tabs"]] == ["card", "refund (not predicted)"]
    assert [tab["current"] for tab in card.context["tabs"]] == [True, False]
    assert client.get(card.context["tabs"][1]["url"]).context["report"] == refund.context["report"]
    assert f'<mark class="for f3" title="+1.50">{first}</mark>' in card.content.decode()
    assert f'<mark class="against a3" title="−0.60">{first}</mark>' in refund.content.decode()
    assert [each.context["report"]["given"] for each in (card, refund)] == [True, False]
    legends = [
        re.search(r'<p class="muted small occluded">(.*?)</p>', each.content.decode())[1].replace(name, "")
        for each, name in ((card, "card"), (refund, "refund"))
    ]
    assert len(legends[1]) > len(legends[0])
    assert other.context["report"] == card.context["report"]
    assert card.context["answer"] == next(
        each for each in SETS.answers(queries.rows_of(several)) if each.item == item.digest
    )
    found = client.get(f"/api/v1/evaluations/{several.uuid}/attribution/", {"item": item.digest}).json()
    assert [(each["answer"], each["given"]) for each in found["report"]["classes"]] == [
        ("card", True),
        ("refund", False),
    ]


# ── Spans ───────────────────────────────────────────────────────────────────
@pytest.fixture
def marked(project, mia):
    return queries.latest_evaluation(make_run(spans_snapshot(project, mia), mia, accuracy=0.6), "test")


def rows_of(marked, *, found: bool):
    """Rows with or without predicted spans."""
    return [each for each in every(queries.rows_of(marked)) if bool(each.found) is found]


def test_each_span_has_the_words_around_it(marked, monkeypatch, client_for, mia):
    row = rows_of(marked, found=True)[0]
    one = {"answer": "thing", "confidence": 0.9, "log_odds": 2.0, "empty": 0.1, "found": 4}
    first = one | {"start": 0, "end": 2, "words": [{"start": 3, "end": 5, "effect": 1.5}]}
    second = one | {"start": 3, "end": 5, "words": [{"start": 0, "end": 2, "effect": -0.6}]}
    monkeypatch.setattr(warm, "explain", lambda *_: {"parts": [first, second]})
    client, address = client_for(mia), f"/evaluations/{marked.uuid}/attribution/?item={row.item}"
    listed = client.get(f"/evaluations/{marked.uuid}/items/").context["lines"]

    client.post(address)
    run_ok("default")
    page, other = client.get(address), client.get(address + "&for=3-5")

    text = queries.items_by_digest(marked, [row.item])[row.item].text
    assert [tab["label"] for tab in page.context["tabs"]] == [f"“{text[:2]}” thing", f"“{text[3:5]}” thing"]
    assert f'<mark class="for f3" title="+1.50">{text[3:5]}</mark>' in page.content.decode()
    assert f'<mark class="against a3" title="−0.60">{text[:2]}</mark>' in other.content.decode()
    label, found = queries.rows_of(marked).labels, row.found[0]
    assert page.context["answer"].predicted[0] == f"“{text[found.start : found.end]}” {label[found.label]}"
    assert {line.why for line in listed} == {
        (
            f"/evaluations/{marked.uuid}/attribution/?item={line.item}"
            if any(each.found for each in line.mistakes)
            else ""
        )
        for line in listed
    }


@pytest.mark.postgres
def test_a_text_without_spans_has_no_attribution(marked, client_for, mia):
    row = rows_of(marked, found=False)[0]
    client, address = client_for(mia), f"/evaluations/{marked.uuid}/attribution/?item={row.item}"

    page, answer = client.get(address), client.post(address)

    assert escape(NOTHING) in page.content.decode()
    assert not asks(page, address)
    assert answer.status_code == 422
    assert escape(NOTHING) in answer.content.decode()
    assert not Job.objects.filter(kind="evaluation.words").exists()
    assert not Event.objects.filter(verb="evaluation.analysis_requested").exists()


def test_if_the_engine_predicts_no_span_the_job_fails_and_stores_nothing(
    marked, monkeypatch, client_for, mia
):
    row = rows_of(marked, found=True)[0]
    monkeypatch.setattr(warm, "explain", lambda *_: {"parts": []})
    client, address = client_for(mia), f"/evaluations/{marked.uuid}/attribution/?item={row.item}"

    client.post(address)
    (job,) = run_jobs("default")

    assert (job.state, job.error) == ("failed", NOTHING)
    assert not Analysis.objects.exists()
    assert not Event.objects.filter(verb="evaluation.analysis_recorded").exists()
    assert escape(NOTHING) in client.get(address).content.decode()
