"""The pages of reference that are written from the code: `python -m tests.support.reference` writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from lifecycle.modeling.training.rules import CONSEQUENCE, Strategy
from lifecycle.runtime.engine.strategy import INNER
from lifecycle.runtime.engine.strategy import Strategy as Spec
from lifecycle.runtime.engine.task_types import encoder_settings
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.generation import settings as text_settings
from lifecycle.runtime.task_types.by_key.types import LEARNED
from registry.ground.access.roles import ACTIONS, ADMIN_ACTIONS, Role, as_word
from registry.ground.access.scopes import Scope
from registry.ground.ledger.verbs import Verb
from tests.support.architectures import MODELS
from tests.support.tiny_decoders import ARCHITECTURES

CLASSED, WRITTEN = settings_of("single_label"), settings_of("generation")
DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

PERMISSIONS = """# Permissions

Written from `registry/ground/access/roles.py` by `python -m tests.support.reference`; a test compares the two. A role is held in a project,
or on one dataset or registered model in it. What a person may not see answers 404; what they see but may not do answers 403 with the
roles that may. `is_staff` and `is_superuser` give nothing.

{table}

The **organisation admin** is no role in a project. In any project they may: {admin}. They see no samples and take no decisions.

## Separation of duties

These rules come on top of the table, whatever the roles:

- Nobody approves a promotion that they asked for, whose run they launched or resumed, whose version they registered, or rows of whose
  test split they labeled, uploaded or chose. Nobody decides twice on one request: each step of the policy is another person.
- The standard policy has two steps: an ML lead (technical), then a governance reviewer. No API token approves, rejects or gives roles.
- Approving and rejecting need a reason and the password again, and a code of the authenticator app from who has one; after five wrong
  ones in five minutes they are not looked at.
- **ML lead, governance reviewer and auditor** are given and taken by an organisation admin who holds no role in the project, with the
  password again; a lead gives the other roles. With two or more admins one proposes and another confirms; a sole admin's changes take
  effect immediately. Who is an organisation admin is changed in the same way. You can't give yourself a role.
- A role decides on the promotions that were asked for while it was held: one given since, or taken and given again, does not.
- Nobody settles an item that they labelled themselves.
- Only the requester or an ML lead withdraws a request. Approving changes no traffic: deploying is an action of its own.
- `endpoints.infer` decides whose tokens an endpoint takes for trying out; a person who is deactivated or loses the role loses their tokens
  with it. A program gets a token of the endpoint (`endpoints.manage_tokens`), which belongs to no person and opens that endpoint alone.

## Scopes of a token

A token does what its owner's roles allow, within its scopes. Only `read` is on by default; a token may be limited to one project.

{scopes}

Approving, rejecting, deciding on retraining and giving roles are in no scope. A token ends no other person's token. Tokens that were made
for `write` before this table came have `label`, `train` and `request` instead since the upgrade; what deploys, rolls back, quarantines,
steers, silences or injects faults needs a new token with `deploy`.
"""

VERBS = """# Audit verbs

Every decision that the trail knows, written from `registry/ground/ledger/verbs.py` by `python -m tests.support.reference`, compared
by a test. The part before the dot is the room. A verb is never renamed or removed, since old events carry it.

{table}
"""

STRATEGIES = """# Strategies

What each strategy trains, generated from `lifecycle/modeling/training/rules.py` and `lifecycle/runtime/engine/task_types/*/settings.py` by
`python -m tests.support.reference`; a test compares them, and `tests/engine/test_strategies.py` trains each. They learn **one class per
text**, **any number of classes per text** or **marked parts of texts**, on encoders whose layers stand in a list, or to **write texts**, on
decoders. Snapshots of other tasks, and strategies that do not fit a task, are refused in a sentence.

{table}

## Tasks and base models

Which task each strategy learns on which kind of base: **1** is one class per text, **n** any number of classes, **s** marked parts, **r**
responses in order. Every letter is one test of `tests/engine/test_strategy_table.py`, which takes a step and exports the graph that
answers, on an encoder of three layers: `make tables` runs them all, `make slow` so many that any two of strategy, task and base model meet.

{bases}

Of writing texts, on decoders (**t**). Every cell is one test of `tests/engine/test_decoder_strategies.py`: it learns, and what is kept is
opened again and gives the same losses; `tests/engine/test_answering.py` compares its answers with a pass without a cache.

{decoders}

- *Writing texts*: a prompt stands in the tokenizer's chat template (without one: the prompt, an empty line, `### Answer`), the loss counts
  the answer and the token that ends it alone, and rows count by their length. A row that is too long loses the beginning of its prompt; an
  answer loses its end only where it does not fit by itself; both are told as a finding. The best step is the one of the least validation
  loss. At each evaluation the first four validation rows are answered, to be read while it trains.
