"""Reading evaluations and what they hold, for this room's pages and for the rooms above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

from django.core.cache import cache
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Substr

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.labeling import queries as labeling
from datasets_app.labeling.models import Label, Queue, Slot, Suggestion
from lifecycle.engine import group_rows, predictions, ranked_predictions, span_predictions, text_answers
from lifecycle.engine.group_rows import Rows
from lifecycle.engine.predictions import Answers, Predictions
from lifecycle.engine.ranked_predictions import RankedAnswers
from lifecycle.engine.span_predictions import SpanPredictions
from lifecycle.engine.text_answers import TextAnswers
from lifecycle.evaluation import marks, ports, rules, suggested, text_rules
from lifecycle.evaluation.models import Analysis, Evaluation, SideBySide
from lifecycle.jobs import queries as jobs
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.training import queries as training
from lifecycle.training.folders import local_folder
from lifecycle.training.models import Run
from lifecycle.training.ports import Reference
from lifecycle.training.rules import RunState
from lifecycle.ui.addresses import find_url
from registry.access import policy
from registry.access.models import Project
from registry.access.policy import Person
from registry.artifacts import actions as artifacts

trainers_of = training.trainers_of
ROWS_AT_ONCE = 1_000  # items that one statement asks for
WORST = 10  # wrong answers that a report shows
# Scores of a baseline that a run is read against.
REFERRED = ("macro_f1", "micro_f1", "accuracy", "subset_accuracy", "pair_accuracy", "best_first")


def evaluations(user: Person) -> QuerySet[Evaluation]:
    """The evaluations that the user may see, newest first."""
    related = ("run__project", "run__base", "snapshot__dataset", "predictions", "created_by")
    return policy.visible_to(user, Evaluation, "evaluation.view").select_related(*related).order_by("-id")


def get_evaluation(user: Person, uuid: UUID) -> Evaluation:
    """One evaluation that the user may see. Raises Http404."""
    return policy.get_visible(user, evaluations(user), "evaluation.view", uuid=uuid)


def latest_evaluation(run: Run, split: str) -> Evaluation | None:
    """The newest evaluation of a run on one split of its own snapshot."""
    rows = Evaluation.objects.filter(run=run, snapshot=run.snapshot_id, split=split)
    return rows.select_related("run", "snapshot__dataset", "predictions").order_by("-id").first()


def of_run(run: Run) -> list[Evaluation]:
    """The newest evaluation of a run on each split of its own snapshot, test first, then validation."""
    newest: dict[str, Evaluation] = {}
    for evaluation in Evaluation.objects.filter(run=run, snapshot=run.snapshot_id).select_related("snapshot__dataset").order_by("-id")[:50]:
        newest.setdefault(evaluation.split, evaluation)
    return sorted(newest.values(), key=lambda evaluation: (("test", "validation", "train") + (evaluation.split,)).index(evaluation.split))


def unfinished_job(run: Run) -> Job | None:
    """The evaluation of a run that still waits or runs."""
    return next((job for job in jobs.of_subject(run).filter(kind="evaluation.evaluate")[:10] if not job.is_finished), None)


def last_job(run: Run) -> Job | None:
    """The newest evaluation job of a run, in any state."""
    return jobs.of_subject(run).filter(kind="evaluation.evaluate").first()


def predictions_of(evaluation: Evaluation) -> Predictions:
    """Every item's answer, from the Parquet file, verified by its digest. Raises Refused where texts are marked, written or in order."""
    rules.check_classes(evaluation.report)
    if rules.is_marks(evaluation.report):
        rules.check_one(evaluation.report)
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return predictions.read(path)


def marks_of(evaluation: Evaluation) -> SpanPredictions:
    """What is marked in every item and what was found, of an evaluation of marked parts."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return span_predictions.read(path)


def marks_at(evaluation: Evaluation, rows: Sequence[int]) -> SpanPredictions:
    """The same of these rows alone, in this order. The others are not read."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return span_predictions.read(path, rows)


