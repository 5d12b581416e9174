"""From the spool into the database: each line once, whatever is killed in between; nonsense is kept aside and
stops nothing.
"""

import importlib
import json
import uuid

import pytest

from monitoring.traffic import actions, spool
from monitoring.traffic.models import MinuteRollup, Prediction
from tests.support import endpoints

# the package exports a function of the same name
ingesting = importlib.import_module("monitoring.traffic.actions.ingest")
AT = "2026-01-01T12:30:15.250+00:00"


def rollup():
    return MinuteRollup.objects.get(version__isnull=False)


def test_a_request_of_two_texts_is_two_predictions_and_one_request(live_endpoint, settings):
    line = endpoints.spool_line(
        live_endpoint,
        ("I lost my card", "billing", 0.9),
        ("money back", "refund", 0.7),
        at=AT,
        latency_ms=12.0,
    )
    path = endpoints.write_segment(line)

    assert actions.ingest() == 2

    first, second = Prediction.objects.order_by("id")
    assert (str(first.uuid), first.label, first.confidence, first.text) == (
        line["uuid"],
        "billing",
        0.9,
        "I lost my card",
    )
    assert second.uuid == uuid.uuid5(first.uuid, "1")
    assert second.scores == [{"label": "refund", "score": 0.7}]
    assert first.version == live_endpoint.alias.version
    assert (rollup().requests, rollup().errors, rollup().labels) == (1, 0, {"billing": 1, "refund": 1})
    assert rollup().start.isoformat() == "2026-01-01T12:30:00+00:00"
    assert sum(rollup().latency.values()) == 1
    assert not path.exists()


def test_the_same_segment_twice_adds_nothing(live_endpoint):
    line = endpoints.spool_line(live_endpoint, at=AT)
    endpoints.write_segment(line)
    assert actions.ingest() == 1
    endpoints.write_segment(line, line)

    assert actions.ingest() == 0

    assert Prediction.objects.count() == 1
    assert rollup().requests == 1


def test_killed_between_the_commit_and_the_end_of_the_file(live_endpoint, monkeypatch):
    path = endpoints.write_segment(*[endpoints.spool_line(live_endpoint, at=AT) for _ in range(3)])

    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "unlink", kill)
        with pytest.raises(Killed):
            actions.ingest()
    assert Prediction.objects.count() == 3
    assert path.exists()

    assert actions.ingest() == 0

    assert Prediction.objects.count() == 3
    assert rollup().requests == 3
    assert not path.exists()


def test_killed_between_two_batches(live_endpoint, monkeypatch):
    endpoints.write_segment(*[endpoints.spool_line(live_endpoint, at=AT) for _ in range(5)])
    monkeypatch.setattr(ingesting, "BATCH_ROWS", 2)
    store, calls = ingesting.store, []

    def store_once(rows):
        if calls:
            raise KeyboardInterrupt
        calls.append(rows)
        return store(rows)

    with monkeypatch.context() as patch:
        patch.setattr(ingesting, "store", store_once)
        with pytest.raises(KeyboardInterrupt):
            actions.ingest()
    assert Prediction.objects.count() == 2

    assert actions.ingest() == 3
    assert rollup().requests == 5


def test_errors_count_and_have_no_answer(live_endpoint):
    endpoints.write_segment(
        endpoints.error_line(live_endpoint, 503, at=AT), endpoints.spool_line(live_endpoint, at=AT)
    )

    assert actions.ingest() == 2

    failed = Prediction.objects.get(code=503)
    assert (failed.version, failed.label, failed.text, failed.confidence) == (None, "", None, None)
    unanswered = MinuteRollup.objects.get(version=None)
    assert (unanswered.requests, unanswered.errors, unanswered.latency) == (1, 1, {})


@pytest.mark.parametrize(
    "bad",
    [
        b"{broken\n",
        b"\n",
        b"[]\n",
        b"null\n",
        b'{"uuid": 3}\n',
        b"\xff\xfe\n",
    ],
)
def test_nonsense_is_kept_aside_and_stops_nothing(live_endpoint, settings, bad):
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint), bad, endpoints.spool_line(live_endpoint), name="7.jsonl"
    )

    assert actions.ingest() == 2

    assert (settings.DATA_DIR / "spool" / "bad" / "7.jsonl").read_bytes() == bad


