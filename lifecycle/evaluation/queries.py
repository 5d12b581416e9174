"""Reading evaluations and what they hold, for this room's pages and for the rooms above."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

import numpy as np
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Substr
from django.http import Http404

from datasets_app.datasets.models import Item
from datasets_app.labeling import queries as labeling
from datasets_app.snapshots.models import Snapshot
from lifecycle.evaluation import marks, rules
from lifecycle.evaluation.models import Analysis, Comparison, Evaluation, SideBySide
from lifecycle.jobs import queries as jobs
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.remembered import cache
from lifecycle.statistics.operating import Scores
from lifecycle.task_types.by_key.measures import measures_of
from lifecycle.task_types.by_key.predictions import file_of
from lifecycle.task_types.free_text.measures import TextAnswers
from lifecycle.task_types.grouped import Grouped
from lifecycle.task_types.multi_label import predictions as label_sets
from lifecycle.task_types.multi_label.predictions import Sets
from lifecycle.task_types.ranking import measures as ranking
from lifecycle.task_types.ranking.measures import RankedAnswers
from lifecycle.task_types.single_label import predictions
from lifecycle.task_types.single_label.predictions import Answers
from lifecycle.task_types.spans import predictions as span_predictions
from lifecycle.task_types.spans.measures import SpanPredictions
from lifecycle.training.models import Run
from lifecycle.training.ports import Reference
from lifecycle.ui.addresses import find_url
from registry.access import policy
from registry.access.policy import Person
from registry.artifacts import actions as artifacts
from registry.ledger import accounts
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

ROWS_AT_ONCE = 1_000  # items that one statement asks for
TEXT_READ = 20_000  # characters of a text that a model gets
RELATED = ("run__project", "run__base", "snapshot__dataset", "predictions", "created_by")  # what pages show beside an evaluation
WORST = 10  # wrong answers that a report shows
OF_RUN = 50  # newest evaluations of a run that are looked through
WRITTEN_WORDS = "evaluation.words_written"  # the kind of job that looks for them


class Said(NamedTuple):
    """An answer that was written. cut: it reached its longest length without an end."""

    answer: str
    cut: bool


def evaluations(user: Person) -> QuerySet[Evaluation]:
    """The evaluations that the user may see, newest first."""
    return policy.visible_to(user, Evaluation, "evaluation.view").select_related(*RELATED).order_by("-id")


def with_heads(rows: QuerySet[Evaluation], names: Sequence[str]) -> QuerySet[Evaluation]:
    """Without their reports, which take 100 KB and more each, but for these metrics, which `head_of` reads."""
    parts = {f"head_{name}": F(f"report__{name}") for name in ("task", *names)}
    return rows.defer("report").annotate(**parts, **{f"ends_{name}": F(f"report__intervals__{name}") for name in names})


def head_of(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Any]:
    """The part of the report that `with_heads` read; what the task has not is left out."""
    known = {name: found for name in ("task", *names) if (found := getattr(evaluation, f"head_{name}")) is not None}
    return known | {"intervals": {name: ends for name in names if (ends := getattr(evaluation, f"ends_{name}"))}}


def get_evaluation(user: Person, uuid: UUID) -> Evaluation:
    """One evaluation that the user may see. Raises Http404."""
    return policy.get_visible(user, Evaluation.objects.select_related(*RELATED), "evaluation.view", uuid=uuid)


def found_evaluation(user: Person, uuid: str) -> Evaluation:
    """One evaluation that the user may see, by what a form says of its uuid. Raises Http404."""
    try:
        return get_evaluation(user, UUID(uuid))
    except ValueError:
        raise Http404 from None


def latest_evaluation(run: Run, split: str) -> Evaluation | None:
    """The newest evaluation of a run on one split of its own snapshot."""
    rows = Evaluation.objects.filter(run=run, snapshot=run.snapshot_id, split=split)
    return rows.select_related("run", "snapshot__dataset", "predictions").order_by("-id").first()


def baselines_before(run: Run, snapshot: Snapshot, split: str) -> dict[str, Any]:
    """What the newest report on these rows, of any run from the same base, says of baselines; {} where there is none."""
    reports = Evaluation.objects.filter(snapshot=snapshot, split=split, run__base=run.base_id).order_by("-id")
    found = reports.values(**{name: F(f"report__{name}") for name in ("baselines", "baselines_drawn", "baselines_digest")}).first()
    return dict(found or {})


def of_run(run: Run) -> list[Evaluation]:
    """The newest evaluation of a run on each split of its own snapshot, test first, then validation."""
    newest: dict[str, Evaluation] = {}
    rows = Evaluation.objects.filter(run=run, snapshot=run.snapshot_id).select_related("snapshot__dataset").order_by("-id")
    for evaluation in rows[:OF_RUN]:
        newest.setdefault(evaluation.split, evaluation)
    return sorted(newest.values(), key=lambda evaluation: (("test", "validation", "train") + (evaluation.split,)).index(evaluation.split))


def unfinished_job(run: Run) -> Job | None:
    """The evaluation of a run that still waits or runs."""
    return next((job for job in jobs.of_subject(run).filter(kind="evaluation.evaluate")[:10] if not job.is_finished), None)


def last_job(run: Run) -> Job | None:
    """The newest evaluation job of a run, in any state."""
    return jobs.of_subject(run).filter(kind="evaluation.evaluate").first()


def predicted_of(evaluation: Evaluation) -> Any:
    """Every row's prediction as the task has it, from the Parquet file, verified by its digest."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return file_of(evaluation.task_type.key).read(path)


