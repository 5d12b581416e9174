"""One window against the evaluation: what is measured, what is not, and why."""

import importlib
from dataclasses import replace

import numpy as np
import pytest

from monitoring.drift import actions, queries, statistics
from monitoring.drift.measuring import accuracy as measured_accuracy
from monitoring.drift.measuring import measured
from monitoring.drift.models import Baseline, DriftReport
from monitoring.traffic import queries as figures
from monitoring.traffic.counts import Counts
from tests.monitoring.drift.conftest import EVEN, ONE_SIDED, day
from tests.support.unchanged import append_only

# the package exports functions of the same names
baselines = importlib.import_module("monitoring.drift.actions.baseline")
measuring = importlib.import_module("monitoring.drift.actions.measure")


def test_a_baseline_is_made_once_of_the_frozen_test(live_endpoint):
    version = live_endpoint.alias.version

    first, second = actions.baseline(version), actions.baseline(version)

    assert first == second
    assert (first.split, first.rows, first.evaluation) == ("test", 60, version.evaluation)
    assert set(first.histograms["label"]) == {"billing", "delivery", "refund"}
    assert sum(first.histograms["label"].values()) == 60
    assert first.histograms["confidence"] == {"48": 60}
    assert sum(first.histograms["chars"].values()) == 60
    assert first.histograms["oov"] is None  # the version's files hold no tokenizer
    assert first.calibration["accuracy"] == pytest.approx(57 / 60)


def test_rows_without_a_number_are_no_reference(live_endpoint, monkeypatch):
    version = live_endpoint.alias.version
    known = baselines.evaluations.rows_of(version.evaluation)
    shares = np.where(np.arange(60)[:, None] < 5, np.nan, known.probabilities)
    monkeypatch.setattr(baselines.evaluations, "rows_of", lambda _: replace(known, probabilities=shares))

    assert actions.baseline(version).rows == 55


def test_traffic_like_the_evaluation_is_as_evaluated(traffic):
    report = traffic.measure(2)

    assert (report.state, report.rows, report.requested) == ("ok", 600, False)
    assert {name: each["mark"] for name, each in report.results.items()} == {
        "label": "ok",
        "confidence": "ok",
        "length": "ok",
        "oov": "not_measured",
        "accuracy": "ok",
    }
    # three answers of the evaluation are wrong
    assert report.results["label"]["value"] == pytest.approx(0, abs=0.03)
    assert report.why == "No statistically and practically significant difference from the evaluation."
    known = report.baseline.histograms["label"]
    assert sorted(report.bins["label"]) == [[name, known[name], 200] for name in sorted(known)]
    assert report.estimate["accuracy"]["value"] == pytest.approx(0.95, abs=0.02)
    assert report.realised is None


def test_another_mix_of_answers_is_over_its_limit_and_never_reads_as_evaluated(traffic):
    report = traffic.measure(2, ONE_SIDED)

    found = report.results["label"]
    assert 1.5 < found["ratio"] < 3
    assert (found["mark"], found["held"], found["sure"]) == ("watch", "few", True)
    assert (report.state, report.worst) == ("watch", "label")
    assert report.ratio == pytest.approx(found["ratio"])
    assert report.largest == ("label", pytest.approx(found["value"]))


def test_the_same_window_again_is_the_same_report(traffic):
    first = traffic.measure(2)

    assert actions.measure(traffic.endpoint, first.version, day(2)) == first
    assert DriftReport.objects.count() == 1


def test_a_window_without_answers_is_insufficient_and_not_good(live_endpoint):
    report = actions.measure(live_endpoint, live_endpoint.alias.version, day(2))

    assert (report.state, report.rows, report.why, report.ratio) == (
        "insufficient",
        0,
        "No predictions in this window.",
        None,
    )
    assert {each["mark"] for each in report.results.values()} == {"insufficient", "not_measured"}
    assert report.estimate is None


def test_fewer_than_fifty_answers_are_insufficient(traffic):
    report = traffic.measure(2, {"billing": 49})

    assert (report.state, report.why) == ("insufficient", "49 predictions; at least 50 are needed.")


def test_labels_that_the_evaluation_does_not_know_are_named(traffic):
    report = traffic.measure(2, EVEN | {"fraud": 200})

    why = report.results["label"]["why"]
    assert ("25.0\xa0%" in why, "fraud" in why) == (True, True)
    assert [statistics.OTHER, 0, 200] in report.bins["label"]


def test_answers_without_a_confidence_are_a_bin_of_their_own(traffic):
    report = traffic.measure(2, confidence={"48": 300})

    assert report.bins["confidence"][-1] == [statistics.MISSING, 0, 300]
    assert report.results["confidence"]["mark"] == "drift"  # half of all: one window is enough


