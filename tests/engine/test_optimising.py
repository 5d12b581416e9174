"""How the weights are moved: loss, schedule, batches of a step, memory for time."""

import math

import pytest
import torch

from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.losses import CrossEntropy

pytestmark = pytest.mark.engine

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 2])
SURE = math.exp(2) / (math.exp(2) + 2)  # what the first row gives its own class; the second gives a third


def curve(folder, name):
    """(step, value) of a curve."""
    return {
        point.step: point.values[name]
        for point in points(read_events(folder / "events.jsonl")[0])
        if name in point.values
    }


def weights(folder):
    return (folder / "artifact" / "model.safetensors").read_bytes()


def test_rows_count_alike_without_focal_loss():
    assert CrossEntropy()(LOGITS, LABELS).item() == pytest.approx((-math.log(SURE) + math.log(3)) / 2)


def test_focal_loss_counts_what_is_already_right_less():
    rows = [(1 - SURE) ** 2 * -math.log(SURE), (2 / 3) ** 2 * math.log(3)]

    assert CrossEntropy(gamma=2.0)(LOGITS, LABELS).item() == pytest.approx(sum(rows) / 2)


def test_focal_loss_weighs_classes_as_cross_entropy_does():
    weights = torch.tensor([1.0, 5.0, 3.0])
    rows = [(1 - SURE) * -math.log(SURE), 3 * (2 / 3) * math.log(3)]

    assert CrossEntropy(weights, gamma=1.0)(LOGITS, LABELS).item() == pytest.approx(sum(rows) / 4)
    assert CrossEntropy(weights, gamma=1e-9)(LOGITS, LABELS).item() == pytest.approx(
        CrossEntropy(weights)(LOGITS, LABELS).item()
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_row_that_is_quite_sure_leaves_a_slope(gamma):
    logits = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)

    CrossEntropy(gamma=gamma)(logits, torch.tensor([0])).backward()

    assert torch.isfinite(logits.grad).all()


def test_smoothing_divides_its_share_among_all_classes():
    first = -0.9 * math.log(SURE) - 0.1 / 3 * (math.log(SURE) + 2 * math.log((1 - SURE) / 2))

    assert CrossEntropy(smoothing=0.1)(LOGITS, LABELS).item() == pytest.approx((first + math.log(3)) / 2)


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("linear", [1, 0.75, 0.5, 0.25]), ("constant", [1, 1, 1, 1]), ("cosine", [1, 0.8536, 0.5, 0.1464])],
)
def test_rates_fall_according_to_the_schedule(schedule, shares, run_folder, train_here):
    folder = run_folder(schedule=schedule, warmup_fraction=0.0, epochs=4, batch_size=8)

    train_here(folder)

    assert [rate / 5e-3 for rate in curve(folder, "learning_rate").values()] == pytest.approx(
        shares, abs=1e-4
    )


def test_batches_of_one_step_are_counted_as_one(run_folder, train_here):
    folder = run_folder(batch_size=2, accumulation=3, epochs=5)

    result = train_here(folder)

    assert (result["status"], result["last_step"]) == ("succeeded", 5 * 2)


def test_the_speed_counts_rows_not_room_in_batches(run_folder):
    from lifecycle.runtime.engine.effort import Effort
    from lifecycle.runtime.engine.reporter import Reporter
    from lifecycle.runtime.engine.spec import TrainSpec

    folder = run_folder(batch_size=4, accumulation=64)
    spec = TrainSpec.read(folder / "spec.json")

    assert Reporter(spec, None, [], lambda: False, Effort(folder), rows=8).rows_a_step == 8


@pytest.mark.parametrize(
    ("loss", "codes"), [({}, ["underfitting"]), ({"label_smoothing": 0.3}, []), ({"focal_gamma": 2.0}, [])]
)
def test_the_height_of_a_changed_loss_is_not_judged(loss, codes, run_folder):
    from lifecycle.runtime.engine.effort import Effort
    from lifecycle.runtime.engine.events import Point
    from lifecycle.runtime.engine.reporter import Reporter
    from lifecycle.runtime.engine.spec import TrainSpec

    folder = run_folder(**loss)
    falling = [
        Point(step, step / 2, {"train_loss": 0.6, "validation_loss": 0.7 - step / 100})
        for step in range(1, 5)
    ]
    reporter = Reporter(
        TrainSpec.read(folder / "spec.json"), None, falling, lambda: False, Effort(folder), rows=8
    )

    assert [each.code for each in reporter.diagnose(finished=True)] == codes


def test_two_half_batches_move_the_weights_as_a_whole_one_does(run_folder, train_here, tiny_base):
    whole, halves = (
        run_folder(
            name,
            batch_size=size,
            accumulation=8 // size,
            epochs=1,
            strategy={"kind": "head"},
            head_learning_rate=1e-2,
        )
        for name, size in (("whole", 8), ("halves", 4))
    )

    for folder in (whole, halves):
        train_here(folder)

    # the head's dropout differs from batch to batch, so that the two are near, not equal
    assert curve(halves, "validation_loss")[1] == pytest.approx(curve(whole, "validation_loss")[1], abs=2e-2)


def test_activations_that_are_computed_again_give_the_same_weights(run_folder, train_here):
    kept, again = (
        run_folder(name, gradient_checkpointing=name == "again", epochs=2) for name in ("kept", "again")
    )

    for folder in (kept, again):
        train_here(folder)

    assert weights(again) == weights(kept)


def test_a_bound_on_gradients_changes_what_is_learned(run_folder, train_here):
    free, bound = (
        run_folder(name, max_gradient_norm=norm, epochs=2) for name, norm in (("free", 0.0), ("bound", 0.01))
    )

    for folder in (free, bound):
        train_here(folder)

    assert weights(free) != weights(bound)


def test_two_losses_at_once_are_refused(run_folder, train_here):
    error = train_here(run_folder(label_smoothing=0.1, focal_gamma=2.0))["error"]

    assert error["message"].startswith("spec.json: label_smoothing must be 0 if focal_gamma is set")
