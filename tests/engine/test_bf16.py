"""A model that writes answers in bf16 only where that was measured beside fp32, and where the processor
computes in it.
"""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.engine.questions import make_evaluation, make_run
from tests.support.tiny_decoders import QUESTIONS, make_lively_decoder, make_tiny_decoder

pytestmark = pytest.mark.engine
KINDS = ("full", "lora", "ia3", "prompt", "p_tuning", "prefix")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    return make_lively_decoder(tmp_path_factory.mktemp("base") / "lively", architecture="llama")


@pytest.fixture
def has_bf16(monkeypatch):
    """has_bf16(there): whether the processor computes in bf16."""
    from lifecycle.runtime.engine import probe

    def make(there=True):
        monkeypatch.setattr(probe, "bf16_supported", lambda: there)

    return make


def judged(agreement=0.99, perplexities=(8.0, 8.0), scores=(0.5, 0.5)):
    from lifecycle.runtime.engine.task_types.generation.rounding import judge

    return judge(100, 2000, agreement, perplexities, scores, (40, 20))


@pytest.mark.parametrize(
    ("measured", "passed"),
    [
        ({}, True),
        ({"agreement": 0.95}, True),
        ({"agreement": 0.9499}, False),
        ({"perplexities": (8.0, 8.08)}, True),
        ({"perplexities": (8.0, 8.09)}, False),
        ({"perplexities": (8.0, float("nan"))}, False),
        ({"scores": (0.5, 0.48)}, True),
        ({"scores": (0.5, 0.4799)}, False),
        ({"scores": (0.5, 0.6)}, True),
    ],
)
def test_tokens_perplexity_and_the_answers_score_decide(measured, passed):
    gate = judged(**measured)

    assert gate.passed is passed
    assert (gate.rows, gate.metric, gate.fp32_bytes, gate.rounded_bytes) == (100, "rouge_l", 40, 20)


def test_agreement_and_perplexity_are_those_of_each_reference_read_alone(base, lively):
    import torch

    from lifecycle.runtime.engine.decoders import load_decoder
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.task_types.generation import prompts, rounding

    tokenizer = load_tokenizer(base)
    frame = prompts.find_frame(tokenizer)
    examples = prompts.encode_examples(tokenizer, frame, *zip(*QUESTIONS, strict=True), 64)
    models = load_decoder(base).eval(), load_decoder(lively).eval()
    same, nats, tokens = 0, np.zeros(2), 0
    for each in examples:
        labels = torch.tensor(each.labels)[1:]
        counted = labels != -100
        with torch.no_grad():
            logits = [model(torch.tensor([each.ids])).logits[0, :-1][counted] for model in models]
        same += int((logits[0].argmax(-1) == logits[1].argmax(-1)).sum())
        nats += [
            float(torch.nn.functional.cross_entropy(some, labels[counted], reduction="sum"))
            for some in logits
        ]
        tokens += int(counted.sum())

    agreement, before, after = rounding.read(models, examples, 1, 3)

    assert agreement == same / tokens
    assert (before, after) == pytest.approx(tuple(np.exp(nats / tokens)), rel=1e-4)
    assert rounding.read((models[0], models[0]), examples, 1, 3)[0] == 1