@pytest.mark.postgres
def test_less_confident_answers_are_expected_to_be_wrong_more_often(live_endpoint, traffic):
    """The evaluation's confidences are one number, so the reference is given a calibration that falls with
    confidence.
    """
    base = actions.baseline(live_endpoint.alias.version)
    with append_only(Baseline):
        Baseline.objects.filter(pk=base.pk).update(rows=1)
    assert Baseline.objects.get(pk=base.pk).rows == base.rows
    known = base.calibration | {"expected": [at / 50 for at in range(50)]}
    base.calibration = known

    counts = traffic.write(day(2).start, confidence={"30": 600})
    reading = measuring.read(live_endpoint, live_endpoint.alias.version, base, day(2), counts)

    accuracy = next(each for each in reading.found if each.monitor == "accuracy")
    assert reading.estimate["accuracy"]["value"] == pytest.approx(0.6)
    assert accuracy.value == pytest.approx(known["mean"] - 0.6)
    assert accuracy.p < 0.001


def test_an_evaluation_without_a_mistake_does_not_show_what_chance_does_to_its_accuracy(
    live_endpoint, traffic
):
    base = actions.baseline(live_endpoint.alias.version)
    flawless = measured.Reference(
        base.rows, base.histograms, base.calibration | {"spread": 0.0, "mean": 1.0, "expected": [0.9] * 50}
    )

    found = measured_accuracy.measure_accuracy(flawless, traffic.write(day(2).start))

    assert (found.mark, found.value, found.critical, found.p) == ("not_measured", None, None, None)
    assert found.why == measured_accuracy.ONE_SIDED


def test_feedback_on_most_predictions_counts_instead_of_the_estimate(traffic):
    report = traffic.measure(2, right=300, wrong=100)

    accuracy = report.results["accuracy"]
    assert (report.realised["value"], report.realised["rows"]) == (pytest.approx(0.75), 400)
    assert (accuracy["value"], accuracy["m"]) == (pytest.approx(57 / 60 - 500 / 600), 600)
    assert accuracy["why"] == "By feedback on 400 of 600 predictions; the others count as correct."


def test_beside_feedback_on_a_part_the_expected_accuracy_counts_too_and_the_two_share_the_limit(
    live_endpoint,
):
    base = actions.baseline(live_endpoint.alias.version)
    reference = measured.Reference(
        base.rows, base.histograms, base.calibration | {"expected": [at / 50 for at in range(50)]}
    )
    unsure = Counts(answers=600, confidence={"45": 600})
    alone, beside, by_all = (
        measured_accuracy.measure_fall(reference, replace(unsure, right=right)) for right in (0, 400, 600)
    )
    worse = measured_accuracy.measure_fall(reference, replace(unsure, right=10, wrong=400))

    assert alone.value == beside.value == pytest.approx(base.calibration["mean"] - 0.9)
    assert beside.critical / alone.critical == pytest.approx(2.5758293 / 2.3263479)  # of 0.5 % and of 1 %
    assert 0.001 < alone.p < 0.5
    assert beside.p == pytest.approx(2 * alone.p)
    assert (by_all.value, worse.value) == (pytest.approx(57 / 60 - 1), pytest.approx(57 / 60 - 200 / 600))


def test_a_few_complaints_are_shown_and_do_not_count_as_accuracy(traffic):
    report = traffic.measure(2, right=0, wrong=60)

    assert report.realised["rows"] == 60
    assert report.results["accuracy"]["why"] == ""
    assert report.results["accuracy"]["value"] == pytest.approx(0, abs=0.01)


@pytest.mark.postgres
def test_an_evaluation_that_cannot_be_read_is_failed_and_not_good(live_endpoint, monkeypatch):
    def unreadable(_):
        raise FileNotFoundError

    monkeypatch.setattr(baselines.evaluations, "rows_of", unreadable)

    report = actions.measure(live_endpoint, live_endpoint.alias.version, day(2))

    assert (report.state, report.baseline) == ("failed", None)
    assert report.why == "The evaluation of 1.0.0 can't be used. Its file can't be read."


def test_the_shadow_is_not_what_clients_got(project, traffic):
    traffic.write(day(2).start, ONE_SIDED, arm="shadow")

    assert [row[2] for row in traffic.measure(2).bins["label"]] == [200, 200, 200]
    assert figures.total(traffic.endpoint, day(2).start, day(2).end).answers == 600


def test_the_newest_report_and_the_requested_one_are_apart(traffic):
    first = traffic.measure(2)
    traffic.measure(3)
    requested = actions.measure(traffic.endpoint, first.version, day(4), requested=True)

    assert queries.standing([traffic.endpoint])[traffic.endpoint.pk].report.window_end == day(3).end
    assert queries.latest_requested(traffic.endpoint) == requested
    assert [each.window_end for each in queries.reports(traffic.endpoint, 5)] == [day(3).end, day(2).end]


def test_nothing_is_known_of_an_endpoint_that_was_never_measured(live_endpoint):
    endpoint = live_endpoint

    assert queries.standing([endpoint])[endpoint.pk] == queries.Standing(None, None, [])
    assert (queries.latest_requested(endpoint), queries.latest_requested_texts(endpoint)) == (None, None)
    assert queries.open_episodes(endpoint) == []
    assert queries.reports(endpoint, 5) == []
