"""Evaluations of generation models: report, rows, comparison, and errors."""

from __future__ import annotations

import re
from html import unescape

import pytest

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.generation import notes
from lifecycle.modeling.evaluation.task_types.generation.rows import ENTRY as ROWS
from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.ui.numbers import GAP, percent
from tests.support.generation import (
    generation_snapshot,
    make_decoder,
    make_generation_evaluation,
    make_generation_run,
)


@pytest.fixture
def snapshot(project, mia):
    return generation_snapshot(project, mia, copies=6)


@pytest.fixture
def base(project, mia):
    return make_decoder(project, mia)


@pytest.fixture
def run(snapshot, base, mia):
    return make_generation_run(snapshot, mia, base)


@pytest.fixture
def found(run):
    return Evaluation.objects.get(run=run, split="test")


def test_the_report_page_shows_scores_baselines_copies_and_the_worst_rows(found, mia, client_for):
    answer = client_for(mia).get(f"/evaluations/{found.uuid}/")

    page, shown = answer.content.decode(), answer.context
    assert [each["name"] for each in shown["metrics"] if f'<th scope="row">{each["name"]}' not in page] == []
    assert {"ROUGE-L", "chrF", "BLEU"} <= {each["name"] for each in shown["metrics"]}
    assert [row["name"] for row in shown["baselines"] if row["name"] not in page] == []
    assert {"prompted_base", "frequent"} <= found.report["baselines"].keys()
    assert len(shown["baselines"]) == 1 + len(found.report["baselines"])
    assert shown["grounds"] in unescape(page)
    assert [note.fact for note in shown["findings"] if note.fact not in unescape(page)] == []
    assert re.search(r"\b12 or more\b", page)
    assert re.search(r"\b2 prompts [^<]*\b9 tokens\b", page)
    cut, of, longest = sum(queries.rows_of(found).cut), found.report["rows"], found.report["max_new_tokens"]
    assert cut > 0
    assert re.search(rf"\b{cut} of {of} responses \({percent(cut / of)}\) [^<]*\b{longest} tokens\b", page)
    assert page.count("truncated at the maximum length") == min(cut, 6)
    assert "please look again" in page
    assert (shown["notes"][0].kind, rules.rival(found.report)) == ("ok", None)
    assert 0 < page.index(shown["notes"][0].fact) < page.index('class="tbl pin"')
    assert f"/evaluations/{found.uuid}/predictions/" in page
    for absent in ('id="matrix"', 'id="classes"', "/threshold/", 'data-rival="', "macro_f1"):
        assert absent not in page


def test_complete_responses_are_not_reported_as_truncated():
    none, one = {"rows": 0, "share": 0.0, "base_rows": None}, {"rows": 1, "share": 0.1, "base_rows": 1}

    assert notes.unended({"rows": 9, "max_new_tokens": 64, "cut_answers": none}) == ""
    counted = {"rows": 10, "max_new_tokens": 64, "cut_answers": one}
    without_base = notes.unended(counted | {"cut_answers": one | {"base_rows": None}})
    added = notes.unended(counted).replace(without_base, "")
    assert "1 of 10 " in without_base
    assert len(notes.unended(counted)) > len(without_base)
    assert re.search(r"\b1 of the base's responses\b", added)


def test_a_run_no_better_than_its_base_is_reported_first(run, mia, client_for):
    weak = make_generation_evaluation(run, "test", quality=0.0, seed=5)

    page = client_for(mia).get(f"/evaluations/{weak.uuid}/")
    rival = rules.rival(weak.report)

    assert not rival.is_ahead  # 0.17 compared with 0.07, but on few rows: the interval includes 0
    assert rival.own == weak.report["rouge_l"]
    first, html = page.context["notes"][0], unescape(page.content.decode())
    assert first.kind == "warn"
    assert 0 < html.index(first.fact) < html.index('class="tbl pin"')
    answer = client_for(mia).get(f"/api/v1/evaluations/{weak.uuid}/").json()
    assert answer["rival"]["metric"] == "rouge_l"
    assert answer["rival"]["is_ahead"] is False


def test_the_comparison_with_the_base_is_shown_with_a_stronger_baseline():
    def of(baseline, candidate, verdict):
        return {
            "rouge_l": {
                "baseline": baseline,
                "candidate": candidate,
                "low": -0.1,
                "high": 0.25,
                "verdict": verdict,
            }
        }

    interval = f"95{GAP}% interval of the difference on the same rows:"
    base = f"Base before fine-tuning, same prompt reaches a ROUGE-L of 0.300, this run 0.500; {interval}"
    near = (
        f"Response to the most similar training prompt reaches a ROUGE-L of 0.450, this run 0.500; {interval}"
    )
    ends = "\u22120.100 to +0.250."
    better, unclear = of(0.3, 0.5, "better"), of(0.45, 0.5, "unclear")

    leads = [
        notes.lead({"against": against})
        for against in (
            {"prompted_base": better, "nearest": unclear},
            {"prompted_base": better},
            {"prompted_base": of(0.6, 0.5, "worse")},
            {},
        )
    ]

    kinds = [(each.kind, each.fact) for each in leads[:3]]
    assert kinds == [
        ("warn", "This run isn't clearly better than a baseline."),
        ("ok", "This run beats every baseline."),
        ("bad", "A baseline is better than this run."),
    ]
    assert leads[0].text == f"{near} {ends} {base} {ends} A larger split would give a clearer answer."
    assert leads[1].text == f"{base} {ends}"
    assert leads[3] is None


