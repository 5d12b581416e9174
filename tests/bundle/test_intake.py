"""A folder from outside is accepted by its content, and nothing in it can execute."""

import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused


class Canary:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(
        {"head.weight": np.ones((2, 3), np.float32), "head.bias": np.zeros(2, np.float16)},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text('{"model_type": "bert", "id2label": {"0": "auto_map"}}')
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"auto_map": 1}}}')
    (folder / "vocab.txt").write_text("[PAD]\nauto_map\n")
    (folder / "LICENSE").write_text("Apache-2.0")
    return folder


def refusal(folder):
    with pytest.raises(Refused) as caught:
        bundle.accept_model_folder(folder)
    return str(caught.value)


def test_weights_settings_and_texts_are_accepted(model):
    names = [file.name for file in bundle.accept_model_folder(model).files]

    assert names == ["LICENSE", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "model.pt",
        "head.pkl",
        "m.joblib",
        "modeling.py",
        "x.SO",
        "spiece.model",
        "a.zip",
        "noext",
    ],
)
def test_files_that_can_carry_programs_are_refused_by_name(model, name):
    (model / name).write_bytes(b"harmless")

    assert refusal(model) == f"{name} isn't accepted: files of this type can contain code."


@pytest.mark.parametrize(
    "slot", ["model.safetensors", "config.json", "vocab.txt", "tokenizer.json", "LICENSE"]
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_poisoned_pickle_in_any_slot_is_refused_and_never_runs(model, tmp_path, slot, protocol):
    (model / slot).write_bytes(pickle.dumps(Canary(tmp_path / "canary"), protocol=protocol))

    assert refusal(model).startswith(f"{slot} isn't")
    assert not (tmp_path / "canary").exists()


def test_a_foreign_onnx_file_is_refused_and_our_own_accepted(model):
    (model / "model.onnx").write_bytes(b"\x08\x01")

    assert "model.onnx isn't accepted" in refusal(model)
    assert "model.onnx" in bundle.accept_model_folder(model, onnx=True)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "adapter_config.json"])
@pytest.mark.parametrize(
    "value",
    [
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"a": [{"trust_remote_code": True}]},
        {"custom_pipelines": {"x": 1}},
    ],
)
def test_settings_that_ask_for_code_are_refused(model, name, value):
    (model / name).write_text(json.dumps(value))

    assert refusal(model).startswith(f"{name} requires external code")


@pytest.mark.parametrize("length", [0, 1, 2**40, 10**9])
def test_a_header_size_out_of_bounds_is_refused(model, length):
    (model / "model.safetensors").write_bytes(length.to_bytes(8, "little") + b"{}" + b"\0" * 20)

    assert refusal(model) == "model.safetensors isn't a safetensors file: the header is missing."


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 7),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 9),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, 12),
        ({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, 8),
        ({"w": {"dtype": "OBJ", "shape": [2], "data_offsets": [0, 8]}}, 8),
        ({"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]}}, 8),
        ({"w": "x"}, 8),
    ],
)
def test_tensors_that_do_not_fit_the_file_are_refused(model, header, body):
    data = json.dumps(header).encode()
    (model / "model.safetensors").write_bytes(len(data).to_bytes(8, "little") + data + b"\0" * body)

    assert refusal(model).startswith("model.safetensors is a damaged safetensors file")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{", b"[" * 100_000])
def test_broken_json_is_refused(model, data):
    (model / "config.json").write_bytes(data)

    assert refusal(model) == "config.json isn't valid JSON."