@pytest.mark.parametrize(
    "change",
    [
        {"at": "yesterday"},
        {"at": "2026-01-01T00:00:00"},
        {"code": 70_000},
        {"latency_ms": float("nan")},
        {"latency_ms": -1},
        {"epoch": 2**70},
        {"version": "not-a-uuid"},
        {"root_digest": ["a"]},
        {"root_digest": {"a": 1}},
        {"root_digest": "F" * 63},
        {"uuid": None},
        {"inputs": [{"chars": 2**40}]},
        {"outputs": []},
    ],
)
def test_values_that_no_database_takes_are_kept_aside(live_endpoint, change):
    line = endpoints.spool_line(live_endpoint) | change
    if change == {"outputs": []}:
        line["outputs"] = [None]
    endpoints.write_segment(line, endpoints.spool_line(live_endpoint))

    assert actions.ingest() == 1


@pytest.mark.postgres
def test_texts_with_nul_and_lone_surrogates_are_stored(live_endpoint):
    endpoints.write_segment(endpoints.spool_line(live_endpoint, ("a\x00b\ud800", "refund", 0.5)))

    assert actions.ingest() == 1
    assert Prediction.objects.get().text == "a\ufffdb?"


def test_an_unknown_endpoint_is_left_out(live_endpoint):
    endpoints.write_segment(endpoints.spool_line(live_endpoint) | {"endpoint": "gone"})

    assert actions.ingest() == 0
    assert not MinuteRollup.objects.exists()


def test_a_version_with_another_digest_is_not_named(live_endpoint):
    endpoints.write_segment(endpoints.spool_line(live_endpoint) | {"root_digest": "f" * 64})

    actions.ingest()
    assert Prediction.objects.get().version is None


def test_open_segments_are_not_touched(live_endpoint):
    path = endpoints.write_segment(endpoints.spool_line(live_endpoint), name="8.open")

    assert actions.ingest() == 0
    assert path.exists()


def test_demo_traffic_is_marked(answered, live_endpoint, project):
    type(project).objects.filter(pk=project.pk).update(is_demo=True)
    marked, plain = answered(
        endpoints.spool_line(live_endpoint, request_id="demo-7"), endpoints.spool_line(live_endpoint)
    )

    assert (marked.is_demo, plain.is_demo) == (True, False)


def test_no_client_of_another_project_marks_its_traffic_as_demo(answered, live_endpoint):
    (row,) = answered(endpoints.spool_line(live_endpoint, request_id="demo-7"))

    assert (row.is_demo, row.request_id) == (False, "demo-7")


def test_a_shadow_with_a_list_for_a_digest_is_kept_aside():
    line = {
        "kind": "shadow",
        "uuid": str(uuid.uuid4()),
        "at": AT,
        "endpoint": "e",
        "version": None,
        "root_digest": [1],
        "prediction": str(uuid.uuid4()),
        "latency_ms": 1.0,
    }
    assert spool.parse(json.dumps(line | {"root_digest": "a" * 64}).encode()).root_digest == "a" * 64
    with pytest.raises(ValueError, match="64 hex digits"):
        spool.parse(json.dumps(line).encode())


def test_a_segment_that_fails_unexpectedly_stays_and_blocks_no_other(live_endpoint, monkeypatch, caplog):
    first = endpoints.write_segment(endpoints.spool_line(live_endpoint), name="1.jsonl")
    second = endpoints.write_segment(endpoints.spool_line(live_endpoint), name="2.jsonl")
    lines = spool.lines

    def breaks(path):
        if path == first:
            raise ZeroDivisionError
        return lines(path)

    monkeypatch.setattr(spool, "lines", breaks)

    assert actions.ingest() == 1

    assert (first.exists(), second.exists(), Prediction.objects.count()) == (True, False, 1)
    assert "event=spool_segment_left file=1.jsonl" in caplog.text


def test_only_one_reader_at_a_time(live_endpoint):
    endpoints.write_segment(endpoints.spool_line(live_endpoint))
    with ingesting.sole_reader() as mine:
        assert mine
        assert actions.ingest() == 0
    assert actions.ingest() == 1


@pytest.mark.postgres
def test_old_texts_are_forgotten_and_the_rest_stays(answered, live_endpoint, settings):
    old, new = answered(endpoints.spool_line(live_endpoint, at=AT), endpoints.spool_line(live_endpoint))

    assert actions.forget_texts() == (1 if (new.at - old.at).days >= settings.PREDICTION_TEXT_DAYS else 0)
    old.refresh_from_db()
    assert (old.text, old.label) == (None, "billing")
    assert Prediction.objects.get(pk=new.pk).text == "I lost my card"


def test_prediction_uuids_are_the_requests_own_and_derived():
    request = uuid.UUID("8b9f9b5e-0000-4000-8000-000000000001")

    assert spool.prediction_uuid(request, 0) == request
    assert spool.prediction_uuid(request, 2) == uuid.uuid5(request, "2")
    assert json.dumps(str(request))
