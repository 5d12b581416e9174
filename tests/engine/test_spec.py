import json
import subprocess
import sys

import pytest

from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.spec import EvaluateSpec, TrainSpec
from tests.support.faults import wrong_setting

GOOD = {
    "base": {"path": "base", "name": "tiny"},
    "labels": ["a", "b"],
    "strategy": {"kind": "lora", "rank": 4, "target_modules": ["query"]},
}


def test_a_spec_survives_json_and_back():
    spec = TrainSpec.from_json(GOOD)

    assert TrainSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.strategy.target_modules == ("query",)
    assert spec.epochs == 4


def test_no_zero_is_negative():
    spec = TrainSpec.from_json(GOOD | {"weight_decay": -0.0, "label_smoothing": -0.0})

    assert json.dumps([spec.to_json()["weight_decay"], spec.to_json()["label_smoothing"]]) == "[0.0, 0.0]"


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"epochs": 0}, "epochs", "spec.json: epochs must be from 1 to 1000, got 0."),
        ({"epochs": "4"}, "epochs", 'spec.json: epochs must be a whole number, got "4".'),
        ({"epochs": True}, "epochs", "spec.json: epochs must be a whole number, got true."),
        (
            {"learning_rate": float("nan")},
            "learning_rate",
            "spec.json: learning_rate must be from 0 to 1, got nan.",
        ),
        ({"pooling": "max"}, "pooling", 'spec.json: pooling must be one of mean, cls, pooler, got "max".'),
        (
            {"strategy": {"kind": "magic"}},
            "strategy.kind",
            (
                "spec.json: strategy.kind must be one of full, lora, ia3, adapter, head, prompt, p_tuning,"
                ' prefix, got "magic".'
            ),
        ),
        (
            {"strategy": {"kind": "prefix"}},
            "strategy.kind",
            "spec.json: strategy.kind prefix is only available for generation.",
        ),
        (
            {"strategy": {"rank": 0}},
            "strategy.rank",
            "spec.json: strategy.rank must be from 1 to 256, got 0.",
        ),
        ({"strategy": []}, "strategy", "spec.json: strategy must be an object, got []."),
        ({"labels": ["a", "a"]}, "labels", 'spec.json: labels contains "a" twice.'),
        ({"labels": []}, "labels", "spec.json: labels must contain at least two names, got none."),
        ({"labels": "ab"}, "labels", 'spec.json: labels must be a list, got "ab".'),
        ({"base": {"name": "tiny"}}, "base.path", "spec.json: base.path is missing."),
        ({"format": 2}, "format", "spec.json: format must be from 1 to 1, got 2."),
    ],
)
def test_a_wrong_field_is_refused_by_name(change, field, sentence):
    with pytest.raises(SpecError) as refused:
        TrainSpec.from_json(GOOD | change)

    assert refused.value.field == field
    assert str(refused.value) == sentence
    assert refused.value.code == "bad_spec"


def test_a_whole_number_beyond_all_measure_is_refused_by_name():
    with wrong_setting("learning_rate"):
        TrainSpec.from_json(GOOD | {"learning_rate": 10**400})


def test_an_unknown_field_is_refused():
    with wrong_setting("epoch", "TrainSpec"):
        TrainSpec.from_json(GOOD | {"epoch": 3})


def test_constructing_a_wrong_spec_is_refused_too():
    with wrong_setting("bins", "100"):
        EvaluateSpec(artifact="a", bins=1)


ROOMS_USE = (
    *(
        f"engine.{name}"
        for name in ("spec", "events", "diagnosis", "faults", "base", "artifact", "warm_client")
    ),
    "engine.task_types.by_key.settings",
    *(f"task_types.by_key.{name}" for name in ("types", "measures", "predictions")),
    "statistics.metrics",
)
HEAVY = ("torch", "transformers", "peft", "onnxruntime", "sklearn", "django")


def test_importing_what_the_rooms_use_does_not_import_torch():
    imports = "; ".join(f"import lifecycle.runtime.{name}" for name in ROOMS_USE)
    code = f"import sys; {imports}; print([name for name in {HEAVY} if name in sys.modules])"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
