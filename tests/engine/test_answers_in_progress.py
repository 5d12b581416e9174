"""A version's answers are those of its evaluation, whatever answers are in progress beside them."""

import asyncio
import gc
import threading
from dataclasses import replace

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

    gc.collect()  # versions of other tests with the same base share its model while they are there

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


def test_versions_of_one_base_answer_in_one_batch_each_with_its_own_adapter(loaded, base):
    made = [loaded("lora", 1), loaded("lora", 2, rank=2), loaded("prompt", 3), loaded("full", 4)]
    asked = [(version, text) for text in texts() for version, _ in made]

    found = asyncio.run(together(*asked))

    for at, (_, folder) in enumerate(made):
        assert found[at::4] == evaluated(folder, base, texts())
    assert len({version._batcher for version, _ in made}) == 2


def test_answers_join_and_leave_while_others_go_on(loaded, base):
    from lifecycle.runtime.generation.rules import Sampling

    version, folder = loaded("lora", 1)
    asked = texts() * 3

    async def one(text, after):
        for _ in range(after):
            await asyncio.sleep(0)
        answer = version.answer(version.prompt(text)[0], Sampling(TOKENS))
        await answer.whole()
        return answer.text

    async def play():
        return await asyncio.gather(*(one(text, at * 7) for at, text in enumerate(asked)))

    assert asyncio.run(play()) == evaluated(folder, base, texts()) * 3


def test_an_adapter_is_read_when_it_is_needed_and_dropped_when_others_were(loaded, base, monkeypatch):
    made = [loaded("lora", seed) for seed in range(3)]
    residents = made[0][0]._batcher._adapt
    monkeypatch.setattr(residents, "_limit", 2)
    adapters = residents._network.adapters

    for version, folder in [*made, made[0], made[2]]:
        assert asyncio.run(together((version, texts()[0]))) == evaluated(folder, base, texts()[:1])
    assert len(adapters.loaded) == 2


def test_a_version_that_is_no_longer_used_frees_its_adapter_and_the_last_one_its_model(loaded):
    from lifecycle.runtime.generation.version import MODELS

    gc.collect()
    first, _ = loaded("lora", 1)
    again, _ = loaded("lora", 1)
    second, _ = loaded("lora", 2)
    asyncio.run(together((first, "where"), (second, "where")))
    batcher, adapters = first._batcher, first._batcher.network.adapters
    kept = second._key

    del again
    gc.collect()
    batcher.call(lambda: None)
    assert adapters.loaded == {kept, first._key}
    del first
    gc.collect()
    batcher.call(lambda: None)
    assert adapters.loaded == {kept}
    del second
    gc.collect()
    batcher.join()
    assert all(each.batcher is not batcher for each in MODELS._models.values())


def test_a_base_with_another_digest_is_refused(base, tmp_path):
    from lifecycle.runtime.refusals import Refused
    from tests.support.writers import load_writer, make_writer

    folder = make_writer(tmp_path, base, "lora")
    (beside,) = (tmp_path / "bases").iterdir()
    config = beside / "config.json"
    config.write_text(config.read_text() + " ")

    with pytest.raises(Refused) as refusal:
        load_writer(folder, tmp_path)

    assert "digest" in refusal.value.message


def test_more_answers_than_may_wait_are_refused(loaded, monkeypatch):
    from lifecycle.runtime.generation.rules import Full, Sampling

    version, _ = loaded("full")
    prompt, _ = version.prompt("where")
    gate = threading.Event()
    monkeypatch.setattr(version._batcher, "_max_waiting", 2)
    version._batcher.post(lambda: gate.wait(20))

    async def play():
        answers = [version.answer(prompt, Sampling(1)) for _ in range(2)]
        with pytest.raises(Full):
            version.answer(prompt, Sampling(1))
        gate.set()
        await asyncio.gather(*(each.whole() for each in answers))
        return [each.ended.tokens for each in answers]

    assert asyncio.run(play()) == [1, 1]


def test_a_listener_that_is_gone_and_a_choice_that_fails_end_their_own_answers_alone(loaded, monkeypatch):
    from lifecycle.runtime.generation import sampling
    from lifecycle.runtime.generation.rules import Finish, Sampling

    version, _ = loaded("full")
    prompt, _ = version.prompt("where")
    real = sampling.choose

    def gone(event):
        raise RuntimeError("Event loop is closed")

    def choose(logits, wanted, chance):
        if wanted.seed == 7:
            raise ValueError("no choice")
        return real(logits, wanted, chance)

    monkeypatch.setattr(sampling, "choose", choose)

    async def play():
        lost = version._batcher.submit(prompt, Sampling(TOKENS), gone)
        answers = [version.answer(prompt, Sampling(TOKENS, seed=seed)) for seed in (7, 8)]
        await asyncio.gather(*(each.whole() for each in answers))
        return lost.is_cancelled, [each.finish for each in answers]

    cancelled, (failed, fine) = asyncio.run(play())

    assert cancelled
    assert failed is Finish.FAILED
    assert fine in (Finish.LENGTH, Finish.STOP)


def test_an_answer_as_long_as_the_context_fits_and_a_longer_one_is_not_offered(loaded):
    from lifecycle.runtime.generation.rules import Sampling

    version, _ = loaded("prompt", 1)
    prompt, _ = version.prompt("where is my order")
    room = version.limit - len(prompt.ids)

    async def play():
        answer = version.answer(replace(prompt, ends=frozenset()), Sampling(room))
        await answer.whole()
        return answer.ended.tokens

    assert version.limit == 128 - 8
    assert asyncio.run(play()) == room