def chosen_marks(
    evaluation: Evaluation, start: int, count: int, *, kind: str = "", true: str = "", found: str = ""
) -> tuple[int, SpanPredictions]:
    """How many items hold a match of this kind and these classes ("": any, marks.NOTHING: none), by default a mistake, and so many of them
    from `start` on: those with the surest mistake come first. The others are not read."""
    true_side, found_side = (None if name == marks.NOTHING else name for name in (true, found))
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        rows = span_predictions.find(path, kind=kind, true=true_side, found=found_side)
        return len(rows), span_predictions.read(path, rows[start : start + count])


def texts_of(evaluation: Evaluation) -> TextAnswers:
    """Every item's answer that was written, from the same file. Raises Refused where classes are given."""
    if not text_rules.writes(evaluation.report):
        raise Refused("This model gives classes, so it has written no answers.", next_step="Its report shows them.")
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return text_answers.read(path)


def orders_of(evaluation: Evaluation) -> RankedAnswers:
    """The order of every item's responses, of an evaluation of these, from the same file."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return ranked_predictions.read(path)


def sides(user: Person) -> QuerySet[SideBySide]:
    """The pairs of models between whose answers people choose that the user may see, newest first."""
    related = ("first__run", "second__run", "first__snapshot__dataset", "dataset__project", "upload", "queue", "created_by")
    return policy.visible_to(user, SideBySide, "evaluation.view").select_related(*related).order_by("-id")


def sides_of(user: Person, a: Evaluation, b: Evaluation) -> QuerySet[SideBySide]:
    """Those of two evaluations, whichever stands first."""
    return sides(user).filter(Q(first=a, second=b) | Q(first=b, second=a))


def get_side(user: Person, uuid: UUID) -> SideBySide:
    """One that the user may see. Raises Http404."""
    return policy.get_visible(user, sides(user), "evaluation.view", uuid=uuid)


def choices_of(side: SideBySide) -> list[tuple[str, str]]:
    """What is decided: (digest of the prompt's item, first, second, tie or neither) as people saw the pair."""
    decided = labeling.current_decisions(side.dataset).filter(item__upload=side.upload)
    return [(row.item.external_id, labeling.value_of(row)["choice"]) for row in decided]


def answers_of(evaluation: Evaluation) -> Answers:
    """Every item's answer without its probabilities, from the same file: with many classes these are most of it.

    Raises Refused where a text may have several classes.
    """
    rules.check_one(evaluation.report)
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return predictions.read_answers(path)


def rows_of(evaluation: Evaluation) -> Rows:
    """What the rows of an evaluation of any task are grouped and measured by, from the same file."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return group_rows.READERS[evaluation.report.get("task", "single_label")](path)


def errors_of(evaluation: Evaluation, limit: int) -> list[rules.Answer]:
    """Wrong answers, the most confident first."""
    if rules.is_several(evaluation.report):
        return rules.confident_errors(rules.answers(predictions_of(evaluation)), limit)
    found = answers_of(evaluation)
    return [rules.answer_at(found, row) for row in rules.rows_in_cell(found)[:limit]]


def worst_errors(evaluation: Evaluation) -> list[rules.Answer]:
    """The ten most confident wrong answers, kept for an hour: they never change."""
    key = f"evaluation:worst:1:{evaluation.predictions_id}"
    known: list[rules.Answer] | None = cache.get(key)
    if known is None:
        known = errors_of(evaluation, WORST)
        cache.set(key, known, 3600)
    return known


def is_flattering(evaluation: Evaluation) -> bool:
    """Whether the thresholds of its classes were chosen on its own rows: then no baseline is held against it."""
    is_own = evaluation.split == "validation" and evaluation.snapshot_id == evaluation.run.snapshot_id
    return is_own and rules.is_several(evaluation.report)


def items_by_digest(evaluation: Evaluation, digests: Iterable[str]) -> dict[str, Item]:
    """The items of an evaluation's dataset, by digest, in one statement."""
    return {item.digest: item for item in Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=list(digests))}


def heads_by_digest(evaluation: Evaluation, digests: Iterable[str], length: int) -> dict[str, str]:
    """The first characters of the texts of an evaluation's items, by digest, in one statement."""
    some = Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=list(digests))
    return dict(some.values_list("digest", Substr("text", 1, length)))


def normal_digests(evaluation: Evaluation, digests: Sequence[str]) -> dict[str, str]:
    """Digest → digest of the normalised text, of the items of an evaluation's dataset whose text is kept; read in batches."""
    found: dict[str, str] = {}
    for start in range(0, len(digests), ROWS_AT_ONCE):
        some = Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=digests[start : start + ROWS_AT_ONCE])
        found |= dict(some.exclude(text="").values_list("digest", "normal_digest"))
    return found


