"""A decoder's greedy answers and losses, for every strategy that decoders have."""

import itertools

import pytest

pytestmark = pytest.mark.engine
KINDS = ("full", "lora", "ia3", "prompt", "p_tuning", "prefix")


@pytest.fixture(scope="module", params=["llama", "gpt2", "mistral"])
def base(request, tmp_path_factory):
    from tests.support.tiny_decoders import make_lively_decoder

    return make_lively_decoder(tmp_path_factory.mktemp("base") / request.param, architecture=request.param)


@pytest.fixture
def made(base):
    """made(kind): a decoder of which what the strategy adds was shaken, its tokenizer and its prompts."""
    import torch

    from lifecycle.runtime.engine.decoders import build_decoder
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.strategy import Strategy
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_prompts, find_frame
    from tests.support.tiny_decoders import QUESTIONS

    def make(kind):
        torch.manual_seed(0)
        model = build_decoder(base, Strategy(kind, virtual_tokens=8, width=16)).eval()
        with torch.no_grad():
            for each in model.parameters():
                if each.requires_grad:
                    each.add_(torch.randn_like(each) * 0.5)
        tokenizer = load_tokenizer(base)
        return (
            model,
            tokenizer,
            encode_prompts(tokenizer, find_frame(tokenizer), [question for question, _ in QUESTIONS], 64),
        )

    return make


def naive(model, tokenizer, prompt, count):
    """The likeliest token each time, by a whole pass without a cache, one row alone."""
    import torch

    ids, generated = list(prompt), []
    with torch.no_grad():
        for _ in range(count):
            token = int(
                model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))["logits"][
                    0, -1
                ].argmax()
            )
            if token == tokenizer.eos_token_id:
                break
            generated.append(token)
            ids.append(token)
    return tokenizer.decode(generated, skip_special_tokens=True).strip()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_in_padded_batches_are_those_of_each_row_alone_without_a_cache(kind, made):
    from lifecycle.runtime.engine.task_types.generation.answering import answer

    model, tokenizer, prompts = made(kind)

    answers = answer(model.encoder, tokenizer, prompts, end=3, pad_id=1, max_new_tokens=6, at_once=4)

    assert [each.text for each in answers] == [naive(model, tokenizer, prompt, 6) for prompt in prompts]
    assert len({each.text for each in answers}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_losses_count_answers_alone_and_do_not_depend_on_the_batch(kind, made):
    import numpy as np
    import torch

    from lifecycle.runtime.engine.data import NOT_COUNTED
    from lifecycle.runtime.engine.task_types.generation.answering import measure_losses
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_examples, find_frame
    from tests.support.tiny_decoders import QUESTIONS

    model, tokenizer, _ = made(kind)
    examples = encode_examples(tokenizer, find_frame(tokenizer), *zip(*QUESTIONS, strict=True), 64)

    together, alone = measure_losses(model, examples, 1, 8), measure_losses(model, examples, 1, 1)

    assert together.tokens.tolist() == [
        sum(label != NOT_COUNTED for label in each.labels) for each in examples
    ]
    assert np.allclose(together.nats, alone.nats, rtol=1e-4)
    with torch.no_grad():
        logits = model(
            torch.tensor([examples[0].ids]), torch.ones(1, len(examples[0].ids), dtype=torch.long)
        )["logits"]
    wanted = torch.nn.functional.cross_entropy(
        logits[0, -len(examples[0].ids) : -1], torch.tensor(examples[0].labels[1:]), reduction="sum"
    )
    assert together.nats[0] == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("kind", ["full", "lora", "prefix"])
def test_an_answer_ends_at_any_end_of_the_base_itself(kind, made):
    from peft import PeftModel

    from lifecycle.runtime.engine.task_types.generation.answering import answer

    model, tokenizer, prompts = made(kind)
    base = model.encoder.get_base_model() if isinstance(model.encoder, PeftModel) else model.encoder
    options = {"end": 3, "pad_id": 1, "max_new_tokens": 6, "at_once": 4}
    base.generation_config.eos_token_id = None
    whole = [each.text for each in answer(model.encoder, tokenizer, prompts, **options)]
    one, two = sorted({word for each in whole for word in each.split()})[:2]

    for eos, stops in (
        (tokenizer.convert_tokens_to_ids(one), {one}),
        (tokenizer.convert_tokens_to_ids([one, two]), {one, two}),
    ):
        base.generation_config.eos_token_id = eos
        answers = [each.text for each in answer(model.encoder, tokenizer, prompts, **options)]
        wanted = [
            " ".join(itertools.takewhile(lambda word, stops=stops: word not in stops, each.split()))
            for each in whole
        ]
        assert answers == wanted != whole


def test_an_answer_without_an_end_within_its_longest_length_is_reported_as_cut(made):
    from lifecycle.runtime.engine.task_types.generation.answering import answer

    model, tokenizer, prompts = made("full")
    options = {"pad_id": 1, "at_once": 4}
    whole = answer(model.encoder, tokenizer, prompts[:1], end=3, max_new_tokens=6, **options)[0].text.split()
    stop = tokenizer.convert_tokens_to_ids(whole[-1])

    (ended,) = answer(model.encoder, tokenizer, prompts[:1], end=stop, max_new_tokens=6, **options)
    (cut,) = answer(
        model.encoder, tokenizer, prompts[:1], end=stop, max_new_tokens=whole.index(whole[-1]), **options
    )

    assert (ended.text, cut.text) == (cut.text, ended.text)
    assert (ended.cut, cut.cut) == (False, True)


def test_a_cancel_leaves_what_is_left_empty(made):
    from lifecycle.runtime.engine.task_types.generation.answering import answer

    model, tokenizer, prompts = made("full")
    asked = iter([False, True])

    options = {"end": 3, "pad_id": 1, "max_new_tokens": 2, "at_once": 4, "cancelled": lambda: next(asked)}
    answers = [each.text for each in answer(model.encoder, tokenizer, prompts, **options)]

    assert sum(bool(each) for each in answers) <= 4
    assert answers.count("") >= 4


def test_a_cancel_ends_the_measuring_of_losses(made):
    from lifecycle.runtime.engine.task_types.generation.answering import measure_losses
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_examples, find_frame
    from tests.support.tiny_decoders import QUESTIONS

    model, tokenizer, _ = made("full")
    examples = encode_examples(tokenizer, find_frame(tokenizer), *zip(*QUESTIONS, strict=True), 64)
    asked = iter([False, True])

    found = measure_losses(model, examples, 1, 4, lambda: next(asked))

    assert (found.tokens > 0).sum() == 4
    assert len(examples) > 4
