"""Comments over REST: listed as far as they may be read, written, resolved."""

import pytest
from django.urls import reverse

from datasets_app.queues.models import Comment, Queue
from tests.support.labeling import make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)


@pytest.mark.postgres
def test_a_program_comments_answers_resolves_and_lists(queue, ana, ben, ravi, client_for):
    item = queue_items(queue)[0]
    where, ending = (
        reverse(f"api-labeling-{name}", args=[queue.uuid]) for name in ("comments", "resolve-comment")
    )

    def post(person, address, **data):
        return client_for(person).post(address, data, content_type="application/json")

    first = post(ana, where, item=item.uuid, text="@ben one?", start=0, end=3, quote="one")
    answer = post(ben, where, item=item.uuid, text="Yes.", reply_to=first.json()["uuid"])
    refused = post(ben, where, item=item.uuid, text="@otto?")

    assert (first.status_code, answer.status_code, refused.status_code) == (201, 201, 422)
    assert answer.json()["reply_to"] == first.json()["uuid"]
    (row,) = client_for(ravi).get(where, {"state": "open"}).json()["results"]
    assert (row["first"]["by"], row["first"]["text"], row["first"]["end"]) == ("An annotator", "@ben one?", 3)
    assert [(each["by"], each["text"]) for each in row["replies"]] == [("An annotator", "Yes.")]
    assert client_for(ana).get(where).json()["results"][0]["first"]["by"] == "ana"

    assert post(ravi, ending, comment=row["uuid"]).json()["resolved_at"] is not None
    assert client_for(ravi).get(where, {"state": "open"}).json()["results"] == []
    assert post(ben, ending, comment=row["uuid"], resolved=False).status_code == 403
    assert Comment.objects.get(uuid=row["uuid"]).resolved_by == ravi


def test_strangers_and_roles_that_do_not_label_read_and_write_nothing(queue, otto, aida, client_for):
    where = reverse("api-labeling-comments", args=[queue.uuid])

    assert [client_for(otto).get(where).status_code, client_for(aida).get(where).status_code] == [404, 403]
    sent = {"item": str(queue_items(queue)[0].uuid), "text": "Hello."}
    assert client_for(aida).post(where, sent, content_type="application/json").status_code == 403
    assert Comment.objects.count() == 0
