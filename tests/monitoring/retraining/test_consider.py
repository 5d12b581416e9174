"""Why yes and why not: each fact with its figure, and what blocks a trigger or a person."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import alone
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label.measures import Predictions
from monitoring.drift.models import DriftReport, Episode
from monitoring.retraining import actions, rules
from monitoring.retraining.models import Proposal, Trigger
from monitoring.retraining.queries import facts as fact_queries
from monitoring.retraining.queries import triggers
from monitoring.retraining.rules import Drift, Facts, Kind, Policy, Shift
from monitoring.retraining.rules.reasons import fall_of, overruled
from registry.ground.ledger.models import Event
from tests.monitoring.retraining.conftest import report_wrong
from tests.support.unchanged import append_only, refused

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def feedback(right, called, *, answers=1000, keys=None):
    """Facts about feedback on so many of the predictions, the first ones correct. keys: the sticky key of
    each, else none has one.
    """
    words = [(keys[at] if keys else "", at < right) for at in range(called)]
    silent = [("", True)] * (answers - called)
    return {
        "judged": fact_queries.by_key(words),
        "with_feedback": called,
        "answers": answers,
        "enough_feedback": called >= answers / 2,
        "not_wrong": fact_queries.by_key(words + silent),
    }


GOOD = Facts(
    live="1.0.0",
    expected=0.95,
    tested=1000,
    drift=Drift("ok"),
    snapshot_at=NOW - timedelta(days=10),
    **feedback(570, 600),
)
SHIFT = Shift("Predicted label", 0.31, "PSI 0.310, limit PSI 0.100", NOW - timedelta(days=4))
AUC = Shift("Words", None, "AUC 0.61, limit AUC 0.55", NOW)


def policy(kind, threshold=0.2, **more):
    return Policy(kind, threshold, **({"cooldown_days": 14, "min_labels": 50, "budget": 4} | more))


def codes(reasons):
    return [reason.code for reason in reasons]


@pytest.mark.parametrize(
    ("kind", "threshold", "facts", "yes", "found_for", "against"),
    [
        (Kind.DRIFT, 0.2, {}, False, [], ["few_labels"]),
        (Kind.DRIFT, 0.2, {"drift": Drift("drift", (SHIFT,))}, True, ["drift"], ["few_labels"]),
        (Kind.DRIFT, 0.4, {"drift": Drift("drift", (SHIFT,))}, False, ["drift"], ["few_labels"]),
        (Kind.DRIFT, 0.4, {"drift": Drift("drift", (SHIFT, AUC))}, True, ["drift", "drift"], ["few_labels"]),
        (Kind.DRIFT, 0.2, {"drift": Drift()}, False, [], ["data", "few_labels"]),
        (Kind.DRIFT, 0.2, {"drift": Drift("insufficient")}, False, [], ["data", "few_labels"]),
        (Kind.QUALITY, 0.03, feedback(360, 600), True, ["accuracy"], ["few_labels"]),
        (Kind.QUALITY, 0.30, feedback(360, 600), False, ["accuracy"], ["few_labels"]),
        (Kind.QUALITY, 0.03, feedback(560, 600), False, [], ["few_labels"]),
        (Kind.QUALITY, 0.03, feedback(120, 400), False, [], ["data", "few_labels"]),
        (Kind.QUALITY, 0.03, {"overridden": alone(100, 1000)}, True, ["overrides"], ["few_labels"]),
        (Kind.QUALITY, 0.03, {"quality_alert": "Quality burns"}, True, ["alert"], ["few_labels"]),
        (Kind.LABELS, 200, {"labels_new": 200}, True, ["labels"], []),
        (Kind.LABELS, 200, {"labels_new": 199}, False, [], []),
        (Kind.SCHEDULE, 10, {}, True, ["age"], ["few_labels"]),
        (Kind.SCHEDULE, 11, {}, False, [], ["few_labels"]),
        (Kind.SCHEDULE, 10, {"frozen": "Frozen: incident"}, False, ["age"], ["frozen", "few_labels"]),
        (Kind.SCHEDULE, 10, {"proposal": "Proposal 3 is open"}, False, ["age"], ["open", "few_labels"]),
        (Kind.SCHEDULE, 10, {"canary": "1.1.0 is a canary"}, False, ["age"], ["canary", "few_labels"]),
        (Kind.SCHEDULE, 10, {"run": "Run 4 trains"}, False, ["age"], ["run", "few_labels"]),
        (
            Kind.SCHEDULE,
            10,
            {"last_at": NOW - timedelta(days=13)},
            False,
            ["age"],
            ["cooldown", "few_labels"],
        ),
        (Kind.SCHEDULE, 10, {"last_at": NOW - timedelta(days=14)}, True, ["age"], ["few_labels"]),
        (Kind.SCHEDULE, 10, {"recent": 4}, False, ["age"], ["budget", "few_labels"]),
        (Kind.SCHEDULE, 10, {"live": "", "snapshot_at": None}, False, [], ["live", "few_labels"]),
    ],
)
def test_the_verdict_of_a_trigger(kind, threshold, facts, yes, found_for, against):
    verdict = rules.consider(replace(GOOD, **facts), policy(kind, threshold), NOW)

    assert (verdict.yes, codes(verdict.reasons_for), codes(verdict.reasons_against)) == (
        yes,
        found_for,
        against,
    )


def test_each_reason_has_its_figure_and_its_evidence():
    facts = replace(
        GOOD,
        drift=Drift("drift", (SHIFT,)),
        urls={"drift": "/drift/1/", "predictions": "/p/"},
        **feedback(360, 600),
    )

    drift, accuracy = rules.consider(facts, policy(Kind.DRIFT), NOW).reasons_for

    assert (drift.fact, drift.value, drift.evidence) == (
        "Drift of predicted label for 4 days",
        "PSI 0.310, limit PSI 0.100",
        "/drift/1/",
    )
    assert accuracy.fact == "Less accurate than the evaluation's 95.0\u00a0% of 1,000 rows, by feedback"
    assert (
        accuracy.value
        == "60.0\u00a0% of 600, treated as independent: at least 14.7 points below, also if all without"
        " feedback are correct"
    )
    assert accuracy.evidence == "/p/"


# ── How often it is wrong ───────────────────────────────────────────────────
def test_a_month_of_looks_hardly_ever_finds_an_unchanged_model_less_accurate():
    """200 test rows, 100 predictions a day with feedback, both right in 90 %; the window of 14 days is looked
    at every day. With what the test split shows taken as known it was 40 % of months.
    """
    chance, wrong, months = np.random.default_rng(9), 0, 40
    for _ in range(months):
        expected, days = chance.binomial(200, 0.9) / 200, chance.binomial(100, 0.9, size=42)
        rights = {int(days[at : at + 14].sum()) for at in range(29)}
        seen = [
            replace(
                GOOD, expected=expected, tested=200, judged=alone(right, 1400), not_wrong=alone(right, 1400)
            )
            for right in rights
        ]
        wrong += any("accuracy" in codes(rules.weigh(facts, policy(None), NOW).reasons_for) for facts in seen)

    assert wrong <= 5  # 5 % of 40, and twice the standard error of simulation


def test_near_duplicates_in_a_test_split_hardly_ever_make_an_unchanged_model_less_accurate():
    """100 texts with nine near duplicates each, intraclass correlation .8, right in 90 % as live; the window
    of 14 days is looked at every other day. With 1,000 independent rows it was 23 % of months.
    """
    chance, wrong = np.random.default_rng(9), {True: 0, False: 0}
    for _ in range(100):
        rights, days = (
            chance.binomial(10, chance.beta(0.9 / 4, 0.1 / 4, 100)),
            chance.binomial(100, 0.9, size=42),
        )
        expected = rights.sum() / 1000
        share = clustered.share(clustered.sums(rights, np.full(100, 10)))  # as an evaluation has it
        for grouped in wrong:
            test = {
                "expected": expected,
                "tested": 1000,
                "groups": 100,
                "between": (share.low, share.high) if grouped else None,
            }
            looks = [alone(int(days[at : at + 14].sum()), 1400) for at in range(0, 29, 2)]
            falls = [fall_of(replace(GOOD, **test, not_wrong=each)) for each in looks]
            wrong[grouped] += any(each.low > 0 for each in falls)

    assert wrong[True] <= 5 < 15 < wrong[False]


def test_an_interval_by_groups_is_read_from_a_report_as_evaluations_write_it():
    random, groups = np.random.default_rng(1), np.arange(200) // 4
    truth, answers = random.integers(0, 2, 200), random.dirichlet([1, 1], 200)
    report = single_label.ENTRY.report(
        Predictions(("a", "b"), tuple(map(str, range(200))), truth, answers, clusters=groups), count=50
    )
    ends = report["intervals"]["accuracy"]

    found = fact_queries.groups_of(Evaluation(rows=200, report=report))

    assert found == {"groups": 50, "between": (ends["low"], ends["high"])}
    assert fall_of(replace(GOOD, expected=report["accuracy"], tested=200, **found)).value == pytest.approx(
        report["accuracy"] - 0.97
    )


@pytest.mark.parametrize(
    "report",
    [
        {"clusters": 100, "intervals": {"accuracy": {"low": 0.8, "high": 0.95}}},
        {"clusters": 20, "intervals": {}},
        {"clusters": 20, "intervals": {"accuracy": {"low": None, "high": None}}},
        {"clusters": 20},
    ],
)
def test_where_rows_are_groups_of_their_own_or_no_interval_is_known_there_is_none_by_groups(report):
    assert fact_queries.groups_of(Evaluation(rows=100, report=report)) == {}


def test_a_reason_shows_in_how_many_groups_the_test_rows_come():
    facts = replace(GOOD, groups=40, between=(0.9, 0.98), **feedback(360, 600))

    (accuracy,) = rules.consider(facts, policy(Kind.QUALITY), NOW).reasons_for

    assert (
        accuracy.fact
        == "Less accurate than the evaluation's 95.0\u00a0% of 1,000 rows in 40 groups of near duplicates, by"
        " feedback"
    )


def test_where_mostly_wrong_predictions_get_feedback_accuracy_is_unknown_and_a_reason():
    """900 of 1,000 are correct; people report every wrong one and a tenth of the others."""
    verdict = rules.consider(replace(GOOD, **feedback(90, 190)), policy(Kind.QUALITY, 0.03), NOW)

    assert (verdict.yes, codes(verdict.reasons_for), codes(verdict.reasons_against)) == (
        False,
        [],
        ["data", "few_labels"],
    )
    assert verdict.reasons_against[0].value == "190 of 1,000; needs 50 and 50\u00a0%"


def test_one_customer_of_whom_everything_fails_is_no_fall_of_the_accuracy():
    """Of 20 customers with 30 predictions each, two fail always: 90 % of 600, which as independent rows would
    differ from 95 %.
    """
    keys = [f"customer {at // 30}" for at in range(600)]

    as_rows, as_customers = (
        rules.weigh(replace(GOOD, **feedback(540, 600, answers=600, keys=each)), policy(None), NOW)
        for each in (None, keys)
    )

    assert (codes(as_rows.reasons_for), codes(as_customers.reasons_for)) == (["accuracy"], [])


def test_people_who_report_every_wrong_prediction_and_most_others_make_no_fall_of_the_accuracy():
    """Right in 90 %, as on 1,000 test rows; every wrong one of 1,400 is reported and two thirds of the
    others. With feedback taken as like the rest it was a fall in 67 of 100.
    """
    chance, wrong = np.random.default_rng(19), 0
    for _ in range(100):
        correct = int(chance.binomial(1400, 0.9))
        right = int(chance.binomial(correct, 0.66))
        facts = replace(
            GOOD,
            expected=chance.binomial(1000, 0.9) / 1000,
            **feedback(right, right + 1400 - correct, answers=1400),
        )
        assert facts.enough_feedback
        wrong += "accuracy" in codes(rules.weigh(facts, policy(None), NOW).reasons_for)

    assert wrong <= 5


def test_customers_who_differ_hardly_ever_override_too_often_when_they_override_just_5_percent():
    """70 customers, 100 predictions a day, intraclass correlation .3, 29 looks: of rows 24 % of months were
    wrong.
    """
    chance, wrong, months = np.random.default_rng(19), 0, 60
    for _ in range(months):
        asked = chance.poisson(100 / 70, (42, 70))
        by = chance.binomial(asked, chance.beta(0.05 * 7 / 3, 0.95 * 7 / 3, 70))
        looks = [
            clustered.sums(by[at : at + 14].sum(axis=0), asked[at : at + 14].sum(axis=0)) for at in range(29)
        ]
        wrong += any(overruled(replace(GOOD, overridden=each), policy(None), NOW) for each in looks)

    assert wrong <= 6  # 5 % of 60, and twice the standard error of simulation


def test_overrides_are_shown_with_the_number_of_senders():
    facts = replace(
        GOOD,
        overridden=fact_queries.by_key([(f"customer {at % 50}", at < 200) for at in range(1000)]),
        senders=50,
    )

    (reason,) = (
        each for each in rules.weigh(facts, policy(None), NOW).reasons_for if each.code == "overrides"
    )

    assert reason.value == "20.0\u00a0% of 1,000, by at least 50 senders"


def test_a_person_is_stopped_by_little_and_shown_everything():
    blocked = replace(GOOD, last_at=NOW - timedelta(days=1), canary="1.1.0 is a canary", recent=9)
    assert rules.weigh(blocked, policy(None), NOW).yes
    assert not rules.weigh(replace(blocked, frozen="Frozen"), policy(None), NOW).yes
    assert not rules.weigh(replace(blocked, proposal="Proposal 1 is open"), policy(None), NOW).yes


# ── With the database ───────────────────────────────────────────────────────
@pytest.fixture
def trigger(endpoint, lee):
    return actions.set_trigger(
        endpoint_id=endpoint.uuid, kind="schedule", actor=lee, threshold=1, enabled=True
    )


def later(days=2):
    return timezone.now() + timedelta(days=days)


@pytest.mark.postgres
def test_a_trigger_proposes_once_and_notifies_the_leads(trigger, lee):
    now = later()
    made = actions.consider(trigger.uuid, now)
    again = [actions.consider(trigger.uuid, now), actions.consider(trigger.uuid, now + timedelta(minutes=11))]

    assert again == [None, None]
    assert Proposal.objects.get() == made
    assert (made.trigger, made.proposed_by, made.state) == (trigger, None, "open")
    assert [reason["code"] for reason in made.reasons_for] == ["age"]
    assert [reason["code"] for reason in made.reasons_against] == ["few_labels"]
    assert (
        lee.notices.filter(
            text__startswith="Proposal 1 to retrain support-inbox-prod needs your decision"
        ).count()
        == 1
    )
    assert '"trigger":"schedule"' in Event.objects.get(verb="retraining.proposed").canonical
    trigger.refresh_from_db()
    assert [reason["code"] for reason in trigger.verdict["against"]] == ["open", "cooldown", "few_labels"]


@pytest.mark.postgres
def test_a_trigger_that_is_off_is_not_asked(trigger, endpoint, lee):
    actions.set_trigger(endpoint_id=endpoint.uuid, kind="schedule", actor=lee, threshold=1, enabled=False)
    actions.tick(later())

    assert not Proposal.objects.exists()
    assert Trigger.objects.get().slot is None


def test_a_freeze_refuses_both(trigger, endpoint, mia, omar):
    from registry.catalog import actions as catalog

    catalog.freeze(endpoint_id=endpoint.uuid, until=later(9), reason="Incident 7.", actor=omar)

    assert actions.consider(trigger.uuid, later()) is None
    with refused(naming=("Incident 7.",)):
        actions.propose(endpoint_id=endpoint.uuid, actor=mia)


def test_an_open_proposal_refuses_another(proposed, endpoint, mia):
    with refused(naming=("Proposal 1",)):
        actions.propose(endpoint_id=endpoint.uuid, actor=mia)


def test_who_may_propose(endpoint, ana, gita):
    for person in (ana, gita):
        with pytest.raises(PermissionDenied):
            actions.propose(endpoint_id=endpoint.uuid, actor=person)
    assert not Proposal.objects.exists()


def test_figures_come_from_drift_feedback_and_labels(endpoint, traffic, mia, snapshot):
    from tests.support.datasets import import_texts

    report_wrong(endpoint, traffic, mia)
    import_texts(snapshot.dataset, [(f"a new mail {n}", "card") for n in range(7)], mia)
    live, now = endpoint.alias.version, timezone.now()
    Episode.objects.create(
        endpoint=endpoint, version=live, monitor="label", value=0.4, limit=0.1, opened_at=now
    )

    facts = fact_queries.gather(endpoint, now, 14)

    assert (facts.live, facts.with_feedback, facts.enough_feedback, facts.answers, facts.labels_new) == (
        "1.0.0",
        30,
        False,
        30,
        7,
    )
    assert (facts.judged.clusters, facts.judged.above, facts.judged.below) == (30, 0, 30)
    assert (facts.not_wrong, facts.overridden, facts.senders) == (alone(0, 30), alone(0, 30), None)
    assert (facts.expected, facts.tested) == (live.evaluation.report["accuracy"], live.evaluation.rows)
    assert facts.drift == Drift(
        "drift",
        (Shift("Predicted label", 0.4, f"PSI 0.400, limit PSI 0.100 when it opened, {now:%-d %b}", now),),
    )
    assert facts.snapshot_at == snapshot.created_at
    assert not DriftReport.objects.exists()


def test_drift_is_shown_as_the_newest_window_measured_it(endpoint):
    live, now = endpoint.alias.version, timezone.now()
    where = {"endpoint": endpoint, "version": live}
    for monitor in ("label", "accuracy"):
        Episode.objects.create(
            **where, monitor=monitor, value=0.165, limit=0.086, opened_at=now - timedelta(days=23)
        )
    label, accuracy = (
        {"value": 1.858, "limit": 0.325, "unit": "PSI"},
        {
            "value": 0.237,
            "limit": 0.099,
            "unit": "fall",
        },
    )
    DriftReport.objects.create(
        **where,
        window_start=now - timedelta(days=1),
        window_end=now,
        rows=600,
        state="drift",
        why="x",
        results={"label": label, "accuracy": accuracy},
    )

    reasons = rules.weigh(fact_queries.gather(endpoint, now, 14), policy(Kind.DRIFT, 1.5), now).reasons_for

    assert [(each.fact, each.value) for each in reasons] == [
        ("Drift of predicted label for 23 days", "PSI 1.858, limit PSI 0.325"),
        ("Drift of accuracy for 23 days", "down 23.7 points, limit 9.9 points"),
    ]
    assert [each.psi for each in fact_queries.gather(endpoint, now, 14).drift.shifts] == [1.858, None]


def test_a_proposal_that_was_overtaken_silences_no_trigger(proposed, endpoint, lee):
    """Going back to the version before ends what is under way; the drift that asked for it may ask again."""
    trigger, now = (
        actions.set_trigger(endpoint_id=endpoint.uuid, kind="schedule", actor=lee, threshold=1, enabled=True),
        later(),
    )
    ended = dict.fromkeys(("overtaken", "withdrawn"))
    for outcome in ended:
        Proposal.objects.filter(pk=proposed.pk).update(state="done", outcome=outcome, ended_at=now)
        verdict = rules.consider(fact_queries.gather(endpoint, now, 14), triggers.policy_of(trigger), now)
        ended[outcome] = (verdict.yes, codes(verdict.reasons_against))

    assert ended == {"overtaken": (True, ["few_labels"]), "withdrawn": (False, ["cooldown", "few_labels"])}


@pytest.mark.postgres
def test_reasons_are_stored_for_good(proposed):
    for change in ({"reasons_for": []}, {"min_labels": 1}, {"note": "another"}, {"live_moves": 9}):
        with append_only(Proposal):
            Proposal.objects.filter(pk=proposed.pk).update(**change)
    with append_only(Proposal):
        Proposal.objects.filter(pk=proposed.pk)._raw_delete("default")
    kept = Proposal.objects.get()
    assert [getattr(kept, name) for name in ("reasons_for", "min_labels", "note", "live_moves")] == [
        getattr(proposed, name) for name in ("reasons_for", "min_labels", "note", "live_moves")
    ]
