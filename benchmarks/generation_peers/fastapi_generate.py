"""FastAPI with `generate`, one answer at a time: uvicorn fastapi_generate:app. MODEL: the folder of the
merged weights.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
tokenizer = AutoTokenizer.from_pretrained(os.environ["MODEL"])
model = AutoModelForCausalLM.from_pretrained(os.environ["MODEL"], dtype=torch.float32).eval()
one = threading.Lock()  # generate isn't safe in several threads at once
app = FastAPI()


class Chat(BaseModel):
    """Of OpenAI's request, what this reads."""

    messages: list[dict[str, str]]
    max_tokens: int


@app.post("/v1/chat/completions")
def answer(chat: Chat) -> dict[str, Any]:
    """The likeliest tokens."""
    asked = tokenizer.apply_chat_template(
        chat.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with one, torch.inference_mode():
        found = model.generate(**asked, max_new_tokens=chat.max_tokens, do_sample=False)
    made = found[0, asked["input_ids"].shape[1] :]
    text = tokenizer.decode(made, skip_special_tokens=True)
    return {
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"completion_tokens": len(made)},
    }