def test_a_run_compares_both_and_what_passes_is_evaluated_in_bf16(
    base, tmp_path, train_here, has_bf16, monkeypatch
):
    import torch

    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.task_types.generation import answerer, rounding

    has_bf16()
    monkeypatch.setattr(rounding, "MIN_TOKENS", 50)
    monkeypatch.setattr(rounding, "MAX_LOSS", 1)
    monkeypatch.setattr(rounding, "MAX_RISE", 1)
    run = make_run(tmp_path / "run", base, epochs=20)
    result = train_here(run)
    info = ArtifactInfo.read(run / "artifact")
    tokens = sum(len(each.split()) + 1 for _, each in QUESTIONS)

    assert result["bf16"] == json.loads((run / "artifact" / "lifecycle.json").read_text())["bf16"]
    assert (info.bf16.passed, info.bf16.rows, info.bf16.metric) == (True, 8, "rouge_l")
    assert f"of {tokens} tokens" in info.bf16.reason
    assert info.bf16.fp32_bytes == 2 * info.bf16.rounded_bytes

    opened = []
    real = answerer.open_decoder

    def noticed(artifact, *rest):
        model = real(artifact, *rest)
        opened.append(model.dtype)
        return model

    monkeypatch.setattr(answerer, "open_decoder", noticed)
    evaluation = make_evaluation(tmp_path / "evaluation", run / "artifact", base)
    assert train_here(evaluation, verb="evaluate")["status"] == "succeeded"
    has_bf16(False)
    again = make_evaluation(tmp_path / "again", run / "artifact", base)
    assert train_here(again, verb="evaluate")["status"] == "succeeded"
    assert opened == [torch.bfloat16, torch.float32]


@pytest.mark.parametrize(
    ("there", "reason"),
    [(False, "bf16."), (True, "needs 1,000 tokens of validation responses; the dataset version has 52.")],
)
def test_what_can_not_be_compared_stays_in_fp32(base, tmp_path, train_here, has_bf16, there, reason):
    has_bf16(there)
    run = make_run(tmp_path / "run", base, epochs=1)

    gate = train_here(run)["bf16"]

    assert (gate["passed"], gate["agreement"]) == (False, None)
    assert gate["reason"].endswith(reason)


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_answers_in_bf16_near_to_what_it_answers_in_fp32(kind, lively, tmp_path, has_bf16):
    has_bf16()
    folder = written(tmp_path, lively, kind)
    exact, rounded = loaded(folder, tmp_path, passed=False), loaded(folder, tmp_path, passed=True)

    assert (exact.precision, rounded.precision) == ("fp32", "bf16")
    rows = [each._batcher.network.rows for each in (exact, rounded)]
    assert rows[0].bytes_per_token == 2 * rows[1].bytes_per_token
    for text, _ in QUESTIONS:
        one, two = (asyncio.run(first(each, text)) for each in (exact, rounded))
        likeliest = dict(one)
        assert two[0][0] in likeliest
        assert two[0][1] == pytest.approx(likeliest[two[0][0]], abs=0.2)


def test_versions_of_one_base_share_it_only_in_the_same_precision(lively, tmp_path, has_bf16):
    has_bf16()
    folders = [written(tmp_path, lively, "lora", seed) for seed in (1, 2, 3)]
    versions = [
        loaded(folder, tmp_path, passed) for folder, passed in zip(folders, (True, True, False), strict=True)
    ]

    assert versions[0]._batcher is versions[1]._batcher
    assert versions[0]._batcher is not versions[2]._batcher


def test_a_server_without_bf16_answers_in_fp32_and_says_why(lively, tmp_path, has_bf16):
    from lifecycle.runtime.inference.writers import NO_BF16, Writer

    has_bf16(False)
    version = loaded(folder := written(tmp_path, lively, "lora"), tmp_path, passed=True)
    from lifecycle.runtime.engine.artifact import ArtifactInfo

    writer = Writer(ArtifactInfo.read(folder), version)

    assert (writer.precision, writer.reason) == ("fp32", NO_BF16)


def written(tmp_path, base, kind, seed=0):
    from tests.support.writers import make_writer

    return make_writer(tmp_path, base, kind, seed)


def loaded(folder, tmp_path, passed):
    """The version, with this verdict of its gate."""
    from lifecycle.runtime.engine.artifact import ArtifactInfo, Gate
    from lifecycle.runtime.engine.export import set_info
    from tests.support.writers import load_writer

    set_info(folder, replace(ArtifactInfo.read(folder), bf16=Gate(passed, "Measured.")))
    return load_writer(folder, tmp_path)


async def first(version, text):
    """The 20 likeliest first tokens of an answer, with their log probabilities."""
    from lifecycle.runtime.generation.rules import Sampling

    answer = version.answer(version.prompt(text)[0], Sampling(1, alternatives=20))
    (token,) = await answer.whole()
    return token.alternatives