def predictions_of(evaluation: Evaluation) -> Any:
    """The same of labels of whole texts. Raises Refused where texts are marked, written or in order."""
    rules.check_classes(evaluation.report)
    if rules.is_marks(evaluation.report):
        rules.check_one(evaluation.report)
    return predicted_of(evaluation)


def marks_at(evaluation: Evaluation, rows: Sequence[int]) -> SpanPredictions:
    """The same of these rows alone, in this order. The others are not read."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return span_predictions.ENTRY.read(path, rows)


def chosen_marks(
    evaluation: Evaluation, start: int, count: int, *, kind: str = "", true: str = "", found: str = ""
) -> tuple[int, SpanPredictions]:
    """How many items hold a match of this kind and these classes ("": any, marks.NOTHING: none), by default a mistake, and so many of them
    from `start` on: those with the surest mistake come first. The others are not read."""
    true_side, found_side = (None if name == marks.NOTHING else name for name in (true, found))
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        rows = span_predictions.ENTRY.find(path, kind=kind, true=true_side, found=found_side)
        return len(rows), span_predictions.ENTRY.read(path, rows[start : start + count])


def texts_of(evaluation: Evaluation) -> TextAnswers:
    """Every item's answer that was written, from the same file. Raises Refused where classes are given."""
    if not evaluation.task_type.writes_text:
        raise Refused("This model gives classes, so it has written no answers.", next_step="Its report shows them.")
    return cast(TextAnswers, predicted_of(evaluation))


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


def sets_of(evaluation: Evaluation) -> tuple[Sets, rules.Sureness]:
    """As `answers_of`, of several classes a text. How sure the answers are, which all probabilities tell, is kept for an hour."""
    key = f"evaluation:sureness:{evaluation.predictions_id}"
    sure: rules.Sureness | None = cache.get(key)
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        found = label_sets.read_sets(path)
        if sure is None:
            confidence = label_sets.read_sureness(path, found)
            sure = rules.Sureness(confidence, np.lexsort((np.array(found.ids), -confidence)))
            cache.set(key, sure, 3600)
    return found, sure


def scores_of(evaluation: Evaluation, label: str) -> Scores:
    """The rows of an evaluation for a class; where it is empty, by confidence; of marked parts spans, of the class or any. From the same
    file. Raises Refused where texts are written or responses put in order."""
    rules.check_classes(evaluation.report)
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return cast(Scores, file_of(evaluation.task_type.key).scores(path, label))


def rows_of(evaluation: Evaluation) -> Grouped:
    """What the rows of an evaluation of any task are grouped and measured by, from the same file."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return file_of(evaluation.task_type.key).grouped(path)


def losses_of(evaluation: Evaluation) -> dict[str, float]:
    """What each row lost, in nats, by digest, of an evaluation of any task, from the same file; rows that have no loss are left out."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return file_of(evaluation.task_type.key).losses(path)


def errors_of(evaluation: Evaluation, limit: int) -> list[rules.Answer]:
    """Wrong answers, the most confident first."""
    if evaluation.task_type.has_thresholds:
        sets, sure = sets_of(evaluation)
        return [rules.set_at(sets, sure.confidence, row) for row in rules.sets_in_cell(sets, sure.order)[:limit]]
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
    return is_own and evaluation.task_type.has_thresholds


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


def find_evaluation(rows: QuerySet[Evaluation], uuid: str, run: str = "") -> Evaluation | None:
    """One of these by what stands in an address: its own uuid, or its run's, of which the newest on test comes first; None where there is
    none."""
    try:
        found = rows.filter(uuid=UUID(uuid)) if uuid else rows.filter(run__uuid=UUID(run))
    except ValueError:
        return None
    return min(found.defer("report")[:OF_RUN], key=lambda each: each.split != "test", default=None)


def whole(uuid: str) -> Evaluation:
    """An evaluation with all that computing on it needs. For jobs."""
    related = ("run__project", "run__snapshot__dataset", "run__base__folder", "run__artifact", "snapshot__dataset", "predictions")
    return Evaluation.objects.select_related(*related).get(uuid=uuid)


def answer_to(evaluation: Evaluation, digest: str) -> rules.Answer | None:
    """What an evaluation holds of one item, by its digest; of marked parts class and place of each. Raises Refused where texts are written
    or responses put in order."""
    rules.check_classes(evaluation.report)
    if rules.is_marks(evaluation.report):
        return next(marks.answers(marks_to(evaluation, [digest])), None)
    return next(iter(answers_to(evaluation, [digest])), None)