def comparable_with(evaluation: Evaluation, user: Person) -> QuerySet[Evaluation]:
    """Other evaluations on items of the same dataset and split, newest first: what it may be compared with."""
    same = evaluations(user).filter(snapshot__dataset=evaluation.snapshot.dataset_id, split=evaluation.split)
    return same.exclude(pk=evaluation.pk)


def whole(uuid: str) -> Evaluation:
    """An evaluation with all that computing on it needs. For jobs."""
    related = ("run__project", "run__snapshot__dataset", "run__base__folder", "run__artifact", "snapshot__dataset", "predictions")
    return Evaluation.objects.select_related(*related).get(uuid=uuid)


def answer_to(evaluation: Evaluation, digest: str) -> rules.Answer | None:
    """What an evaluation holds of one item, by its digest; of marked parts class and place of each. Raises Refused where texts are written
    or responses put in order."""
    rules.check_classes(evaluation.report)
    if rules.is_marks(evaluation.report):
        with artifacts.local_copy(evaluation.predictions.digest) as path:
            return next(iter(marks.answers(span_predictions.read(path, only=digest))), None)
    if rules.is_several(evaluation.report):
        with artifacts.local_copy(evaluation.predictions.digest) as path:
            return next(iter(rules.answers(predictions.read(path, digest))), None)
    found = answers_of(evaluation)
    return rules.answer_at(found, found.ids.index(digest)) if digest in found.ids else None


