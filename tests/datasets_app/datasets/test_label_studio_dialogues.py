"""Dialogues in exports of Label Studio become chat items, or texts for classification or spans, depending on
the task.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.models import Item
from datasets_app.queues.models import Annotation, Decision
from datasets_app.queues.queries.decisions import values_of_items
from lifecycle.runtime.task_types.contents import dialogue
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.tools import annotation, as_json, choice, region, task

DIALOGUE = [
    {"author": "Anna", "text": "my card is lost"},
    {"author": "Ben", "text": "which card?"},
    {"author": "Anna", "text": "the blue one"},
]
TEXT = "Anna: my card is lost\nBen: which card?\nAnna: the blue one"
TURNS = [("user", "my card is lost"), ("assistant", "which card?"), ("user", "the blue one")]


def paragraphs(*regions, **data) -> bytes:
    return as_json([task(1, "", annotation(1, *regions), data=data or {"conversation_log": DIALOGUE})])


@pytest.mark.parametrize(
    ("raw", "roles"),
    [
        (DIALOGUE, ["user", "assistant", "user"]),
        (
            [{"speaker": "Agent", "utterance": "a"}, {"speaker": "Tom", "utterance": "b"}],
            ["assistant", "user"],
        ),
        ([{"author": "Customer", "text": "a"}, {"author": "Tom", "text": "b"}], ["user", "assistant"]),
        (
            [{"author": "A", "text": "a"}, {"author": "B", "text": "b"}, {"author": "C", "text": "c"}],
            [None, None, None],
        ),
        ([{"role": "user", "content": "a", "weight": 1}], ["user"]),
        ([{"from": "human", "value": "a"}], [None]),
    ],
)
def test_two_speakers_become_user_and_assistant(raw, roles):
    assert [each.get("role") for each in dialogue.with_roles(raw)] == roles


def test_only_a_list_of_turns_is_a_dialogue():
    assert dialogue.as_text(json.dumps(DIALOGUE)) == TEXT
    assert [
        dialogue.as_text(cell) for cell in ('[{"a": 1}]', "[{broken", "text", "[]", '[{"author": "A"}]')
    ] == [""] * 5
    assert [
        dialogue.place(DIALOGUE, 1, 0),
        dialogue.place(DIALOGUE, 1, 99),
        dialogue.place(DIALOGUE, 9, 0),
    ] == [
        TEXT.index("which"),
        None,
        None,
    ]


@pytest.mark.django_db
def test_paragraphs_with_authors_become_a_chat(project, mia):
    dataset = make_dataset(project, mia, task="chat")

    upload = import_file(dataset, mia, paragraphs(), "p.json")

    assert (upload.parser, upload.mapping["data.conversation_log"], upload.rows_failed) == (
        "labelstudio",
        "messages",
        0,
    )
    messages = Item.objects.get().content["messages"]
    assert [(each["role"], each["content"]) for each in messages] == TURNS
    assert [each["name"] for each in messages] == ["Anna", "Ben", "Anna"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data",
    [{"conversation_log": DIALOGUE}, {"log": [{"role": role, "content": text} for role, text in TURNS]}],
)
def test_a_classified_dialogue_becomes_a_text_with_its_label(project, mia, data):
    dataset = make_dataset(project, mia)

    import_file(dataset, mia, paragraphs(choice("card"), **data), "p.json")

    item = Item.objects.get()
    assert item.text == ("\n".join(f"{role}: {text}" for role, text in TURNS) if "log" in data else TEXT)
    assert values_of_items([item.pk]) == {item.pk: {"label": "card"}}


@pytest.mark.django_db
def test_spans_in_a_turn_keep_their_positions(project, mia):
    dataset = make_dataset(project, mia, task="spans")
    mark = {
        "start": "2",
        "end": "2",
        "startOffset": 4,
        "endOffset": 8,
        "text": "blue",
        "paragraphlabels": ["COLOUR"],
    }

    upload = import_file(dataset, mia, paragraphs(region("paragraphlabels", mark)), "p.json")

    (span,) = Annotation.objects.get().value["spans"]
    assert upload.rows_failed == 0
    assert (Item.objects.get().text[span["start"] : span["end"]], span["start"]) == (
        "blue",
        TEXT.index("blue"),
    )


@pytest.mark.django_db
def test_a_chat_started_by_the_annotator_is_the_item_and_its_annotation(project, mia):
    dataset = make_dataset(project, mia, task="chat")
    regions = [
        region("chatmessage", {"chatmessage": {"role": role, "content": words}}) for role, words in TURNS[:2]
    ]

    upload = import_file(dataset, mia, paragraphs(*regions, chat=[]), "p.json")

    value = {"messages": [{"role": role, "content": words} for role, words in TURNS[:2]]}
    assert (upload.mapping["data.chat"], upload.rows_failed) == ("messages", 0)
    assert Item.objects.get().content == value
    assert Decision.objects.get().value == value


@pytest.mark.django_db
def test_three_speakers_arent_a_chat_and_nothing_is_imported(project, mia):
    three = [{"author": each, "text": "hello"} for each in "ABC"]
    dataset = make_dataset(project, mia, task="chat")

    upload = receive(dataset, mia, paragraphs(conversation=three), "p.json")

    assert (upload.report["dry_run"]["failed"], upload.report["dry_run"]["blocked"]) == (1, True)
    assert not Item.objects.exists()