def test_a_response_links_to_the_training_item_it_copies(found, snapshot, mia, client_for):
    texts = queries.rows_of(found)
    row = next(at for at, each in enumerate(texts.copied) if each.words >= 4)
    train = [each["id"] for each in snapshots.learned_rows(snapshot, "train")]

    listed = (
        client_for(mia)
        .get(f"/api/v1/evaluations/{found.uuid}/predictions/?sort=copied_words")
        .json()["results"]
    )
    page = client_for(mia).get(f"/evaluations/{found.uuid}/predictions/?sort=copied_words").content.decode()
    linked = rf'<a href="/datasets/items/{{}}/">[^<]+</a>[^<]*: {re.escape(texts.copied[row].text)}'

    line = next(each for each in listed if each["item"] == texts.ids[row])
    assert (line["copied"], line["copied_from"]) == (texts.copied[row].text, train[texts.copied[row].row])
    item = Item.objects.get(dataset=snapshot.dataset, digest=line["copied_from"])
    assert re.search(linked.format(item.uuid), page)
    assert all(each["copied_from"] == "" for each in listed if not each["copied"])


def test_a_response_has_no_link_after_training_rows_were_renumbered(
    found, snapshot, mia, client_for, monkeypatch
):
    texts = queries.rows_of(found)
    row = next(at for at, each in enumerate(texts.copied) if each.words >= 4)
    other = next(
        each["id"]
        for each in snapshots.learned_rows(snapshot, "train")
        if not verbatim.has_run(each["answer"], texts.copied[row].text)
    )
    monkeypatch.setattr(snapshots, "items_at", lambda *_: {texts.copied[row].row: other})

    listed = (
        client_for(mia)
        .get(f"/api/v1/evaluations/{found.uuid}/predictions/?sort=copied_words")
        .json()["results"]
    )

    line = next(each for each in listed if each["item"] == texts.ids[row])
    assert (line["copied"], line["copied_from"]) == (texts.copied[row].text, "")


def test_correct_responses_in_russian_beat_the_baselines():
    references = [
        "откройте настройки и нажмите сброс",
        "посмотрите заказы в вашем кабинете",
        "да в течение тридцати дней",
    ] * 10
    own = text_scores.score_texts(references, references, [""] * 30)
    frequent = text_scores.score_texts(references[:1] * 30, references, [""] * 30)

    against = text_scores.paired(frequent, own, count=200)

    assert (against["rouge_l"]["candidate"], against["rouge_l"]["verdict"]) == (1.0, "better")
    report = {"task": "generation", "rouge_l": 1.0, "against": {"frequent": against}}
    assert (
        rules.rival(report | {"baselines": {"frequent": {"rouge_l": against["rouge_l"]["baseline"]}}}) is None
    )


def test_rows_come_worst_first_by_any_score_and_in_a_range(found, mia, client_for):
    client, texts = client_for(mia), queries.rows_of(found)
    worst = ROWS.find(texts, {"sort": "rouge_l"})
    values = [texts.scored.rouge_l[row] for row in worst]

    assert values == sorted(values)
    assert [(each.item, *each.predicted) for each in ROWS.answers(texts)] == list(
        zip(texts.ids, texts.answers, strict=True)
    )
    assert ROWS.find(texts, {"sort": "loss"})[0] == int((texts.scored.nats / texts.scored.tokens).argmax())
    exact = ROWS.find(texts, {"sort": "rouge_l", "best": "1", "low": "1.0"})
    assert sorted(exact) == [row for row in range(len(texts)) if texts.scored.rouge_l[row] >= 1.0]
    page = client.get(f"/evaluations/{found.uuid}/predictions/?sort=rouge_l&high=0.5")
    few = sum(value <= 0.5 for value in values)
    assert page.context["total"] == few
    assert f"{few} row" in page.content.decode()
    listed = client.get(f"/api/v1/evaluations/{found.uuid}/predictions/?sort=loss&best=1").json()
    assert (listed["total"], listed["next"]) == (len(texts), None)
    losses = [row["scores"]["loss"] for row in listed["results"]]
    assert losses == sorted(losses)
    assert all(row["prompt"] and row["reference"] and row["response"] for row in listed["results"])
    assert {row["item"] for row in listed["results"] if row["cut"]} == {
        each for each, cut in zip(texts.ids, texts.cut, strict=True) if cut
    }


def test_texts_are_hidden_without_permission_to_read_samples(found, mia, aida, client_for):
    client, address = client_for(aida), f"/evaluations/{found.uuid}/predictions/"

    page, mine = client.get(address), client_for(mia).get(address).content.decode()
    listed = client.get(f"/api/v1/evaluations/{found.uuid}/predictions/").json()

    html = page.content.decode()
    assert page.context["may_read"] is False
    assert [line.item for line in page.context["lines"] if f'title="sha256:{line.item}"' not in html] == []
    assert ("please look again" in mine, "please look again" in html) == (True, False)
    assert {
        (row["prompt"], row["reference"], row["response"], row["base"], row["copied"])
        for row in listed["results"]
    } == {("", "", "", None, "")}


def test_the_run_page_shows_sample_responses_and_the_baselines(run, mia, aida, client_for):
    answer = client_for(mia).get(f"/runs/{run.uuid}/")
    page = answer.content.decode()
    part = client_for(mia).get(f"/evaluations/run/{run.uuid}/")

    assert "sample 1 at 60" in page
    assert "sample 1 at 40" in page  # the previous sample
    labels = [each.label for each in answer.context["figures"]]
    assert (run.task_type.has_confidence, "ECE" in labels, labels[0].startswith("Perplexity")) == (
        False,
        False,
        True,
    )
    assert (part.context["templates"], part.context["may_suggest"]) == ("generation", False)
    assert b"/pre-label/" not in part.content
    assert "sample 1 at 60" not in client_for(aida).get(f"/runs/{run.uuid}/").content.decode()
