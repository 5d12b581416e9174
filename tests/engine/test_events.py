from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from lifecycle.runtime.engine.events import EventWriter, Point, points, read_events, write_json


def test_seq_continues_after_a_torn_last_line(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.write("log", message="one")
    writer.write("log", message="two")
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "kind"')

    EventWriter(path).write("log", message="three")

    events, _ = read_events(path)
    assert [(event["seq"], event["message"]) for event in events] == [(0, "one"), (1, "two"), (2, "three")]


def test_reading_from_an_offset_gives_only_whole_new_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.write("log", message="one")
    first, offset = read_events(path)
    writer.write("log", message="two")
    with path.open("ab") as file:
        file.write(b'{"seq": 2')

    second, end = read_events(path, offset)

    assert [event["message"] for event in first] == ["one"]
    assert [event["message"] for event in second] == ["two"]
    assert read_events(path, end) == ([], end)


def test_what_takes_less_than_a_thousandth_of_a_second_has_a_length(tmp_path, monkeypatch):
    moments = iter(datetime(2026, 11, 30, 12, 0, 0, micro, tzinfo=UTC) for micro in (1_200, 1_700))
    monkeypatch.setattr(
        "lifecycle.runtime.engine.events.datetime", SimpleNamespace(now=lambda _: next(moments))
    )
    writer = EventWriter(tmp_path / "events.jsonl")

    first, second = (datetime.fromisoformat(writer.write("log")["at"]) for _ in range(2))

    assert (second - first) == timedelta(microseconds=500)


def test_an_absent_file_has_no_events(tmp_path):
    assert read_events(tmp_path / "none.jsonl") == ([], 0)


def test_numbers_that_json_does_not_know_become_null(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path).write(
        "metric", step=1, values={"train_loss": float("nan"), "learning_rate": float("inf"), "accuracy": 0.5}
    )

    assert read_events(path)[0][0]["values"] == {"train_loss": None, "learning_rate": None, "accuracy": 0.5}


def test_points_fold_values_of_a_step_and_the_last_wins():
    events = [
        {"kind": "metric", "step": 20, "epoch": 1.0, "values": {"train_loss": 2.0}},
        {"kind": "metric", "step": 20, "epoch": 1.0, "values": {"validation_loss": 1.0}},
        {"kind": "log", "message": "resumed"},
        {"kind": "metric", "step": 10, "epoch": 0.5, "values": {"train_loss": 3.0}},
        {"kind": "metric", "step": 20, "epoch": 1.0, "values": {"train_loss": 1.5}},
    ]

    assert points(events) == [
        Point(10, 0.5, {"train_loss": 3.0}),
        Point(20, 1.0, {"train_loss": 1.5, "validation_loss": 1.0}),
    ]


def test_a_json_document_leaves_no_temporary_file(tmp_path):
    write_json(tmp_path / "result.json", {"a": float("nan")})

    assert (tmp_path / "result.json").read_text() == '{\n  "a": null\n}\n'
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
