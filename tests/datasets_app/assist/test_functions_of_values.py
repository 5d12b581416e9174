"""Labeling functions where a text may have several labels: each suggests its own, and spans where spans are
labeled.
"""

import pytest

from datasets_app.assist.actions.suggesting import keep, retire_function
from datasets_app.assist.matching import TEXT_READ, matcher
from datasets_app.assist.models import FunctionPass
from datasets_app.assist.queries import suggesting
from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Annotation, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.disagreements import disagreements
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.queries import review
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.runtime.task_types.values import rename, words
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.functions import NAMES, TEXTS, apply, multi_label_dataset, spans_dataset, write
from tests.support.labeling import annotate, make_dataset, make_queue, make_schema, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def several(project, mia):
    return multi_label_dataset(project, mia)


@pytest.fixture
def marked(project, mia):
    return spans_dataset(project, mia)


@pytest.fixture
def of_several(several, mia) -> Queue:
    return make_queue(several, mia, hidden_share=0)


@pytest.fixture
def of_marked(marked, mia) -> Queue:
    return make_queue(marked, mia, hidden_share=0)


def held(queue, user) -> list[dict]:
    """What the bench shows of each item, the names of classes in the place of their ids."""
    queue = get_queue(user, queue.uuid)
    names = {str(label.uuid): label.name for label in queue.schema.labels.all()}
    items = bench_items(queue, claim(queue_id=queue.uuid, actor=user), user)
    for item in items:
        item["ranks"] = [(names[key], score) for key, score in item["ranks"]]
        for mark in (item["prelabeled"] or {}).get("spans", []):
            mark["label"] = names[mark["label"]]
    return items


def texts(item: dict) -> list[tuple[str, str]]:
    return [
        (item["text"][mark["start"] : mark["end"]], mark["label"]) for mark in item["prelabeled"]["spans"]
    ]


# ── Any number of classes ───────────────────────────────────────────────────
def test_all_classes_whose_rules_hit_a_text_are_suggested_together(of_several, several, mia, ana):
    queue = of_several
    write(several, mia, "card", "card", name="Cards")
    write(several, mia, "lost", "lost", name="Lost")

    apply(several, mia)

    first, second, third, _ = held(queue, ana)
    assert (sorted(first["ranks"]), first["source"]) == (
        [("card", None), ("lost", None)],
        "Functions: Cards, Lost",
    )
    assert (second["ranks"], second["source"]) == ([("lost", None)], "Function: Lost")
    assert (third["ranks"], third["prelabel"], first["previous"]) == ([], None, None)


def test_a_label_of_two_functions_is_listed_once_with_the_better_score(of_several, several, mia, ana):
    write(several, mia, "card", "card", name="Cards")
    apply(several, mia)
    digest = write(several, mia, "my", "card", name="Mine").digest
    rows = [(several.items.get(text=TEXTS[0]).pk, "card", 0.9)]
    suggest(dataset=several, rows=rows, source="function", source_digest=digest, source_name="Function: Mine")

    assert held(of_several, ana)[0]["ranks"] == [("card", 0.9)]


def test_a_retired_rule_leaves_the_classes_of_the_others(of_several, several, mia, ana):
    queue = of_several
    cards = write(several, mia, "card", "card")
    write(several, mia, "lost", "lost")
    apply(several, mia)

    retire_function(function_id=cards.uuid, actor=mia)

    assert [[name for name, _ in item["ranks"]] for item in held(queue, ana)] == [["lost"], ["lost"], [], []]
    assert Suggestion.objects.count() == 3


def test_nothing_is_shown_on_the_share_that_hides_suggestions(several, marked, mia, ana):
    for dataset, label in ((several, "lost"), (marked, "TOPIC")):
        queue = make_queue(dataset, mia, hidden_share=100)
        write(dataset, mia, "lost", label)
        apply(dataset, mia)

        shown = held(queue, ana)

        assert [(item["ranks"], item["prelabeled"], item["prelabel"]) for item in shown] == [
            ([], None, None)
        ] * 4


def labels(dataset):
    return {name: label.stable_id for name, label in labels_by_name(latest_schema(dataset)).items()}


@pytest.mark.postgres
def test_the_reviewer_sees_what_all_rules_suggest_as_one_answer(several, mia, ana, ravi):
    queue = make_queue(several, mia, hidden_share=0, overlap=2)
    write(several, mia, "card", "card", name="Cards")
    write(several, mia, "lost", "lost", name="Lost")
    apply(several, mia)
    item = queue_items(queue)[0]
    for user, given in ((ana, ["card"]), (mia, ["card", "lost"])):
        annotate(queue, user, item, {"labels": given})

    case = review.case(queue, item, ravi)

    assert (case.suggested, case.suggestion_same, case.source) == (
        "card, lost",
        True,
        "Functions: Cards, Lost",
    )
    assert case.reason == "Functions: Cards, Lost agrees with this annotation."


def test_all_rules_have_one_vote_where_answers_and_suggestions_are_compared(several, marked, mia, ana):
    for dataset, names in ((several, ("card", "lost")), (marked, ("ORG", "TOPIC"))):
        for pattern, name in zip(("card", "lost"), names, strict=True):
            write(dataset, mia, pattern, name)
        apply(dataset, mia)
        item = dataset.items.get(text=TEXTS[0])
        assert disagreements(dataset.task, [item.pk]) == {item.pk: 0.0}
        spans = [{"start": 3, "end": 7, "label": "ORG"}, {"start": 11, "end": 15, "label": "TOPIC"}]

        annotate(
            make_queue(dataset, mia),
            ana,
            item,
            {"labels": list(names)} if dataset == several else {"spans": spans},
        )

        assert disagreements(dataset.task, [item.pk]) == {item.pk: 0.0}


