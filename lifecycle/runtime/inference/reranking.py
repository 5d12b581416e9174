"""POST /v1/rerank, as clients of Cohere, Jina, and vLLM send it, as an infer request of a ranking."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.inference.inputs import read_rows
from lifecycle.runtime.inference.protocol import (
    MAX_TEXTS,
    InferRequest,
    Prediction,
    ProtocolError,
    json_object,
)
from lifecycle.runtime.task_types.served import Output, Served

TENSORS = ("TEXT", "CANDIDATES")


@dataclass(frozen=True, slots=True)
class Rerank:
    """model: the endpoint's name; empty: the only one of the token. top: how many results at most."""

    model: str
    query: str
    documents: tuple[str, ...]
    top: int
    returns_documents: bool

    @classmethod
    def parse(cls, body: bytes) -> Rerank:
        """The request of a body. Raises ProtocolError (400)."""
        given = json_object(body, '"query" and "documents"')
        model, query, documents = given.get("model") or "", given.get("query"), given.get("documents")
        if not isinstance(model, str) or not isinstance(query, str):
            raise ProtocolError(400, "query must be a string, and model, if given, the endpoint's name.")
        if not isinstance(documents, list) or not 1 <= len(documents) <= MAX_TEXTS:
            raise ProtocolError(400, f"documents must be a list of 1 to {MAX_TEXTS} texts.")
        texts: list[Any] = [each.get("text") if isinstance(each, dict) else each for each in documents]
        if not all(isinstance(each, str) for each in texts):
            raise ProtocolError(400, 'Each document must be a string, or an object with a string in "text".')
        top = given.get("top_n")
        if top is not None and (type(top) is not int or top < 1):
            raise ProtocolError(400, "top_n must be a whole number of at least 1.")
        return cls(model, query, tuple(texts), top or len(texts), given.get("return_documents") is True)

    @property
    def request(self) -> InferRequest:
        """The same of the Open Inference Protocol."""
        inputs = [
            {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": list(values)}
            for name, values in zip(TENSORS, ((self.query,), self.documents), strict=True)
        ]
        return InferRequest(inputs, b"", (), False, None, {})

    def rows(self, request: InferRequest, served: Served) -> tuple[Any, ...]:
        """The query with its documents. Raises ProtocolError (400) where the model ranks none."""
        if not {each.name for each in served.inputs} >= {*TENSORS}:
            raise ProtocolError(400, "This model doesn't rank documents. Use its /v2 address.")
        return read_rows(request, served)

    def encode(
        self, head: dict[str, Any], wanted: Sequence[tuple[Output, bool]], prediction: Prediction
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the response: the best documents, best first."""
        (found,) = prediction.answers
        results = [
            {"index": at, "relevance_score": float(f"{found['strengths'][at]:.7g}")}
            | ({"document": {"text": self.documents[at]}} if self.returns_documents else {})
            for at in found["order"][: self.top]
        ]
        body = {"id": head["parameters"]["prediction_id"], "model": head["model_name"], "results": results}
        return json.dumps(body, separators=(",", ":")).encode(), {"content-type": "application/json"}
