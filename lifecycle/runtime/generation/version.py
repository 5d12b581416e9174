"""A version that writes text: its files, its prompts, and the answers it begins."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as tensors_of
from transformers.utils import logging as transformers_logging

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.base import open_base
from lifecycle.runtime.engine.decoders import adapted, load_decoder, open_decoder
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.generation import dialogues, prompts, rounding
from lifecycle.runtime.engine.task_types.generation.answering import ends_of
from lifecycle.runtime.engine.task_types.generation.dialogues import Misfit, Turn
from lifecycle.runtime.generation import lora
from lifecycle.runtime.generation.answers import Answer
from lifecycle.runtime.generation.batcher import Batcher
from lifecycle.runtime.generation.network import Network
from lifecycle.runtime.generation.residents import Residents
from lifecycle.runtime.generation.rules import Adapter, Prefix, Prompt, Sampling
from lifecycle.runtime.refusals import Refused

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
VIRTUAL = ("prompt", "p_tuning", "prefix")  # strategies that learn tokens before the prompt
LONGEST = 128  # tokens of an answer unless the version or the client says so


@dataclass
class Model:
    """A model in memory. users: how many versions answer with it."""

    network: Network
    batcher: Batcher
    residents: Residents
    ends: tuple[int, ...]
    users: int = 0


class Models:
    """The models of this process: versions with the same base, in the same type of numbers, share one."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._lock = threading.RLock()  # held for moments: versions are given back in any thread
        self._loading = threading.Lock()

    def take(self, key: str, load: Callable[[], Any]) -> Model:
        """The model with this key, loaded unless it is there. To be given back."""
        with self._loading:
            with self._lock:
                if found := self._models.get(key):
                    found.users += 1
                    return found
            model = load()
            network = Network(model)
            residents = Residents(network)
            made = Model(network, Batcher(network, residents), residents, ends_of(model), users=1)
            with self._lock:
                self._models[key] = made
            return made

    def give_back(self, key: str, version: str) -> None:
        """End the use by a version; the last one frees the model."""
        with self._lock:
            model = self._models[key]
            model.users -= 1
            if model.users:
                model.batcher.post(lambda: model.residents.forget(version))
            else:
                del self._models[key]
                model.batcher.stop()


MODELS = Models()


