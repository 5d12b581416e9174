"""Finding the words of an item that speak for the answer it got."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets_app.snapshots import queries as snapshots
from lifecycle.compute import warm
from lifecycle.engine.occlusion import spans
from lifecycle.engine.spec import Base, ExplainSpec
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.child import carried_out
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.queries import Said
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.task_types.contents.dialogue import ASSISTANT, turns_before
from lifecycle.training.folders import local_folder

GONE = "The text of this item is gone, so its words cannot be looked at."
NOTHING = "The model marked nothing in this text, so no word speaks for a span."
FOUND = "Choose a text with a found span."


def check(evaluation: Evaluation, item: str) -> None:
    """Raises Refused where the evaluation holds no answer to the item, the answer is empty, or the text is gone or holds no word."""
    if evaluation.task_type.writes_text:
        written_row(evaluation, item)
    elif evaluation.task_type.has_responses:
        ranked_row(evaluation, item)
    else:
        answer = queries.answer_to(evaluation, item)
        if answer is None:
            raise unanswered()
        if rules.is_marks(evaluation.report) and not answer.predicted:
            raise Refused(NOTHING, next_step=FOUND)
        refuse_wordless([text_of(evaluation, item)])


def unanswered() -> Refused:
    """The refusal of an item to which the evaluation holds no answer."""
    return Refused("This evaluation holds no answer to that item.", fields={"item": ["Choose an item that was answered here."]})


def text_of(evaluation: Evaluation, item: str) -> str:
    """The text of an item as the model gets it. Raises Refused where it is gone."""
    found = queries.items_by_digest(evaluation, [item]).get(item)
    if found is None or not found.text:
        raise Refused(GONE)
    return found.text[: queries.TEXT_READ]


def ranked_row(evaluation: Evaluation, item: str) -> dict[str, Any]:
    """The prompt and the responses of an item that were put in order. Raises Refused."""
    if queries.order_of(evaluation, item) is None:
        raise unanswered()
    row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
    if row is None:
        raise Refused(GONE)
    refuse_wordless([row["text"], *row["responses"]])
    return row


def written_row(evaluation: Evaluation, item: str) -> tuple[dict[str, Any], Said]:
    """An item's prompt with the answer that the model wrote in the place of the true one, and that answer. Raises Refused."""
    said = queries.said_to(evaluation, item)
    if said is None:
        raise unanswered()
    if not said.answer.strip():
        text = "The model wrote nothing to this prompt, so no word speaks for its answer."
        raise Refused(text, next_step="Choose a row with an answer.")
    row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
    if row is None:
        raise Refused(GONE)
    turns = turns_before(row)
    refuse_wordless([each["content"] for each in turns if each["role"] != ASSISTANT] if turns else [row["text"]])
    if turns:
        row["messages"][-1] = {"role": ASSISTANT, "content": said.answer}
    return row | {"answer": said.answer}, said


def refuse_wordless(texts: list[str]) -> None:
    """Raises Refused where there is nothing to leave out."""
    if not any(map(spans, texts)):
        raise Refused("This item holds no word that could be left out.", next_step="Choose another one.")


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """{"answer": label, "log_odds", "empty", "words": [{"start", "end", "effect"}], "found", "given"}: offsets alone, no text. Where a text
    may have several classes {"classes": [one of each]}, where parts are marked {"parts": [one of each]}, of responses in order
    {"responses": [one of each]}; of a written answer as the verb explain has it. Raises Refused where it now marks
    nothing."""
    if evaluation.task_type.writes_text:
        return of_written(ctx, evaluation, item)
    ctx.progress(0, stage="Leaving out each word in turn")
    artifact = local_folder("artifacts", evaluation.run.artifact)
    if evaluation.task_type.has_responses:
        row = ranked_row(evaluation, item)
        return Finding({"responses": warm.explain_responses(artifact, row["text"], row["responses"])})
    found = warm.explain(artifact, text_of(evaluation, item))
    if found.get("parts") == []:
        raise Refused(NOTHING, next_step=FOUND)
    return Finding(found)


def of_written(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """Computed in a process of its own, which may take minutes."""

    def prepare(folder: Path, base: Base) -> ExplainSpec:
        row, said = written_row(evaluation, item)
        snapshots.write_lines(folder / "data.jsonl", iter([row]))
        return ExplainSpec(artifact="artifact", base=base, ended=not said.cut)

    with carried_out(ctx, "explain", evaluation.run, prepare) as (_, found):
        return Finding(rules.report_of(found))
