"""A version that writes texts: registered, measured, and not served yet."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re

import pytest

from lifecycle.runtime.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog import card
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.engine.questions import make_evaluation, make_run
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.tiny_decoders import make_tiny_decoder
from tests.support.written import make_decoder, make_written_run, written_snapshot


@pytest.fixture
def version(project, mia) -> ModelVersion:
    run = make_written_run(written_snapshot(project, mia), mia, make_decoder(project, mia))
    model = make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_it_is_registered_with_its_own_scores_and_loading_code(version, client_for, mia):
    text = version.cards.get().text
    assert "pipeline_tag: text-generation" in text
    assert "| Task | text generation |" in text
    assert "| ROUGE-L |" in text
    assert "| Baseline | ROUGE-L | Token F1 |" in text
    assert "| Base before fine-tuning, same prompt |" in text
    assert "| Served as | not served. It generates text" in text
    assert "PeftModel.from_pretrained" in text
    assert "Head learning rate" not in text

    page = client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode()

    assert "This version generates text." in page
    assert "fp32 served" not in page
    assert "/promotions/new/" not in page
    assert "Perplexity" in page


def test_a_promotion_is_refused_before_anybody_looks_at_it(version, mia):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="generates text; serving generated text isn't supported yet"):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)

    assert not PromotionRequest.objects.exists()


def test_a_shadow_is_refused(version, mia, lee):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="serving generated text isn't supported yet"):
        endpoints.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=100, actor=lee)

    assert not Deployment.objects.exists()


@pytest.mark.engine
@pytest.mark.parametrize("strategy", ["full", "prefix"])
def test_the_cards_code_gives_the_answer_that_was_measured(strategy, tmp_path, monkeypatch):
    from lifecycle.runtime.engine import program
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.task_types.generation import predictions as text_answers

    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=15, strategy={"kind": strategy, "virtual_tokens": 4})
    program._carry_out("train", run, lambda: False)

    def measure(name):
        rows, artifact = [("Where is my card?", "yes")], run / "artifact"
        asked = make_evaluation(tmp_path / name, artifact, base, rows=rows, baselines=False)
        program._carry_out("evaluate", asked, lambda: False)
        assert json.loads((asked / "result.json").read_text())["status"] == "succeeded"
        return text_answers.ENTRY.read(asked / "predictions.parquet").answers[0]

    (tmp_path / "model").symlink_to(run / "artifact")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*)```", card.loading({"spec": {"task": "generation"}, "strategy": strategy}), re.DOTALL)[1]

    def carded():
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(code, {})
        return told.getvalue().strip()

    measured = measure("asked")
    assert carded() == measured
    ending = load_tokenizer(base).convert_tokens_to_ids(measured.split()[-1])  # an end that the tokenizer does not name
    settings = (run / "artifact" if strategy == "full" else base) / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": [3, ending]}))
    assert carded() == measure("again") == " ".join(itertools.takewhile(lambda word: word != measured.split()[-1], measured.split()))


@pytest.mark.engine
@pytest.mark.parametrize(("about", "tokens"), [({"max_new_tokens": 5}, 5), ({"max_new_tokens": 150}, 150), ({}, 128)])
def test_the_cards_code_ends_an_answer_where_the_version_does(about, tokens, tmp_path, monkeypatch):
    made = make_tiny_decoder(tmp_path / "model", chat=False)
    settings = made / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": [-1]}))
    (made / "lifecycle.json").write_text(json.dumps(about))
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*)```", card.loading({"spec": {"task": "generation"}, "strategy": "full"}), re.DOTALL)[1]

    names = {}
    exec(code, names)

    assert names["ids"].shape[1] - names["inputs"]["input_ids"].shape[1] == tokens
