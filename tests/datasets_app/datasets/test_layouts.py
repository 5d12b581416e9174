"""The layouts of fine-tuning data are recognized, become items of the fitting task, and are reported if they
fit another.
"""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_app.datasets.importing.mapping import Mapper, propose
from datasets_app.datasets.importing.readers import Row
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in
from lifecycle.runtime.task_types.contents import responses
from lifecycle.runtime.task_types.values import rename
from tests.support.datasets import import_file, make_dataset, receive

USER, REPLY, OTHER = (
    {"role": "user", "content": "Hi?"},
    {"role": "assistant", "content": "Hello."},
    {"role": "assistant", "content": "No."},
)


def mapped(task: str, row: dict) -> tuple[dict[str, str], object]:
    """The proposed roles, without metadata, and the draft of one row."""
    values = {column: cell if isinstance(cell, str) else json.dumps(cell) for column, cell in row.items()}
    roles = propose(list(values), [Row(1, values)], task)
    return {column: role for column, role in roles.items() if role != "metadata"}, Mapper(
        roles, task=task
    ).draft(Row(1, values))


def test_openai_pairs():
    roles, draft = mapped(
        "preference",
        {
            "input.messages": [USER],
            "preferred_output": [REPLY],
            "non_preferred_output": [OTHER],
            "input.tools": [],
        },
    )

    assert roles == {
        "input.messages": "prompt",
        "preferred_output": "first",
        "non_preferred_output": "second",
    }
    assert draft.content == {"prompt": [USER], "responses": [[REPLY], [OTHER]]}
    assert (draft.value, draft.metadata) == ({"choice": "first"}, {"input.tools": "[]"})


@pytest.mark.parametrize("prompt", [{}, {"prompt": "Hi?"}, {"prompt": [USER]}])
def test_complete_dialogues_are_split_where_they_diverge(prompt):
    roles, draft = mapped("preference", {**prompt, "chosen": [USER, REPLY], "rejected": [USER, OTHER]})

    assert {"chosen": "first", "rejected": "second"}.items() <= roles.items()
    assert draft.content == {"prompt": [USER], "responses": [[REPLY], [OTHER]]}


def test_a_dialogue_and_its_prefix_arent_a_pair():
    _, draft = mapped("preference", {"chosen": [USER], "rejected": [USER, OTHER]})

    assert draft.sentence == "Line 1: One of the two dialogues is a prefix of the other."


def test_a_prompt_outside_the_dialogues_is_kept():
    assert responses.pair("Sum up.", json.dumps([USER, REPLY]), json.dumps([USER, OTHER])) == {
        "prompt": "Sum up.",
        "responses": [[USER, REPLY], [USER, OTHER]],
    }


def test_alpaca():
    roles, draft = mapped("generation", {"instruction": "Add.", "input": "1, 2", "output": "3"})

    assert roles == {"instruction": "text", "input": "context", "output": "label"}
    assert (draft.text, draft.content, draft.value) == (
        "Add.\n\n1, 2",
        {"text": "Add.", "context": "1, 2"},
        {"text": "3"},
    )
    assert mapped("generation", {"instruction": "Add.", "input": "", "output": "3"})[1].content is None


def test_a_context_without_a_text_is_rejected():
    _, problem = mapped("generation", {"instruction": " ", "input": "1, 2", "output": "3"})

    assert (problem.code, problem.sentence) == ("empty_text", "Line 1 has no text.")


@pytest.mark.parametrize("text", ["document", "article", "text", "dialogue"])
@pytest.mark.parametrize("summary", ["highlights", "summary", "target"])
def test_summaries(text, summary):
    roles, draft = mapped("generation", {"id": "7", text: "long", summary: "short"})

    assert roles == {"id": "id", text: "text", summary: "label"}
    assert (draft.text, draft.value) == ("long", {"text": "short"})


@pytest.mark.parametrize(("prompt", "completion"), [("Hi?", "Hello."), ([USER], [REPLY]), ([USER], "Hello.")])
def test_prompts_and_completions_become_chats(prompt, completion):
    roles, draft = mapped("chat", {"prompt": prompt, "completion": completion})

    assert roles == {"prompt": "prompt", "completion": "completion"}
    assert draft.content == draft.value == {"messages": [USER, REPLY]}


def test_prompts_and_completions_become_generated_texts():
    assert mapped("generation", {"prompt": "Hi?", "completion": "null"})[1].value == {"text": "null"}


def test_unpaired_preferences_become_single_label_texts():
    roles, draft = mapped("single_label", {"prompt": "2+2?", "completion": "4", "label": "true"})

    assert roles == {"prompt": "text", "completion": "context", "label": "label"}
    assert (draft.text, draft.content, draft.value) == (
        "2+2?\n\n4",
        {"text": "2+2?", "context": "4"},
        {"label": "true"},
    )


def test_extra_keys_of_messages_are_kept():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {**USER, "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "c1"},
        {**REPLY, "weight": 0},
    ]

    _, draft = mapped("chat", {"messages": messages, "tools": [{"a": 1}]})

    assert draft.content == {"messages": messages}
    assert draft.metadata == {"tools": '[{"a": 1}]'}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([REPLY, USER], "starts with assistant"),
        ([USER, {"role": "assistant", "content": " "}], "has no content"),
        ([{"role": "user", "content": ""}, REPLY], "has no content"),
    ],
)
def test_dialogues_without_a_valid_response_are_rejected(messages, reason):
    assert reason in mapped("chat", {"messages": messages})[1].sentence


