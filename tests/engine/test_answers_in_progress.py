"""A version's answers are those of its evaluation, whatever answers are in progress beside them."""

import asyncio

import pytest

pytestmark = pytest.mark.engine
KINDS = ("full", "lora", "ia3", "prompt", "p_tuning", "prefix")
TOKENS = 6


@pytest.fixture(scope="module", params=["llama", "gpt2", "mistral"])
def base(request, tmp_path_factory):
    from tests.support.tiny_decoders import make_lively_decoder

    return make_lively_decoder(tmp_path_factory.mktemp("base") / request.param, architecture=request.param)


@pytest.fixture
def loaded(base, tmp_path):
    """loaded(kind, seed): a version whose learned part is random, and its folder."""
    from tests.support.writers import load_writer, make_writer

    def make(kind, seed=0, **strategy):
        folder = make_writer(tmp_path, base, kind, seed, **strategy)
        return load_writer(folder, tmp_path), folder

    return make


def evaluated(folder, base, texts):
    """The answers that an evaluation gives."""
    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.decoders import open_decoder
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.task_types.generation.answering import answer
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_prompts, find_frame

    tokenizer = load_tokenizer(folder)
    frame = find_frame(tokenizer)
    model = open_decoder(folder, base, ArtifactInfo.read(folder))
    asked = encode_prompts(tokenizer, frame, texts, 64)
    found = answer(model, tokenizer, asked, end=frame.end, pad_id=1, max_new_tokens=TOKENS, at_once=4)
    return [each.text for each in found]


async def together(*asked):
    """The texts of (version, prompt) that are answered at once."""
    from lifecycle.runtime.generation.rules import Sampling

    answers = [version.answer(version.prompt(text)[0], Sampling(TOKENS)) for version, text in asked]
    await asyncio.gather(*(each.whole() for each in answers))
    return [each.text for each in answers]


def texts():
    from tests.support.tiny_decoders import QUESTIONS

    return [question for question, _ in QUESTIONS]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_at_once_are_those_of_the_evaluation(kind, loaded, base):
    version, folder = loaded(kind)

    found = asyncio.run(together(*((version, text) for text in texts())))

    assert found == evaluated(folder, base, texts())
    assert len(set(found)) > 1
