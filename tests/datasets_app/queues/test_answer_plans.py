"""SQLite finds the rows of an annotation by item or leased slots, never by scanning a queue or all of a
person's annotations.

SQLite keeps no statistics here, so that its plans do not depend on how much is in the tables.
"""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.masks import mask
from tests.support.labeling import make_dataset, make_queue

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL plans by its statistics."),
]
BIG = re.compile(
    r"\b(datasets_item|labeling_(slot|annotation|comment|decision|suggestion)|ledger_event)( USING |$)"
)
WHOLE = re.compile(
    r"^SCAN|\((queue_id=\?|user_id=\?|queue_id=\? AND user_id=\?|dataset_id=\?|label_id=\?)\)$"
)
THEIR_HAND = "slot_in_hand"  # holds what is leased alone


def plans(statements: list[str]) -> list[str]:
    """What SQLite does for them, line by line."""
    found = []
    with connection.cursor() as cursor:
        for statement in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}".replace("%", "%%"), None)
                found += [row[3] for row in cursor.fetchall()]
    return found


def test_no_statement_of_an_answer_walks_through_the_queue(project, mia, ana, ben, client_for):
    dataset = make_dataset(project, mia, [f"text {n}" for n in range(12)])
    queue = make_queue(dataset, mia, overlap=2)
    label = str(queue.schema.labels.first().uuid)
    statements: list[str] = []
    for person in (ana, ben):  # the second answer decides the item
        browser = client_for(person)
        browser.get(reverse("queues:bench", args=[queue.uuid]))
        hand = claim(queue_id=queue.uuid, actor=person)
        form = {
            "slot": mask(hand[0].pk, "slot"),
            "label": label,
            "client_key": uuid4(),
            "have": mask(hand[1].pk, "slot"),
        }
        with CaptureQueriesContext(connection) as captured:
            answer = browser.post(
                reverse("queues:submit", args=[queue.uuid]), form, headers={"Accept": "application/json"}
            )
        assert answer.status_code == 200
        statements += [each["sql"] for each in captured]

    walks = [
        line
        for line in plans(statements)
        if BIG.search(line) and THEIR_HAND not in line and WHOLE.search(line)
    ]

    assert dataset.queues.get().items_labeled == 1
    assert "\n".join(walks) == ""