class Version:
    """A loaded version, which may be asked from any event loop. limit: tokens of a prompt with its answer;
    longest: tokens of an answer unless the client says so.
    """

    def __init__(self, folder: Path, card: ArtifactInfo, model: Model, key: str, before: int = 0) -> None:
        self.tokenizer = load_tokenizer(folder)
        self.frame = prompts.find_frame(self.tokenizer)
        self._template = dialogues.Template(self.tokenizer, self.frame)
        self._lock = threading.Lock()  # neither the tokenizer nor the template's memory is safe to share
        self._batcher, self._key = model.batcher, key
        self._ends = frozenset({self.frame.end, *model.ends})
        self.precision = "bf16" if model.network.dtype is torch.bfloat16 else "fp32"
        self.limit = model.batcher.limit - before
        self.longest = min(card.max_new_tokens or LONGEST, self.limit // 2)
        self._kept = max(len(self.frame) + 1, min(card.max_tokens, self.limit - self.longest))

    @property
    def active(self) -> int:
        """Answers of its model in progress or waiting."""
        return self._batcher.active

    def prompt(self, text: str) -> tuple[Prompt, bool]:
        """A text in the frame that it was trained in, and whether it was cut, as in an evaluation."""
        with self._lock:
            room = max(0, self._kept - len(self.frame))
            ids = prompts.encode_text(self.tokenizer, text)
            kept = prompts.encode_prompts(self.tokenizer, self.frame, [text], self._kept)[0]
        return self._prompt(kept), len(ids) > room

    def chat(self, turns: Sequence[tuple[str, str]]) -> Prompt:
        """Turns, each a role and a text, with the answer opened; nothing is cut. Raises ValueError where the
        model's template can't format them.
        """
        with self._lock:
            try:
                found = dialogues.ask(self._template, [Turn(*each) for each in turns], 10**9)
            except Misfit as error:
                raise ValueError(str(error)) from error
        return self._prompt(found)

    def continuation(self, text: str) -> Prompt:
        """A text to be continued, without a frame."""
        with self._lock:
            first = self.tokenizer("a")["input_ids"][:1]
            begins = first if first == [self.tokenizer.bos_token_id] else []
            return self._prompt([*begins, *prompts.encode_text(self.tokenizer, text)])

    def answer(self, prompt: Prompt, sampling: Sampling, stops: Sequence[str] = ()) -> Answer:
        """Begin an answer, on the running event loop. Raises Full."""
        return Answer(self._batcher, prompt, sampling, self.decode, stops)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        with self._lock:
            return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def spelled(self, token: int) -> str:
        """A token as text, special ones too."""
        with self._lock:
            return str(self.tokenizer.decode([token]))

    def _prompt(self, ids: Sequence[int]) -> Prompt:
        return Prompt(tuple(ids), self._ends, self._key)


def load(folder: Path, listed: bundle.Manifest, card: ArtifactInfo, bases: Path) -> Version:
    """A version of a verified folder. bases: where base models are, by digest. Raises Refused with the
    reason.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        return _load(folder, listed, card, bases / card.base_digest)
    except EngineFault as fault:
        raise Refused(fault.message, next_step=fault.next_step) from fault


def _load(folder: Path, listed: bundle.Manifest, card: ArtifactInfo, base: Path) -> Version:
    key = bundle.root_digest(listed)
    dtype = rounding.dtype_of(card)
    if card.strategy == "full":
        return _of_model(folder, card, key, lambda: load_decoder(folder, dtype))
    open_base(base, card.base_name, card.base_digest)
    if not is_beside(folder, listed, card):
        return _of_model(folder, card, key, lambda: open_decoder(folder, base, card, dtype))
    shared = f"{card.base_digest} {dtype}"
    model = MODELS.take(shared, lambda: load_decoder(base, dtype))
    try:
        before = 0
        if card.strategy in VIRTUAL:
            before = model.batcher.call(lambda: keep(model, key, folder))
        else:
            model.batcher.call(lambda: model.residents.add(key, lambda: adapter_of(folder, listed)))
        made = Version(folder, card, model, key, before)
    except BaseException:
        MODELS.give_back(shared, key)
        raise
    return given_back(made, shared, key)


def _of_model(folder: Path, card: ArtifactInfo, key: str, read: Callable[[], Any]) -> Version:
    """A version with a model of its own."""
    model = MODELS.take(key, read)
    try:
        made = Version(folder, card, model, "")
    except BaseException:
        MODELS.give_back(key, key)
        raise
    return given_back(made, key, key)


def given_back(version: Version, model: str, key: str) -> Version:
    """The version, whose model is given back when nothing uses it any more."""
    weakref.finalize(version, MODELS.give_back, model, key).atexit = False
    return version


def is_beside(folder: Path, listed: bundle.Manifest, card: ArtifactInfo) -> bool:
    """Whether a version's weights can stay apart from its base's, so that others can use that too."""
    if card.strategy in VIRTUAL:
        return True
    if card.strategy != "lora":
        return False
    return lora.is_added(json.loads(bundle.read_verified(folder, listed, CONFIG)))


def adapter_of(folder: Path, listed: bundle.Manifest) -> Adapter:
    """The adapter of a verified folder; its bytes are those that were signed."""
    config = json.loads(bundle.read_verified(folder, listed, CONFIG))
    return lora.read(tensors_of(bundle.read_verified(folder, listed, WEIGHTS)), config)


def keep(model: Model, key: str, folder: Path) -> int:
    """Keep a version's virtual tokens, and return their number. In the batcher's thread."""
    prefix = prefix_of(model.network, folder)
    model.residents.keep(key, prefix)
    return len(prefix)


def prefix_of(network: Network, folder: Path) -> Prefix:
    """What attention keeps of a version's virtual tokens. In the batcher's thread."""
    peft = adapted(network.model, folder).eval()
    found = peft.get_prompt(batch_size=1)
    if isinstance(found, torch.Tensor):
        return network.prefix_of(found)
    return Prefix(tuple((each.keys[0].clone(), each.values[0].clone()) for each in found.layers))
