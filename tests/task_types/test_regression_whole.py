"""A task type from a package goes from a file of numbers to the pages of its evaluation without any code in
the product.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.urls import reverse
from starlette.testclient import TestClient

from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Annotation
from datasets_app.queues.queries.decisions import current_decisions
from lifecycle.modeling.evaluation import actions as analysing
from lifecycle.modeling.evaluation import compare, queries, rules, suggesters
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.training.folders import local_folder
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.refusals import Refused
from monitoring.drift.actions.baseline import baseline
from monitoring.traffic import actions as traffic
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.policies import rules as policies
from registry.policies.actions import publish
from tests.inference.conftest import follow
from tests.inference.models import ask
from tests.support import regression
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, annotate, make_queue, queue_items
from tests.support.registry import LAX, STATED, approve, asked_request, make_endpoint, make_model
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


# ── Labeling ────────────────────────────────────────────────────────────────
@pytest.fixture
def dataset(project, mia):
    found = make_dataset(project, mia, task=regression.TASK)
    import_texts(found, ["my card is late", "thanks for the help"], mia)
    return found


def test_numbers_of_a_file_are_decided_and_a_row_that_is_none_is_named(project, mia):
    found = make_dataset(project, mia, task=regression.TASK)

    upload = import_texts(
        found, [("good", "3,5"), ("bad", "11"), ("none", "")], mia, header=("text", "score")
    )

    assert [each.value for each in current_decisions(found)] == [{"number": 3.5}]
    assert (upload.state, sorted(found.items.values_list("text", flat=True))) == (
        "imported",
        ["good", "none"],
    )


def test_a_plain_form_saves_the_number_of_the_slider_or_the_exact_one(dataset, mia, ana, client_for):
    queue, client = make_queue(dataset, mia, schema=()), client_for(ana)
    for sent, number in (({"slider": "3.5", "number": ""}, 3.5), ({"slider": "5", "number": " 7,25 "}, 7.25)):
        page = client.get(f"/labeling/{queue.uuid}/bench/")
        item = page.context["item"]

        client.post(
            f"/labeling/{queue.uuid}/submit/",
            {"slot": item["slot"], "token": item["token"], "client_key": uuid4(), **sent},
        )

        assert 'type="range"' in page.content.decode()
        assert Annotation.objects.get(item__text=item["text"]).value == {"number": number}


def test_what_is_no_number_of_the_range_is_refused_in_the_bench(dataset, mia, ana, client_for):
    queue, client = make_queue(dataset, mia, schema=()), client_for(ana)
    item = client.get(f"/labeling/{queue.uuid}/bench/").context["item"]

    for number in ("12", "much"):
        sent = {"slot": item["slot"], "token": item["token"], "client_key": uuid4(), "number": number}
        assert client.post(f"/labeling/{queue.uuid}/submit/", sent).status_code == 422

    assert not Annotation.objects.exists()


def test_a_disagreement_is_settled_by_the_median_or_another_number(dataset, mia, ana, ben, ravi, client_for):
    queue, client = make_queue(dataset, mia, schema=(), overlap=2), client_for(ravi)
    for person, number in ((ana, 2.0), (ben, 4.0)):
        for item in queue_items(queue):
            annotate(queue, person, item, {"number": number})
    first, second = queue_items(queue)

    page = client.get(f"/labeling/{queue.uuid}/review/?item={first.uuid}")
    case = page.context["case"]
    sent = {"item": first.uuid, "seen": case.seen, "order": "widest"}
    client.post(f"/labeling/{queue.uuid}/adjudicate/", sent | {"value": case.merged.posted})
    case = client.get(f"/labeling/{queue.uuid}/review/?item={second.uuid}").context["case"]
    client.post(
        f"/labeling/{queue.uuid}/adjudicate/",
        {
            "item": second.uuid,
            "seen": case.seen,
            "order": "widest",
            "number": "9,5",
            "reason": "By the guideline.",
        },
    )

    decided = {each.item_id: each.value for each in current_decisions(dataset)}
    assert decided == {first.pk: {"number": 3.0}, second.pk: {"number": 9.5}}
    assert "Each part" not in page.content.decode()


# ── A run ───────────────────────────────────────────────────────────────────
@pytest.fixture
def run(project, mia) -> Run:
    return regression.trained(regression.numbered_snapshot(project, mia), mia)


@pytest.fixture
def measured(run):
    return queries.latest_evaluation(run, "test")


@pytest.mark.engine
def test_a_run_trains_on_numbers_is_measured_and_suggests_them(run, measured, mia, warm_engine, client_for):
    assert run.state == Run.State.SUCCEEDED
    assert run.result["best_by"] == "mse"
    assert run.metrics["validation_loss"] == pytest.approx(run.metrics["mse"])
    assert "ece" not in run.metrics
    assert set(measured.report["baselines"]) == {"mean", "tfidf_ridge"}
    assert measured.report["mse"] < measured.report["baselines"]["mean"]["mse"]
    assert measured.report["against"]["mean"]["mse"]["verdict"] == "better"
    assert (
        rules.rival({**measured.report, "baselines": {"mean": measured.report["baselines"]["mean"]}}) is None
    )

    client = client_for(mia)
    for path in (
        "/runs/",
        f"/runs/{run.uuid}/",
        f"/evaluations/run/{run.uuid}/",
        f"/runs/overlay/?run={run.uuid}",
        "/evaluations/",
    ):
        page = client.get(path)
        assert page.status_code == 200, path
        assert "MSE" in page.content.decode(), path

    own = client.get(f"/runs/{run.uuid}/").content.decode()
    for absent in ("ECE", "cross-entropy", "are right", "Confidence"):
        assert absent not in own

    dataset = run.snapshot.dataset
    add_items(dataset, mia, ["my card thanks 3 please", "my card broken 3 please"])
    queue = make_queue(dataset, mia, schema=())
    analysing.suggest(
        dataset=dataset, model=suggesters.get_model(mia, "run", run.uuid), actor=mia, queue=queue
    )
    run_ok("default")
    predicted = {
        each.item.text: each.value["number"]
        for each in Suggestion.objects.select_related("item").filter(source="run")
    }
    assert predicted["my card thanks 3 please"] > 6 > 4 > predicted["my card broken 3 please"]


@pytest.mark.engine
def test_pages_show_the_scores_and_the_rows_behind_them(run, measured, mia, aida, client_for):
    client = client_for(mia)
    report = client.get(f"/evaluations/{measured.uuid}/")
    page = report.content.decode()
    for shown in ("MSE", "MAE", "Spearman", "Mean of the training rows", "TF-IDF + ridge regression"):
        assert shown in page
    for absent in ("Confusion", "Reliability", "ECE", "Macro-F1", "Threshold"):
        assert absent not in page
    rows = [each.row for each in report.context["lines"]]
    assert [abs(each.apart) for each in rows] == sorted((abs(each.apart) for each in rows), reverse=True)

    far = client.get(f"/evaluations/{measured.uuid}/items/?sort=high").context["lines"]
    assert [each.row.apart for each in far] == sorted((each.row.apart for each in far), reverse=True)
    hidden = client_for(aida).get(f"/evaluations/{measured.uuid}/items/").content.decode()
    assert "please" not in hidden
    assert "hidden from your role" in hidden

    for path in ("slices/", "slices/?column=length"):
        assert client.get(f"/evaluations/{measured.uuid}/{path}").status_code == 200
    refused = client.get(f"/evaluations/{measured.uuid}/clusters/")
    assert refused.status_code == 422
    assert "has no right or wrong rows" in refused.content.decode()


@pytest.mark.engine
def test_attribution_robustness_and_membership_inference_run(measured, mia, warm_engine, client_for):
    item, client = queries.rows_of(measured).ids[0], client_for(mia)
    for kind in (Analysis.Kind.WORDS, Analysis.Kind.ROBUSTNESS, Analysis.Kind.MEMBERSHIP):
        analysing.analyse(
            evaluation=measured,
            kind=kind,
            actor=mia,
            **({"item": item} if kind == Analysis.Kind.WORDS else {}),
        )
    run_ok("default", "training", "evaluation")

    words = client.get(f"/evaluations/{measured.uuid}/attribution/?item={item}").content.decode()
    assert "log-odds" not in words
    report = queries.analysis(measured, Analysis.Kind.WORDS, item).report
    assert len(report["words"]) == report["found"]
    assert report["log_odds"] == pytest.approx(float(queries.rows_of(measured).predicted[0]), abs=1e-4)
    robustness = queries.analysis(measured, Analysis.Kind.ROBUSTNESS).report
    assert all(
        each["change"]["mse"]["difference"] <= 1e-9 or each["mse"] <= robustness["clean"]["mse"]
        for each in robustness["probes"].values()
    )
    for path in ("robustness", "membership"):
        assert client.get(f"/evaluations/{measured.uuid}/{path}/").status_code == 200


@pytest.mark.engine
def test_two_runs_are_compared_by_their_distance(run, measured, mia, client_for):
    other = regression.trained(run.snapshot, mia, epochs=1, learning_rate=1e-5, head_learning_rate=1e-5)
    poor = queries.latest_evaluation(other, "test")

    report = compare.paired_report(poor, measured)

    leading = report["metrics"]["mse"]
    assert leading["difference"] > 0
    assert leading["difference"] == pytest.approx(poor.report["mse"] - measured.report["mse"])
    assert leading["verdict"] == "better"
    assert "points" not in report["summary"]["fact"]
    assert report["changes"]["better"] > report["changes"]["worse"]
    page = client_for(mia).get(f"/evaluations/compare/?a={poor.uuid}&b={measured.uuid}")
    assert report["summary"]["fact"] in page.content.decode()
    shown = [(row["name"], row["difference"] < 0, row["better"]) for row in page.context["rows"]]
    assert shown == [("MSE", True, "down"), ("MAE", True, "down"), ("Spearman", False, "up")]


# ── Registered ──────────────────────────────────────────────────────────────
@pytest.fixture
def version(project, run, mia) -> ModelVersion:
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get()


@pytest.mark.engine
def test_a_version_is_registered_with_its_scores_and_code_that_answers_as_the_evaluation(
    version, mia, client_for, monkeypatch, tmp_path
):
    text = version.cards.get().text
    for stated in (
        "| MSE |",
        "| Spearman |",
        "| Baseline | MSE | MAE |",
        "text regression, a number from 0 to 10",
    ):
        assert stated in text
    report = version.evaluation.report
    for path in (f"/models/{version.model.uuid}/", f"/models/versions/{version.uuid}/"):
        page = client_for(mia).get(path).content.decode()
        assert f"{report['mse']:.3f}" in page

    (tmp_path / "model").symlink_to(local_folder("artifacts", version.run.artifact))
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    rows = queries.rows_of(version.evaluation)
    items = queries.items_by_digest(version.evaluation, rows.ids[:1])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace('"Where is my card?"', repr(items[rows.ids[0]].text)), {})
    assert float(printed.getvalue()) == pytest.approx(float(rows.predicted[0]), abs=1e-4)


@pytest.mark.engine
def test_it_is_deployed_and_its_answers_are_those_of_the_evaluation_on_every_page(
    version, mia, lee, omar, client_for
):
    near = "signature: {}, quality: {metric: nearness, bound: point, at_least: 0.5}"
    publish(text=LAX.replace("signature: {}", near), actor=None)
    endpoint = make_endpoint(version.model, mia)
    request = approve(asked_request(version, endpoint, mia), lee)
    endpoints.deploy(request_id=request.uuid, actor=omar)
    _, token = endpoints.create_token(endpoint_id=endpoint.uuid, name="shop", days=30, actor=omar)
    rows = queries.rows_of(version.evaluation)
    items = queries.items_by_digest(version.evaluation, rows.ids)
    texts = [items[digest].text for digest in rows.ids]
    headers = {"authorization": f"Bearer {token}"}
    endpoints.publish()
    server = Server(Config(data_dir=Path(settings.DATA_DIR)))
    server.router.start = lambda: None
    follow(server)

    with TestClient(server.application()) as client:
        described = client.get(f"/v2/models/{endpoint.slug}", headers=headers).json()
        (output,) = client.post(
            f"/v2/models/{endpoint.slug}/infer", json=ask(*texts), headers=headers
        ).json()["outputs"]

    assert described["outputs"][0] == {"name": "NUMBER", "datatype": "FP32", "shape": [-1]}
    assert (output["name"], output["shape"]) == ("NUMBER", [len(texts)])
    assert output["data"] == pytest.approx(rows.predicted.tolist(), abs=1e-4)
    assert traffic.ingest() == len(texts)
    first = Prediction.objects.order_by("id")[0]
    assert (first.label, first.confidence) == (f"{rows.predicted[0]:.0f}", None)
    assert first.scores[0]["score"] == pytest.approx(rows.predicted[0], abs=1e-4)
    with refused(naming=("numbers",)):
        baseline(version)
    for name, row in (
        ("endpoints:detail", endpoint),
        ("traffic:endpoint", endpoint),
        ("traffic:recent", endpoint),
        ("traffic:prediction", first),
        ("drift:endpoint", endpoint),
    ):
        assert client_for(mia).get(reverse(name, args=[row.uuid])).status_code == 200, name


def test_its_scores_from_0_to_1_can_be_required_by_a_policy():
    text = LAX.replace(
        "signature: {}", "signature: {}, quality: {metric: METRIC, bound: point, at_least: 0.8}"
    )

    assert policies.read(text.replace("METRIC", "nearness")).gates["quality"]["metric"] == "nearness"
    with pytest.raises(Refused):
        policies.read(text.replace("METRIC", "mse"))


@pytest.mark.engine
def test_lists_over_the_api_have_its_leading_score(measured, mia, client_for):
    (line,) = client_for(mia).get(f"/api/v1/evaluations/?run={measured.run.uuid}").json()["results"][:1]

    assert line["mse"] == pytest.approx(queries.evaluations(mia).get(uuid=line["uuid"]).report["mse"])
    assert line["macro_f1"] is None
