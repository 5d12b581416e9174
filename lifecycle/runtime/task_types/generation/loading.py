"""Code sample for generating text."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading

WRITING = """import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

about = json.loads(Path("model", "lifecycle.json").read_text())
tokenizer = AutoTokenizer.from_pretrained("model")
{load}
messages = [{"role": "user", "content": "Where is my card?"}]
if tokenizer.chat_template:  # also accepts several turns
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
else:
    prompt = messages[0]["content"] + "\\n\\n### Answer\\n"
inputs = tokenizer(prompt, add_special_tokens=not tokenizer.chat_template, return_tensors="pt")
ids, mask = inputs["input_ids"], inputs["attention_mask"]
ends = model.generation_config.eos_token_id
ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
for _ in range(about["max_new_tokens"]):  # greedy decoding without a cache, for every fine-tuning strategy
    with torch.no_grad():
        token = model(input_ids=ids, attention_mask=mask).logits[:, -1:].argmax(-1)
    if token.item() in ends:
        break
    ids, mask = torch.cat((ids, token), 1), torch.cat((mask, torch.ones_like(token)), 1)
print(tokenizer.decode(ids[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))"""  # noqa: E501
WHOLE = 'model = AutoModelForCausalLM.from_pretrained("model").eval()'
ADDED = """from peft import PeftModel
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "model").eval()  # base: folder of the base model"""  # noqa: E501


class TextLoading(Loading):
    """Greedy decoding token by token, with the adapter on top of the base if the folder has no base."""

    needs_torch = True

    def code(self, strategy: str, *, decides: bool) -> str:
        """The most likely token at each step."""
        return WRITING.replace("{load}", WHOLE if strategy == "full" else ADDED)


ENTRY = TextLoading()