def answers_to(evaluation: Evaluation, digests: Sequence[str]) -> list[rules.Answer]:
    """What an evaluation of classes holds of some items, in this order."""
    if evaluation.task_type.has_thresholds:
        sets, sure = sets_of(evaluation)
        number = {item: row for row, item in enumerate(sets.ids)}
        return [rules.set_at(sets, sure.confidence, number[item]) for item in digests if item in number]
    rows = answers_of(evaluation)
    number = {item: row for row, item in enumerate(rows.ids)}
    return [rules.answer_at(rows, number[item]) for item in digests if item in number]


def marks_to(evaluation: Evaluation, digests: Sequence[str]) -> SpanPredictions:
    """What is marked in some items and what was found, in the order of the file. The others are not read."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return span_predictions.ENTRY.read(path, only=digests)


def order_of(evaluation: Evaluation, digest: str) -> RankedAnswers | None:
    """The order of one item's responses, of an evaluation of these."""
    found: RankedAnswers = predicted_of(evaluation)
    return ranking.ENTRY.some(found, [found.ids.index(digest)]) if digest in found.ids else None


def said_to(evaluation: Evaluation, digest: str) -> Said | None:
    """What was written to one item. Raises Refused where classes are given."""
    found = texts_of(evaluation)
    row = found.ids.index(digest) if digest in found.ids else None
    return None if row is None else Said(found.answers[row], bool(found.cut and found.cut[row]))


def is_recorded(evaluation: Evaluation) -> bool:
    """Whether the trail knows this very report, these predictions and whose they are: a row that was changed has another digest."""
    events = accounts.events_about(evaluation.uuid, {Verb.EVALUATION_RECORDED})
    known = {(event.payload["run"], event.payload["split"], event.payload["report_digest"]) for event in events}
    digest = evaluation.computed_digest
    return evaluation.report_digest == digest and (str(evaluation.run.uuid), evaluation.split, digest) in known


def analysis(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Analysis | None:
    """What was found of this kind. item: digest of the item that it is about, "" for the whole evaluation."""
    rows = Analysis.objects.select_related("rows", "created_by")
    return rows.filter(evaluation=evaluation, kind=kind, item=item).first()


def is_analysis_recorded(found: Analysis) -> bool:
    """Whether the trail knows that this very report was found, of this kind and about this evaluation and item."""
    events = accounts.events_about(found.uuid, {Verb.ANALYSIS_RECORDED})
    known = {tuple(event.payload[name] for name in ("evaluation", "kind", "item", "report_digest")) for event in events}
    return (str(found.evaluation.uuid), found.kind, found.item or None, digest_of(found.report)) in known


def comparison(a: Evaluation, b: Evaluation) -> Comparison | None:
    """What a job found of two evaluations."""
    return Comparison.objects.filter(a=a, b=b).first()


def comparison_job(a: Evaluation, b: Evaluation) -> Job | None:
    """The newest job that compares two evaluations, in any state."""
    return jobs.of_subject(b).filter(kind="evaluation.compare", args__a=str(a.uuid)).first()


def address_of_comparison(a: UUID | str, b: UUID | str) -> str:
    """The page on which two evaluations are compared."""
    return f"{find_url('evaluation:compare')}?a={a}&b={b}"


def address_of(kind: Analysis.Kind, evaluation: UUID | str, item: str = "") -> str:
    """The page on which an analysis of this kind stands."""
    return find_url(f"evaluation:{kind.value}", uuid=evaluation) + (f"?item={item}" if item else "")


def analysis_job(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Job | None:
    """The newest job that computes it, in any state."""
    names = [f"evaluation.{kind.value}", *([WRITTEN_WORDS] if kind == Analysis.Kind.WORDS else [])]
    return jobs.of_subject(evaluation).filter(kind__in=names, args__item=item).first()


def group_of_errors(evaluation: Evaluation, number: str) -> list[str]:
    """Digests of the items of one group of errors, nearest to its centre first. number: from 1. Raises Http404."""
    found = analysis(evaluation, Analysis.Kind.CLUSTERS)
    groups = found.report["groups"] if found else []
    known = number.isascii() and number.isdigit() and len(number) < 4 and 0 < int(number) <= len(groups)
    if not known:
        raise Http404("There is no such group of errors.")
    return list(groups[int(number) - 1]["items"])


def baseline_reference(run: Run) -> Reference | None:
    """What TF-IDF with logistic regression, or of marked parts a dictionary, reaches on the run's validation split, if measured."""
    key = f"evaluation:reference:{run.uuid}"
    known: Reference | None = cache.get(key)
    if known is None and (found := latest_evaluation(run, "validation")):
        name, said = measures_of(found.task_type.key).reference
        measured = (found.report.get("baselines") or {}).get(name)
        if measured:
            known = Reference(said, {name: measured[name] for name in rules.metrics_of(found.report).beside if name in measured})
            cache.set(key, known, 600)
    return known