# ── Marked parts ────────────────────────────────────────────────────────────
def test_a_rule_marks_every_match_in_code_points(of_marked, marked, mia, ana):
    queue = of_marked
    function = write(marked, mia, r"(?i)\bfire\pL+\s*", "TOPIC", kind="regex", name="Fire")

    apply(marked, mia)

    row = Suggestion.objects.get()
    assert (row.label, row.source_digest, row.score, row.source_name) == (
        None,
        function.digest,
        None,
        "Function: Fire",
    )
    names = {str(key): name for name, key in labels(marked).items()}
    assert rename(row.value, names) == {
        "spans": [{"start": 5, "end": 12, "label": "TOPIC"}, {"start": 19, "end": 29, "label": "TOPIC"}]
    }
    assert words(row.value, names, TEXTS[2]) == "“firemen” TOPIC, “firetrucks” TOPIC"
    shown = held(queue, ana)[2]
    assert (texts(shown), shown["source"], shown["previous"]) == (
        [("firemen", "TOPIC"), ("firetrucks", "TOPIC")],
        "Function: Fire",
        None,
    )
    assert (
        suggesting.reach([function])[function.pk].items,
        suggesting.reach([function])[function.pk].hits,
    ) == (4, 1)
    assert not Annotation.objects.exists()


def test_words_are_marked_one_by_one_and_only_as_whole_words(of_marked, marked, mia, ana):
    queue = of_marked
    write(marked, mia, "LOST\nbill\nfire\na lost", "TOPIC")

    apply(marked, mia)

    first, second, third, _ = held(queue, ana)
    assert texts(first) == [("lost", "TOPIC")]
    assert texts(second) == [("a lost", "TOPIC"), ("bill", "TOPIC")]
    assert third["prelabeled"] is None


def test_a_rule_that_needs_all_of_its_words_marks_nothing_where_one_lacks(of_marked, marked, mia, ana):
    queue = of_marked
    write(marked, mia, "lost\nbill", "TOPIC", mode="all")

    apply(marked, mia)

    first, second, *_ = held(queue, ana)
    assert (first["prelabeled"], texts(second)) == (None, [("lost", "TOPIC"), ("bill", "TOPIC")])


def test_spans_of_several_functions_overlap_and_equal_ones_are_merged(of_marked, marked, mia, ana):
    queue = of_marked
    write(marked, mia, "my card", "ORG", name="Long")
    write(marked, mia, "card", "ORG", name="Short")
    write(marked, mia, "card\nbill", "TOPIC", name="Topic")
    write(marked, mia, r"\bcard\b", "TOPIC", name="Again", kind="regex")

    apply(marked, mia)

    first = held(queue, ana)[0]
    assert sorted(texts(first)) == [("card", "ORG"), ("card", "TOPIC"), ("my card", "ORG")]
    assert first["source"] == "Functions: Long, Short, Topic, Again"


def test_white_space_and_what_the_cut_may_have_halved_are_left_out():
    assert matcher("regex", r"\s*lost\s*", "any").marks("my  lost  card") == [(4, 8)]
    assert matcher("regex", r"\s+", "any").marks("my  lost  card") == []
    text = "x" * (TEXT_READ - 5) + " card" + "holder"
    assert (matcher("words", "card", "any").marks(text), matcher("words", "card", "any").hits(text)) == (
        [],
        True,
    )
    assert matcher("words", "ß", "any").marks("a ß b ss") == [(2, 3), (6, 8)]
    assert matcher("regex", "a", "any").marks("a " * 1_200)[-1] == (1998, 1999)


def test_a_text_in_which_nothing_can_be_marked_is_not_hit(marked, mia):
    function = write(marked, mia, r"\s+", "TOPIC", kind="regex")

    apply(marked, mia)

    assert (Suggestion.objects.count(), suggesting.reach([function])[function.pk].hits) == (0, 0)


def test_applying_twice_adds_nothing_and_a_changed_rule_marks_anew(of_marked, marked, mia, ana):
    queue = of_marked
    function = write(marked, mia, "card", "TOPIC", name="Topic")
    apply(marked, mia)
    FunctionPass.objects.all().delete()
    apply(marked, mia)
    assert Suggestion.objects.count() == 1

    write(marked, mia, "lost", "TOPIC", name="Topic", changes=function.uuid)
    assert held(queue, ana)[0]["prelabeled"] is None
    apply(marked, mia)

    assert texts(held(queue, ana)[0]) == [("lost", "TOPIC")]
    assert (Suggestion.objects.count(), Event.objects.filter(verb=Verb.FUNCTIONS_APPLIED).count()) == (3, 3)


@pytest.mark.postgres
def test_a_batch_ends_where_much_is_marked_and_loses_nothing(project, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.assist.actions.suggesting.MARKS", 5)
    dataset = make_dataset(project, mia, [f"a a a {n}" for n in range(7)], task="spans")
    make_schema(dataset, mia, NAMES)
    function = write(dataset, mia, "a", "TOPIC")
    batches = []

    def kept(dataset, function, each, keys, *rest):
        batches.append(len(keys))
        return keep(dataset, function, each, keys, *rest)

    monkeypatch.setattr("datasets_app.assist.actions.suggesting.keep", kept)
    apply(dataset, mia)

    assert batches == [2, 2, 2, 1, 0]
    reached = suggesting.reach([function])[function.pk]
    assert (Suggestion.objects.count(), reached.items, reached.hits, reached.at is not None) == (
        7,
        7,
        7,
        True,
    )
