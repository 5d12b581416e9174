"""Programs that request a prediction, to be copied. Each reads the token from the environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Sample:
    """A program. title: what it is written with."""

    title: str
    code: str


def curl(url: str, body: Mapping[str, Any]) -> Sample:
    """A command of the shell that posts the body."""
    data = shlex.quote(json.dumps(body, ensure_ascii=False))
    return Sample(
        "curl",
        f"curl {shlex.quote(url)} \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d {data}",
    )


def tritonclient(server: str, name: str, values: Mapping[str, Sequence[str]]) -> Sample:
    """Python with the protocol's own client. values: texts by input."""
    at = urlsplit(server)
    secure = ", ssl=True" if at.scheme == "https" else ""
    tensors = "\n".join(
        f"        tensor({', '.join(map(literal, (each, *texts)))})," for each, texts in values.items()
    )
    return Sample(
        "Python: pip install tritonclient[http]",
        f"""import os

import numpy as np
import tritonclient.http as triton


def tensor(name, *texts):
    made = triton.InferInput(name, [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=object))
    return made


client = triton.InferenceServerClient({literal(at.netloc + at.path.rstrip("/"))}{secure})
found = client.infer(
    {literal(name)},
    [
{tensors}
    ],
    headers={{"authorization": f"Bearer {{os.environ['TOKEN']}}"}},
)
for output in found.get_response()["outputs"]:
    print(output["name"], found.as_numpy(output["name"]))""",
    )


def openai(server: str, name: str, message: str) -> Sample:
    """Python with OpenAI's client, the response printed as it is generated."""
    return Sample(
        "Python: pip install openai",
        f"""import os

from openai import OpenAI

client = OpenAI(base_url={literal(f"{server}/v1")}, api_key=os.environ["TOKEN"])
stream = client.chat.completions.create(
    model={literal(name)},
    messages=[{{"role": "user", "content": {literal(message)}}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()""",
    )


def literal(text: str) -> str:
    """A text in Python's source."""
    return json.dumps(text, ensure_ascii=False)