def test_several_labels_are_rejected_for_a_single_label_task():
    assert (
        mapped("single_label", {"text": "both", "label": '["a", "b"]'})[1].sentence
        == "Line 1: There are 2 labels, but this dataset has one label per text."
    )
    assert mapped("single_label", {"text": "one", "label": '["a"]'})[1].value == {"label": "a"}
    assert mapped("multi_label", {"text": "both", "label": '["a", "b"]'})[1].names == ("a", "b")


def test_tokens_with_tags_become_spans():
    roles, draft = mapped(
        "spans", {"tokens": ["Anna", "of", "New", "York"], "ner_tags": ["B-PER", "O", "B-LOC", "I-LOC"]}
    )

    assert roles == {"tokens": "text", "ner_tags": "label"}
    assert draft.text == "Anna of New York"
    assert draft.value["spans"] == [
        {"start": 0, "end": 4, "label": "PER"},
        {"start": 8, "end": 16, "label": "LOC"},
    ]
    assert (
        "There are 1 tags such as O or B-PER for 2 tokens"
        in mapped("spans", {"tokens": ["a", "b"], "ner_tags": ["O"]})[1].sentence
    )


def test_a_text_that_begins_like_a_list_of_tokens_is_text():
    text = '["sic"] Anna said'

    assert mapped("spans", {"text": text, "spans": '[[8, 12, "PER"]]'})[1].text == text


def jsonl(*rows: dict) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def decisions(dataset) -> list:
    names = names_in(latest_schema(dataset))
    return [rename(row.value, names) for row in current_decisions(dataset)]


@pytest.mark.django_db
def test_odd_dialogues_are_imported_and_reported(project, ana):
    dataset = make_dataset(project, ana, task="chat")
    content = jsonl({"messages": [USER, USER, REPLY]}, {"messages": [USER]}, {"messages": [USER, REPLY]})

    found = receive(dataset, ana, content, "a.jsonl").report["dry_run"]

    assert (found["layout"], found["ok"], found["failed"], found["labeled"]) == (
        "dialogues (messages)",
        3,
        0,
        2,
    )
    assert [(problem["line"], problem["sentence"], problem["blocks"]) for problem in found["problems"]] == [
        (1, "Line 1 has two consecutive user turns.", False),
        (2, "Line 2 ends with user, so annotators write the response.", False),
    ]


@pytest.mark.django_db
def test_responses_of_a_dialogue_become_decisions(project, ana):
    dataset = make_dataset(project, ana, task="chat")
    import_file(dataset, ana, jsonl({"messages": [USER, REPLY]}, {"messages": [USER]}), "a.jsonl")

    assert decisions(dataset) == [{"messages": [USER, REPLY]}]


@pytest.mark.django_db
def test_a_layout_of_another_task_is_reported(project, ana):
    dataset = make_dataset(project, ana, task="preference")
    content = jsonl({"prompt": "2+2?", "completion": "4", "label": True})

    found = receive(dataset, ana, content, "a.jsonl").report["dry_run"]

    assert found["blocked"]
    assert (
        found["problems"][0]["sentence"]
        == "This file looks like unpaired preferences, one response with true or false, for single-label"
        " datasets. This dataset's task is preference."
    )


@pytest.mark.django_db
def test_class_numbers_of_tags_become_names(project, ana):
    dataset = make_dataset(project, ana, task="spans")
    feature = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "Sequence"}
    table = pa.table({"tokens": [["Anna", "left"]], "ner_tags": [[1, 0]]})
    file = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}})}
        ),
        file,
    )

    import_file(dataset, ana, file.getvalue(), "train.parquet")

    assert decisions(dataset) == [{"spans": [{"start": 0, "end": 4, "label": "PER"}]}]


def test_keys_that_first_appear_late_become_metadata():
    mapper = Mapper({"text": "text", "old": "ignore"})

    assert mapper.draft(Row(2_000, {"text": "a", "old": "1", "new": "2"})).metadata == {"new": "2"}


@pytest.mark.parametrize(("second", "codes"), [("Hello.", ["equal"]), ("Hello", [])])
def test_a_pair_of_equal_responses_is_reported_and_imported(second, codes):
    mapper = Mapper({"prompt": "prompt", "chosen": "first", "rejected": "second"}, task="preference")
    draft = mapper.draft(Row(1, {"prompt": "Hi?", "chosen": "Hello.", "rejected": second}))

    assert [(each.code, each.notice) for each in mapper.remarks(draft)] == [(code, True) for code in codes]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Add.", "input": "1, 2", "output": "3"}, "Add.\n\n1, 2"),
        ({"instruction": "Add.", "input": "", "output": "3"}, "Add."),
        ({"instruction": "Add.", "output": "3"}, "Add."),
        ({"prompt": "Add.", "completion": "3"}, "Add."),
    ],
)
def test_instructions_and_prompts_become_chats_for_a_chat_task(row, prompt):
    _, draft = mapped("chat", row)

    assert draft.content == {
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": "3"}]
    }
