"""A version that marks parts of texts: registered, measured, and not served yet."""

from __future__ import annotations

import contextlib
import io
import json
import re
from ast import literal_eval

import pytest

from lifecycle.runtime.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog import card
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support.jobs import run_ok
from tests.support.marks import TEXTS, marked_snapshot, spans_in
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.tiny_models import WORDS, make_tiny_base
from tests.support.training import make_run


@pytest.fixture
def version(project, mia) -> ModelVersion:
    model = make_model(project, mia)
    catalog.register(model=model, run=make_run(marked_snapshot(project, mia), mia), semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_it_is_registered_with_its_own_scores_and_loading_code(version, client_for, mia):
    text = version.cards.get().text
    assert "pipeline_tag: token-classification" in text
    assert "| Micro-F1 |" in text
    assert "| Task | labeled spans; a span is correct if its position and label match |" in text
    assert "| Baseline | Micro-F1 | Macro-F1 |" in text

    page = client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode()

    assert "This version predicts spans." in page
    assert "Micro-F1" in page
    assert "/promotions/new/" not in page

    listed = client_for(mia).get(f"/models/{version.model.uuid}/").content.decode()
    report = version.evaluation.report
    assert f"{report['micro_f1']:.3f}" != f"{report['macro_f1']:.3f}"
    assert f'{report["micro_f1"]:.3f} <small class="muted">micro-F1 of spans</small>' in listed


def test_a_promotion_is_refused_before_anybody_looks_at_it(version, mia):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="predicts spans; serving spans isn't supported yet"):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)

    assert not PromotionRequest.objects.exists()


def test_a_shadow_is_refused(version, mia, lee):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="serving spans isn't supported yet"):
        endpoints.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=100, actor=lee)

    assert not Deployment.objects.exists()


@pytest.mark.engine
def test_the_cards_code_marks_what_the_server_would(tmp_path, monkeypatch):
    from lifecycle.runtime.engine import program
    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.predictor import Predictor
    from lifecycle.runtime.task_types.by_key.decoding import decoding_of
    from lifecycle.runtime.task_types.spans.tagging import Unit

    folder = tmp_path / "run"
    folder.mkdir()
    rows = [{"id": f"{at:064x}", "text": text, "spans": spans_in(text)} for at, text in enumerate(TEXTS)]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    pieces = {piece: None for word in WORDS for piece in ((word[:2], f"##{word[2:]}") if word[2:] else (word,))}
    base = make_tiny_base(tmp_path / "base", words=list(pieces))
    spec = {"task": "spans", "base": {"path": str(base), "name": "tiny"}, "labels": ["thing", "wish"], "strategy": {"kind": "full"}}
    rates = {"epochs": 14, "batch_size": 4, "learning_rate": 5e-3, "head_learning_rate": 5e-2, "precision": "fp32", "threads": 1}
    (folder / "spec.json").write_text(json.dumps(spec | rates))
    program._carry_out("train", folder, lambda: False)
    keep_white_space(folder / "artifact" / "tokenizer.json")
    monkeypatch.chdir(folder)
    (folder / "model").symlink_to(folder / "artifact")
    code = re.search(r"```python\n(.*)```", card.loading({"spec": {"task": "spans"}, "strategy": "full"}), re.DOTALL)[1]
    texts = (*TEXTS, "where is  my   card ", " money  back", "my-card", "(my) card,", "my ca\u00adrd", "", "   ")
    answered = {}
    for unit in Unit:  # of the same weights; they learnt by what stands between spaces
        description = folder / "artifact" / "lifecycle.json"
        about = json.loads(description.read_text()) | {"unit": None if unit is Unit.PIECE else unit, "format": 3}
        description.write_text(json.dumps(about))
        predictor = Predictor(folder / "artifact", graph=folder / "artifact" / ArtifactInfo.read(folder / "artifact").serving)
        answers = decoding_of("spans").predictions(predictor.probabilities(texts), predictor.info)
        found = [[[each["start"], each["end"], each["label"]] for each in answer["spans"]] for answer in answers]

        assert [told(code.replace('"Where is my card?"', repr(text))) for text in texts] == found
        answered[unit] = found
    assert answered[Unit.SPACED][0] == [[3, 7, "thing"]]
    assert answered[Unit.SPACED][-2:] == [[], []]
    assert answered[Unit.PIECE][0] != answered[Unit.SPACED][0]


def keep_white_space(path):
    """Let the tokenizer give each word the white space before it, as those of RoBERTa and Llama do."""
    about = json.loads(path.read_text())
    about["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": " ?[^ ]+| +"}, "behavior": "Isolated", "invert": False}
    about["model"]["vocab"] |= {f" {word}": at for word, at in about["model"]["vocab"].items() if not word.startswith("[")}
    path.write_text(json.dumps(about))


def told(code):
    """What it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    return literal_eval(said.getvalue())