- *Dialogues* are texts that are written too, and learnt by the same strategies. All turns stand in the chat template as whoever asks the
  model has them, the system turn among them (`developer` counts as `system`; where a template takes none, its text goes before the first
  question). All answers of the assistant count in the loss, each with the token that ends it; questions never do, nor a turn with the
  `weight` 0. An answer that the template writes otherwise once others follow is read and not learnt, and a finding says how many are;
  what people wrote is never a mark of the template. Without a template a later question stands below `### Question`. An evaluation asks
  for the last answer, given all before it, and its perplexity is that of the last answers; the validation loss counts all. A dialogue that
  is too long loses its oldest turns, from one question to the next; its system turn, its end and its answer stay. Dialogues with calls of
  tools, or with contents that are no text, are left out, and counted by their reason in a finding and in the evaluation. Where a template
  writes a dialogue's order of turns not at all, the run is refused, and one such dialogue is named.
- **Prompt, p- and prefix tuning** put vectors before every prompt, which alone learn: in front of the text, made by a small network, or as
  keys and values of every layer. They need decoders, and far larger rates. Prefix tuning does not go with gradient checkpointing.
- *Any number of classes*: a sigmoid for each class, and a threshold of its own, that of the best F1 on validation; 0.5 for a class that
  fewer than 20 validation rows have. With `operating_point` *precision* or *recall* it is one of at least `operating_target` there, and
  the artifact says which classes do not reach it, and of which it is promised for other rows; the best step is chosen at the best F1.
  Class weights count a yes of a rare class more, up to a hundred times.
- *One class*: a softmax, and the likeliest class is the answer. With `operating_class` that class is the answer from a threshold on, and
  below it the likeliest other class. After training and temperature the threshold is chosen on validation for a precision or recall
  (`operating_point`) of at least `operating_target`: of recall the most precise threshold, of precision the lowest, or the most precise
  where none has as much. Thresholds that promise it for other rows, with 95 % confidence, go before those that only reach it there. It
  takes 20 validation rows of the class; the best step is that of the likeliest class.
- *Marked parts*: a softmax over the tags of each word (IOB2), for which its first piece speaks (as Devlin et al. 2019 do). A word is what
  stands between spaces, without brackets and quotes around it and stops behind it (`unit` *spaced* in `lifecycle.json`); where more than
  one training span in a hundred begins or ends within those, a run of letters and digits (*word*); and where spans begin within these too,
  as in scripts without spaces, every piece has a tag of its own. What is found are the likeliest tags in which no span goes on that has not
  begun, so spans have exact places; the confidence of a span is the least probability of its tags. Of spans that overlap the longest is
  learnt. Class weights count the spans of rare classes more; tokens outside of spans count as one. Every word is learnt from, so a step
  takes 4 to 16 texts by their length where there are up to 5,000, and there are 450 steps where 20 epochs allow it: on 589 sentences of
  WikiGold LoRA then reaches a micro-F1 of 0.69, with the batches and rate of whole texts 0.65, and a dictionary of the training spans 0.44.
- *Responses in order*, the better of two or up to five of them: the encoder reads the prompt with each response (a cross-encoder) and a
  linear head gives it a score; the loss is the cross entropy of which of two is better by the difference of their scores, over all pairs
  of a row (RankNet, Bradley and Terry). Two that are about the same want a half; a row of which both are bad says nothing and is left out.
  A prompt and a response share the longest text, and the longer of the two loses its end. Both are told apart by the separator alone, as
  in RoBERTa. The best step is the one of the best pairwise accuracy. The graph is kept in fp32.
- The best step is the one of the best macro-F1 on validation, where classes are learnt; with marked parts, of the best micro-F1 of spans
  that are right in place and class.
- Every artifact but those that write texts is served from one ONNX graph in fp32, or in int8 where that passed its gate. LoRA and IA3 are
  added into the weights of that graph; bottleneck adapters stay layers of their own. IA3 needs to know which weights it scales:
  BERT's, RoBERTa's and DeBERTa's, not others'.
- **Frozen layers** are the lowest ones; with the embeddings they do not learn. *Fast LoRA* runs them once, without dropout, and keeps what
  they give to each token on the disk (2 bytes a number) until the run has ended.
