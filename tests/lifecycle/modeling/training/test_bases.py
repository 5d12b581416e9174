"""Sources of base models, and which are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.engine.base import SUPPORTED
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.refusals import NotReady, Refused
from registry.ground.ledger.models import Event
from tests.support.generation import write_decoder
from tests.support.jobs import run_jobs, run_ok
from tests.support.training import write_base
from tests.support.unchanged import refused


@pytest.fixture
def root(tmp_path, settings) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    settings.BASE_MODEL_DIRS = [folder]
    return folder


def test_a_local_folder_is_kept_by_digest_with_its_facts(root, project, mia):
    folder = write_base(root / "tiny")

    base = actions.add_folder_base(project=project, actor=mia, path=str(folder))
    run_ok("default")

    base.refresh_from_db()
    assert base.name == "tiny"
    assert {file["name"] for file in base.folder.files} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert base.facts["parameters"] == 32
    assert base.facts["hidden_size"] == 8
    assert base.facts["licence"] == "apache-2.0"
    assert Event.objects.get(verb="training.base_model_added").object_id == str(base.uuid)


@pytest.mark.postgres
def test_the_page_shows_a_base_whose_files_are_not_there_yet(root, project, mia, client_for):
    actions.add_folder_base(project=project, actor=mia, path=str(write_base(root / "tiny")))

    page = client_for(mia).get("/runs/bases/")

    (row,) = page.context["rows"]
    assert (page.status_code, row["base"].folder, row["job"].state) == (200, None, "queued")
    assert b'class="st wait"' in page.content


def test_adding_twice_gives_one_base_and_one_job(root, project, mia):
    folder = write_base(root / "tiny")

    first = actions.add_folder_base(project=project, actor=mia, path=str(folder))
    second = actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert first == second
    assert Job.objects.filter(kind="training.keep_base").count() == 1


@pytest.mark.parametrize(
    "path",
    [
        "{outside}",
        "{root}/../secret",
        "{root}",
        "relative/path",
        "{root}/missing",
        "{root}/link",
        "{root}/nul\0",
    ],
)
def test_a_folder_outside_or_behind_a_link_is_refused(root, project, mia, tmp_path, path):
    outside = write_base(tmp_path / "secret")
    (root / "link").symlink_to(outside)

    with pytest.raises(Refused):
        actions.add_folder_base(project=project, actor=mia, path=path.format(outside=outside, root=root))

    assert not BaseModel.objects.exists()
    assert not Job.objects.exists()


def test_a_pickle_beside_the_weights_is_refused_by_name(root, project, mia):
    folder = write_base(root / "tiny")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")

    with refused("path", naming=("pytorch_model.bin",)):
        actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert not BaseModel.objects.exists()


def test_a_model_with_code_is_refused(root, project, mia):
    folder = write_base(root / "tiny")
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "modeling.Model"}}
    (folder / "config.json").write_text(json.dumps(config))

    with refused("path", naming=("auto_map",)):
        actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert not BaseModel.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "config.json",
            '{"model_type": "bert", "hidden_size": "big"}',
            "hidden_size in config.json must be a whole number, got 'big'",
        ),
        (
            "config.json",
            '{"model_type": "bert", "max_position_embeddings": -1}',
            "max_position_embeddings in config.json must be a whole number, got '-1'",
        ),
        (
            "config.json",
            '{"model_type": "bert", "num_hidden_layers": NaN}',
            "num_hidden_layers in config.json must be a whole number, got 'nan'",
        ),
        ("config.json", "[1]", "config.json isn't a JSON object"),
        ("tokenizer_config.json", "{", "tokenizer_config.json isn't valid JSON"),
        ("tokenizer_config.json", "5", "tokenizer_config.json isn't a JSON object"),
    ],
)
def test_a_folder_with_an_invalid_configuration_is_refused_with_the_reason(
    root, project, mia, name, text, message
):
    folder = write_base(root / "tiny")
    (folder / name).write_text(text)

    with pytest.raises(Refused, match=re.escape(message)):
        actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert not BaseModel.objects.exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "vit", "image_size": 224, "patch_size": 16}, "vit models work on images, not text."),
        (
            {"model_type": "clip", "vision_config": {"image_size": 224}, "text_config": {}},
            "clip models work on images, not text.",
        ),
        (
            {"model_type": "wav2vec2", "conv_dim": [512], "vocab_size": 32},
            "wav2vec2 models work on sound, not text.",
        ),
        (
            {"model_type": "whisper", "num_mel_bins": 80, "is_encoder_decoder": True},
            "whisper models work on sound, not text.",
        ),
        (
            {"model_type": "t5", "is_encoder_decoder": True},
            "t5 models are encoder-decoders, which aren't supported.",
        ),
        # as transformers reads missing values
        ({"model_type": "t5"}, "t5 models are encoder-decoders, which aren't supported."),
        (
            {"model_type": "t5", "architectures": ["T5EncoderModel"], "is_encoder_decoder": False},
            "t5 models are encoder-decoders",
        ),
    ],
)
def test_an_unsupported_model_is_refused_with_its_kind_and_the_supported_ones(
    root, project, mia, config, message
):
    folder = write_base(root / "other")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").unlink()

    with pytest.raises(Refused, match=re.escape(message)) as refusal:
        actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert refusal.value.next_step == SUPPORTED
    assert not BaseModel.objects.exists()


@pytest.mark.parametrize(
    "conf",
    [{"tokenizer_class": "PreTrainedTokenizerFast"}, {"tokenizer_class": "GPT2Tokenizer", "eos_token": None}],
)
def test_a_decoder_without_an_end_token_is_refused(root, project, mia, conf):
    folder = write_decoder(root / "decoder")
    (folder / "tokenizer_config.json").write_text(json.dumps(conf))

    with refused("path") as refusal:
        actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert refusal.value.next_step.startswith(
        "Set eos_token in tokenizer_config.json, or choose an instruction-tuned decoder."
    )
    assert not BaseModel.objects.exists()
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "</s>"}}))
    assert actions.add_folder_base(project=project, actor=mia, path=str(folder)).name == "decoder"


def test_a_configuration_with_a_missing_number_is_accepted(root, project, mia):
    folder = write_base(root / "tiny")
    config = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": None}
    (folder / "config.json").write_text(json.dumps(config))

    actions.add_folder_base(project=project, actor=mia, path=str(folder))

    assert BaseModel.objects.count() == 1


@pytest.mark.postgres
def test_a_folder_that_became_invalid_before_its_job_is_refused_by_the_job(root, project, mia):
    folder = write_base(root / "tiny")
    base = actions.add_folder_base(project=project, actor=mia, path=str(folder))
    (folder / "model.safetensors").write_bytes(b"not weights")

    (job,) = run_jobs("default")

    base.refresh_from_db()
    assert job.state == "failed"
    assert "model.safetensors" in job.error
    assert base.folder is None


@pytest.mark.postgres
def test_the_hub_is_refused_offline_and_needs_a_commit(project, mia, settings, monkeypatch):
    asked = []

    def fetch(source, **options):
        asked.append((source, options["revision"]))
        write_base(options["local_dir"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    settings.HF_HUB_OFFLINE = True
    with refused(by=NotReady):
        actions.add_hub_base(project=project, actor=mia, hub_id="owner/name", revision="a" * 40)
    settings.HF_HUB_OFFLINE = False
    with pytest.raises(Refused) as refusal:
        actions.add_hub_base(project=project, actor=mia, hub_id="owner/name", revision="main")
    assert list(refusal.value.fields) == ["revision"]
    with pytest.raises(Refused):
        actions.add_hub_base(project=project, actor=mia, hub_id="../../etc", revision="a" * 40)
    assert not BaseModel.objects.exists()

    base = actions.add_hub_base(project=project, actor=mia, hub_id="owner/name", revision="A" * 40)
    run_ok("default")

    base.refresh_from_db()
    assert asked == [("owner/name", "a" * 40)]
    assert base.folder is not None


@pytest.mark.parametrize("person", ["ana", "gita", "otto"])
def test_only_engineers_and_leads_add_base_models(request, root, project, person):
    folder = write_base(root / "tiny")

    with pytest.raises(PermissionDenied):
        actions.add_folder_base(project=project, actor=request.getfixturevalue(person), path=str(folder))

    assert not BaseModel.objects.exists()


@pytest.mark.parametrize(
    ("strategy", "inner", "weights"),
    [
        ("full", {}, 1000 + 27),
        ("lora", {"rank": 4}, 2 * 2 * 2 * 8 * 4 + 27),
        ("fast_lora", {"rank": 4, "frozen_layers": 1}, 2 * 2 * 8 * 4 + 27),
        ("ia3", {}, 2 * (8 + 8 + 8 + 32) + 27),
        ("adapter", {"width": 6}, 2 * (2 * 8 * 6 + 6 + 8) + 27),
        ("head", {}, 27),
    ],
)
def test_trainable_parameters_follow_from_the_shapes(strategy, inner, weights):
    shape = {"hidden_size": 8, "layers": 2, "parameters": 1000}

    assert settings_of("single_label").trainable(strategy, shape, 3, inner) == weights
    assert settings_of("single_label").trainable(strategy, {}, 3, inner) is None
