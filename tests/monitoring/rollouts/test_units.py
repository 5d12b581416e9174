"""From requests to what is counted: one unit for each sticky key and minute, and which of them are
evidence.
"""

from monitoring.rollouts.rules import Counts, Request, Side, tally


def request(arm="stable", unit="a", failed=False, latency_ms=5.0, wrong=False, keyed=False):
    return Request(arm, unit, failed, latency_ms, wrong, keyed=keyed)


def counted(requests, slow_ms):
    return tally(requests, slow_ms).counts


def test_one_key_counts_once_a_minute_however_often_it_fails():
    counts = counted(
        [request("canary", "k", failed=True) for _ in range(40)] + [request("canary", "other")], slow_ms=None
    )

    assert counts.canary == Side(requests=41, units=2, errors=1)


def test_a_unit_is_bad_as_soon_as_one_of_its_requests_is():
    counts = counted(
        [request(unit="k"), request(unit="k", latency_ms=90.0), request(unit="k", wrong=True)], slow_ms=50.0
    )

    assert counts.stable == Side(requests=3, units=1, slow=1, wrong=1)


def test_slow_is_above_the_bound_and_not_at_it():
    counts = counted(
        [
            request(unit="a", latency_ms=50.0),
            request(unit="b", latency_ms=50.1),
            request(unit="c", latency_ms=None),
        ],
        slow_ms=50.0,
    )

    assert counts.stable.slow == 1
    assert counted([request(latency_ms=1e9)], slow_ms=None).stable.slow == 0


def test_the_same_key_on_both_arms_is_two_units():
    counts = counted([request("stable", "k"), request("canary", "k")], slow_ms=None)

    assert (counts.stable.units, counts.canary.units) == (1, 1)


def test_evidence_of_a_minute_is_each_unit_without_a_key_and_every_key_once_for_each_kind():
    found = tally(
        [
            request("canary", "k", failed=True, keyed=True),
            request("canary", "k", failed=True, latency_ms=90.0, keyed=True),
        ]
        + [
            request("stable", "r1", failed=True),
            request("stable", "r2", failed=True, wrong=True),
            request("stable", "q", keyed=True),
        ],
        slow_ms=50.0,
    )

    assert found.counts == Counts(Side(2, 1, 1, 1, 0), Side(3, 3, 2, 0, 1))
    assert found.alone == Counts(Side(), Side(0, 2, 2, 0, 1))
    assert found.keyed == {("errors", "k", "canary"), ("slow", "k", "canary")}


def test_counts_add_up_and_survive_their_json():
    one, two = Counts(Side(1, 1, 1, 0, 0), Side(2, 2, 0, 1, 0)), Counts(Side(3, 2, 0, 0, 1), Side())

    assert one + two == Counts(Side(4, 3, 1, 0, 1), Side(2, 2, 0, 1, 0))
    assert Counts.from_json(one.as_json()) == one
    assert Counts.from_json({}) == Counts()
    assert one.of("errors") == (1, 0)