- Losses: cross entropy (of each class apart, with any number of classes; of each token, with marked parts), with class weights, label
  smoothing, or focal loss. Schedules: linear, cosine, constant, each behind a warm-up. *Batches of one step* act as a larger batch;
  *gradient checkpointing* takes time for memory. Several *Processes* on one machine each learn from their share of every batch and average
  their gradients (proven with two on a CPU: the curve and the weights of one, within rounding; with accelerators not measured here). Where
  one of them ends, the run fails as `process_lost` and resumes from its checkpoint; where memory runs out it ends, instead of going on in
  parts.
- *Divide the model among the processes* (`sharded`, torch's FSDP2) has each of them hold its part of every weight, gradient and state of
  the optimizer, and gather a layer where it is run: for a model that does not fit one GPU. Each step is that of one process, and what is
  written is whole: checkpoints, best weights and artifact are the same files, and a checkpoint goes on in one process too. Validation is
  run by all processes together. Every strategy and architecture above is divided in one test of `tests/engine/test_sharding_table.py`
  (with `make tables` for every task, else so that any two of the three meet), but *head only* and *fast LoRA*, which run the base once,
  whole, before training, and are refused. Proven with two processes on a CPU; on GPUs it is not measured here.
- `lifecycle runs launch DATASET@NUMBER --strategy NAME --set SETTING=VALUE` takes the names of this table.
"""
KEPT = {
    "full": "all weights", "lora": "a PEFT adapter", "fast_lora": "a PEFT adapter", "ia3": "a PEFT adapter",
    "adapter": "adapter weights of our own layout, with the loading code in the card", "head": "the head",
    "prompt": "a PEFT adapter", "p_tuning": "a PEFT adapter", "prefix": "a PEFT adapter",
}  # fmt: skip


def table(head: list[str], rows: list[list[str]], *, centred_from: int) -> str:
    """A Markdown table."""
    rule = ["---" if at < centred_from else ":-:" for at in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def permissions() -> str:
    """The text of docs/permissions.md."""
    rows = [[f"`{action}`", *("●" if role in holders else "" for role in Role)] for action, holders in ACTIONS.items()]
    head = ["action", *(as_word(role) for role in Role)]
    scopes = table(["scope", "what a token may do with it"], [[f"`{scope.value}`", str(scope.label)] for scope in Scope], centred_from=2)
    admin = ", ".join(f"`{action}`" for action in sorted(ADMIN_ACTIONS))
    return PERMISSIONS.format(table=table(head, rows, centred_from=1), admin=admin, scopes=scopes)


def audit_verbs() -> str:
    """The text of docs/audit-verbs.md."""
    rows = [[f"`{verb.value}`", str(verb.label)] for verb in Verb]
    return VERBS.format(table=table(["verb", "… did what"], rows, centred_from=2))


def strategies() -> str:
    """The text of docs/strategies.md."""
    order = [name for name in Spec.__dataclass_fields__ if name in INNER]
    rows = []
    for each in Strategy:
        names = {name for found in (CLASSED, WRITTEN) if each in found.strategies for name in found.inner(each)}
        own = ", ".join(f"`{name}`" for name in order if name in names)
        rate = f"{encoder_settings.ENCODER_RATE.get(each, 'none')}" if each in CLASSED.strategies else "–"
        written = f"{text_settings.RATE[each]:g}" if each in WRITTEN.strategies else "–"
        rows.append([f"**{each.label}** `{each.value}`", CONSEQUENCE[each], own or "none", rate, written, KEPT[each]])
    head = ["strategy", "what it means", "its own settings", "suggested rate, classes", "suggested rate, texts", "what is kept"]
    return STRATEGIES.format(table=table(head, rows, centred_from=9), bases=strategy_bases(), decoders=strategy_decoders())


def strategy_bases() -> str:
    """Strategies by architecture, with the tasks that each learns there."""
    known = {"single_label": "1", "multi_label": "n", "spans": "s", "preference": "r"}
    learnt = [task for task in LEARNED if task in known]
    cells = {each: " ".join(known[task] for task in learnt if each in settings_of(task).strategies) for each in Strategy}
    rows = [
        [each.label, *("–" if each == Strategy.IA3 and name not in CLASSED.ia3_models else cells[each] for name in MODELS)]
        for each in Strategy
        if each in CLASSED.strategies
    ]
    return table(["strategy", *MODELS], rows, centred_from=1)


def strategy_decoders() -> str:
    """Strategies of writing texts by architecture."""
    rows = [
        [each.label, *("–" if each == Strategy.IA3 and name not in WRITTEN.ia3_models else "t" for name in ARCHITECTURES)]
        for each in Strategy
        if each in WRITTEN.strategies
    ]
    return table(["strategy", *ARCHITECTURES], rows, centred_from=1)


PAGES = {"permissions.md": permissions, "audit-verbs.md": audit_verbs, "strategies.md": strategies}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
