"""Predictions one by one: lists by keyset, texts only for those who may read them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.task_type import TaskType
from monitoring.traffic import keyset
from monitoring.traffic.models import Feedback, Prediction, ShadowAnswer
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.rules import task_type
from registry.endpoints.models import Deployment
from registry.endpoints.queries.deployments import all_at
from registry.ground.access import policy
from registry.ground.access.models import User

PAGE, FEW = 30, 8


def visible(user: User) -> QuerySet[Prediction]:
    """Predictions that the user may see, with their newest feedback."""
    newest = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-id")
    rows = policy.visible_to(user, Prediction, "traffic.view").select_related(
        "endpoint__model__project", "version__model", "deployment"
    )
    return rows.annotate(
        feedback_right=Subquery(newest.values("right")[:1]),
        feedback_label=Subquery(newest.values("label")[:1]),
        feedback_value=Subquery(newest.values("value")[:1]),
    )


def recent(
    user: User, endpoint: Endpoint, before: tuple[datetime, int] | None = None, size: int = PAGE
) -> tuple[list[Prediction], tuple[datetime, int] | None]:
    """One page of an endpoint's predictions, newest first, and the key of the next. Texts are blanked for
    those who may not read them.
    """
    page, older = keyset.page(visible(user).filter(endpoint=endpoint), before, size)
    if not reads_texts(user, endpoint):
        for row in page:
            hide_texts(row)
    return page, older


def hide_texts(row: Prediction) -> None:
    """Blank the texts of a row of `visible`, those of its feedback too, for people who may not read them."""
    row.hide_text()
    if row.is_written:
        setattr(row, "feedback_value", None)  # noqa: B010  an annotation of the query, unknown to the model


def newest_at(endpoint: Endpoint) -> datetime | None:
    """When the endpoint was last asked; None where it never was, or what is kept of it is gone."""
    return (
        Prediction.objects.filter(endpoint=endpoint)
        .order_by("-at", "-id")
        .values_list("at", flat=True)
        .first()
    )


def reads_texts(user: User, endpoint: Endpoint) -> bool:
    """Whether the user's role reads the texts of this endpoint's requests."""
    return policy.can(user, "traffic.read_texts", endpoint)


def history(prediction: Prediction) -> list[Feedback]:
    """The feedback on a prediction, newest first."""
    return list(prediction.feedback.select_related("user").order_by("-id")[:PAGE])


def newest_feedback(prediction: Prediction) -> Feedback | None:
    """The word that counts."""
    return prediction.feedback.order_by("-id").first()


def task_of(version: ModelVersion | None) -> TaskType:
    """The task whose annotations a version predicts."""
    return task_type(version.facts if version else {})


def labels_of(version: ModelVersion) -> list[str]:
    """The labels that a version answers with, in its order."""
    return list(version.facts.get("snapshot", {}).get("labels", []))


def words_of(prediction: Prediction, value: Value | None, label: str | None) -> str:
    """A prediction, or what would be right, as a line of text. value: as an annotation; None: the label,
    empty where none is known.
    """
    return as_words(prediction.version, value, label, prediction.text or "")


def as_words(version: ModelVersion | None, value: Value | None, label: str | None, text: str = "") -> str:
    """The same of any prediction of a version. text: quoted where the words of the task quote it."""
    if version is None or value is None:
        return label or ""
    names = {name: name for name in labels_of(version)}
    return task_of(version).answers.words(value, names, text)


def right_words(row: Prediction) -> str:
    """What would be right by the newest feedback on a row of `visible`; empty where it isn't known."""
    found = vars(row)
    return words_of(row, found["feedback_value"], found["feedback_label"])


class Candidate(NamedTuple):
    """A text that a prediction ranked. rank, number in the request: from 1; equals share a rank. rank: None
    without a prediction.
    """

    rank: int | None
    number: int
    text: str


def candidates(prediction: Prediction) -> list[Candidate]:
    """The stored candidates of a ranking or preference, best first; of others none."""
    texts: list[str] = (prediction.content or {}).get("responses", [])
    value = prediction.value
    ranks = task_of(prediction.version).answers.ranks(value, len(texts)) if value else ()
    rows = [Candidate(ranks[at] + 1 if ranks else None, at + 1, text) for at, text in enumerate(texts)]
    return sorted(rows, key=lambda each: each.rank or 0)


def deployment_of(prediction: Prediction) -> Deployment | None:
    """The deployment that answered: as the server recorded it, else that of its version at that time, in any
    arm, stable first.
    """
    if prediction.deployment_id:
        return prediction.deployment
    rows = all_at(prediction.endpoint, prediction.at).filter(version=prediction.version_id)
    return min(rows, key=lambda each: each.arm != Deployment.Arm.STABLE, default=None)


def shadow_answers(prediction: Prediction) -> list[ShadowAnswer]:
    """What shadow versions answered to the same text, oldest first."""
    return list(
        ShadowAnswer.objects.filter(prediction_uuid=prediction.uuid)
        .select_related("version__model", "deployment")
        .order_by("id")
    )


def disagreements(
    user: User, endpoint: Endpoint, before: tuple[datetime, int] | None = None, size: int = PAGE
) -> tuple[list[tuple[ShadowAnswer, Prediction | None]], tuple[datetime, int] | None]:
    """One page of shadow answers that differ from the client's, newest first, each with the client's
    prediction if it is there.
    """
    rows = ShadowAnswer.objects.filter(endpoint=endpoint, agrees=False).select_related("version")
    page, older = keyset.page(rows, before, size)
    clients = {
        row.uuid: row for row in visible(user).filter(uuid__in=[answer.prediction_uuid for answer in page])
    }
    if not reads_texts(user, endpoint):
        for row in clients.values():
            hide_texts(row)
    return [(answer, clients.get(answer.prediction_uuid)) for answer in page], older
