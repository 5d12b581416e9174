"""Unsupported base models are recognized by their files, and the libraries agree."""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.engine.base import SUPPORTED, open_base
from lifecycle.runtime.engine.faults import EngineFault
from tests.support.architectures import MODELS
from tests.support.tiny_decoders import ARCHITECTURES, make_tiny_decoder
from tests.support.training import write_base

pytestmark = pytest.mark.engine
OTHERS = {
    "images": ("ViTConfig", "CLIPConfig", "BeitConfig", "ConvNextConfig", "SwinConfig"),
    "sound": ("Wav2Vec2Config", "HubertConfig", "WhisperConfig"),
    "encoder-decoders": ("T5Config", "BartConfig", "MT5Config", "PegasusConfig"),
}


def test_models_of_other_kinds_are_distinguished_by_the_configs_that_transformers_writes(tmp_path):
    import transformers

    folder = write_base(tmp_path / "base")
    for message, names in OTHERS.items():
        for name in names:
            getattr(transformers, name)().save_pretrained(folder)
            with pytest.raises(EngineFault) as fault:
                open_base(folder)
            assert (message in fault.value.message, fault.value.next_step) == (True, SUPPORTED), (
                name,
                fault.value.message,
            )


def test_every_model_named_in_the_docs_is_accepted(tmp_path):
    import transformers

    folder = write_base(tmp_path / "base")
    for config, _, shape in MODELS.values():
        getattr(transformers, config)(**shape).save_pretrained(folder)
        assert not open_base(folder).decoder, config
    for architecture in ARCHITECTURES:
        assert open_base(make_tiny_decoder(tmp_path / architecture, architecture=architecture)).decoder, (
            architecture
        )


def test_where_the_end_of_text_token_is_missed_by_the_files_the_tokenizer_has_none(tmp_path):
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.task_types.generation.prompts import find_frame

    folder = make_tiny_decoder(tmp_path / "decoder")
    path = folder / "tokenizer_config.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in whole.items() if name != "eos_token"}))
    (folder / "special_tokens_map.json").unlink(missing_ok=True)

    with pytest.raises(EngineFault, match="no end-of-text token"):
        open_base(folder)
    with pytest.raises(EngineFault, match="no end-of-text token"):
        find_frame(load_tokenizer(folder))
    path.write_text(json.dumps(whole))
    assert open_base(folder).decoder
    assert find_frame(load_tokenizer(folder)).end == 3