def analysis(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Analysis | None:
    """What was found of this kind. item: digest of the item that it is about, "" for the whole evaluation."""
    rows = Analysis.objects.select_related("rows", "created_by")
    return rows.filter(evaluation=evaluation, kind=kind, item=item).first()


def address_of(kind: Analysis.Kind, evaluation: UUID | str, item: str = "") -> str:
    """The page on which an analysis of this kind stands."""
    return find_url(f"evaluation:{kind.value}", uuid=evaluation) + (f"?item={item}" if item else "")


def analysis_job(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Job | None:
    """The newest job that computes it, in any state."""
    return jobs.of_subject(evaluation).filter(kind=f"evaluation.{kind.value}", args__item=item).first()


def group_of_errors(evaluation: Evaluation, number: str) -> list[str]:
    """Digests of the items of one group of errors, nearest to its centre first; none where there is no such group. number: from 1."""
    found = analysis(evaluation, Analysis.Kind.CLUSTERS)
    groups = found.report["groups"] if found else []
    known = number.isascii() and number.isdigit() and len(number) < 4 and 0 < int(number) <= len(groups)
    return list(groups[int(number) - 1]["items"]) if known else []


def baseline_reference(run: Run) -> Reference | None:
    """What TF-IDF with logistic regression, or of marked parts a dictionary, reaches on the run's validation split, if measured."""
    key = f"evaluation:reference:{run.uuid}"
    known: Reference | None = cache.get(key)
    if known is None and (found := latest_evaluation(run, "validation")):
        name, said = ("dictionary", "a dictionary") if rules.is_marks(found.report) else ("tfidf_logreg", "TF-IDF")
        measured = (found.report.get("baselines") or {}).get(name)
        if measured:
            known = Reference(said, {name: measured[name] for name in REFERRED if name in measured})
            cache.set(key, known, 600)
    return known


# ── Models that suggest labels ──────────────────────────────────────────────
KINDS_LIMIT = 30  # newest models of a kind that are offered
TEXT_READ = 20_000  # characters of a text that a model gets
CLASSED = (Dataset.Task.SINGLE_LABEL, Dataset.Task.MULTI_LABEL, Dataset.Task.SPANS)  # tasks of which models suggest labels
OTHER_TASK = "Models suggest classes and marked parts of texts so far, and this dataset's task is another."
OTHER_TASK_STEP = "Import a file with suggestions, or send them by the API."


class Runs:
    """The shelf of runs that succeeded."""

    label = "Runs"

    def models(self, user: Person, project: Project) -> list[ports.Model]:
        """The newest runs with an artifact."""
        rows = training.runs(user).filter(project=project, state=RunState.SUCCEEDED, artifact__isnull=False)
        return [self.of(run) for run in rows.select_related("snapshot__schema", "snapshot__dataset", "artifact")[:KINDS_LIMIT]]

    def get(self, uuid: UUID, user: Person | None = None) -> ports.Model:
        """One run with an artifact. Raises Refused."""
        rows = training.runs(user) if user is not None else Run.objects.all()
        run = rows.select_related("snapshot__schema", "snapshot__dataset", "artifact", "project").filter(uuid=uuid).first()
        if run is None:
            raise Refused("There is no such run.", fields={"model": ["Choose a run that you may see."]})
        if run.state != RunState.SUCCEEDED or run.artifact is None:
            text = f"{run} has no model: it is {run.get_state_display().lower()}."
            raise Refused(text, next_step="Choose a run that succeeded.", fields={"model": [text]})
        return self.of(run)

    def folder(self, model: ports.Model) -> Path:
        """Its artifact, laid out under its digest."""
        return local_folder("artifacts", model.run.artifact)

    def of(self, run: Run) -> ports.Model:
        """The run as a model. It has an artifact."""
        digest = run.artifact.root_digest if run.artifact else ""
        return ports.Model("run", run.uuid, str(run), run, digest, find_url("training:detail", uuid=run.uuid))


def suggesters(user: Person, dataset: Dataset) -> dict[str, list[ports.Model]]:
    """The models of each kind, by its label, that were trained for the dataset's task in its project."""
    found = {shelf.label: shelf.models(user, dataset.project) for shelf in ports.shelves().values()} if dataset.task in CLASSED else {}
    return {kind: [model for model in models if model.run.task == dataset.task] for kind, models in found.items()}


def get_model(user: Person, kind: str, uuid: UUID) -> ports.Model:
    """A model that the user may have suggest. Raises Refused."""
    shelf = ports.shelves().get(kind)
    if shelf is None:
        raise Refused("There is no such kind of model.", fields={"model": [f"Choose one of {', '.join(ports.shelves())}."]})
    return shelf.get(uuid, user)


def matches(dataset: Dataset, models: Sequence[ports.Model]) -> list[suggested.Match]:
    """How the labels of each of these models fit the dataset's newest classes; a constant number of statements."""
    schema = labeling.latest_schema(dataset)
    classes = {label.stable_id: label.name for label in schema.labels.all()} if schema else {}
    ids: dict[int, dict[str, UUID]] = defaultdict(dict)
    for version, name, stable in Label.objects.filter(schema__dataset=dataset).values_list("schema", "name", "stable_id"):
        ids[version][name] = stable
    merged = labeling.present_ids(dataset.pk)
    found = []
    for model in models:
        snapshot = model.run.snapshot
        learnt = ids[snapshot.schema_id] if snapshot.dataset_id == dataset.pk else {}
        found.append(suggested.match(model.run.spec.get("labels", []), learnt, classes, merged))
    return found


def to_answer(dataset: Dataset, queue: Queue | None, digest: str, after: int) -> QuerySet[Item, tuple[int, str]]:
    """(key, text) of the items after this key, by key, of which this model has said nothing: open ones of a queue, or all visible ones."""
    items = Item.objects.filter(dataset=dataset, upload__state=UploadState.IMPORTED, pk__gt=after)
    if queue is not None:
        waiting = Slot.objects.filter(queue=queue, item=OuterRef("pk"), state__in=[Slot.State.OPEN, Slot.State.LEASED])
        items = items.filter(Exists(waiting))
    said = Suggestion.objects.filter(item=OuterRef("pk"), source_digest=digest)
    return items.filter(~Exists(said)).order_by("id").annotate(head=Substr("text", 1, TEXT_READ)).values_list("pk", "head")


def suggesting_job(dataset: Dataset) -> Job | None:
    """The newest job in which a model suggests labels for a dataset."""
    return jobs.of_subject(dataset).filter(kind="evaluation.suggest").first()


def open_queues(dataset: Dataset) -> QuerySet[Queue]:
    """The queues of a dataset in which something is open, newest first."""
    return dataset.queues.exclude(state=Queue.State.CLOSED).filter(slots_done__lt=F("slots_total")).order_by("-id")
