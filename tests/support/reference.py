"""Reference pages generated from the code: `python -m tests.support.reference` writes them, a test compares
them.
"""

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

Generated from `registry/ground/access/roles.py` by `python -m tests.support.reference`; a test compares the two. A role is assigned in a
project, or on one dataset or registered model in it. Objects a person can't see return 404; actions they can't perform return 403 with
the roles that can. `is_staff` and `is_superuser` grant nothing.

{table}

The **organisation admin** isn't a role in a project. In any project they can: {admin}. They see no samples and make no decisions.

## Separation of duties

These rules apply in addition to the table, whatever the roles:

- No one approves a promotion that they requested, whose run they launched or resumed, whose version they registered, or whose test split
  has rows that they labeled, uploaded, or chose. No one decides twice on one request: each step of the policy needs a different person.
- The standard policy has two steps: an ML lead (technical), then a governance reviewer. No API token approves, rejects, or assigns roles.
- Approving and rejecting need a reason and the password again, and an authenticator code if the person set one up; after five wrong
  ones in five minutes, no more are checked.
- **ML lead, governance reviewer, and auditor** are assigned and removed by an organisation admin without a role in the project, who
  enters their password again; a lead assigns the other roles. With two or more admins, one proposes and another confirms; a sole admin's
  changes take effect immediately. Organisation admins are changed the same way. You can't assign yourself a role.
- A role can decide on the promotions that were requested while it was held: one assigned since, or removed and assigned again, can't.
- No one adjudicates an item they annotated themselves.
- Only the requester or an ML lead withdraws a request. Approving changes no traffic: deploying is a separate action.
- `endpoints.infer` decides whose tokens an endpoint accepts for trying out; a person who is deactivated or loses the role loses their
  tokens with it. A program gets an endpoint token (`endpoints.manage_tokens`), which belongs to no person and opens that endpoint only.

## Scopes of a token

A token can do what its owner's roles allow, within its scopes. Only `read` is on by default; a token can be limited to one project.

{scopes}

No scope covers approving, rejecting, deciding on retraining, or assigning roles. A token can't revoke another person's token. Tokens
created for `write` before these scopes existed have had `label`, `train`, and `request` since the upgrade; deploying, rolling back,
quarantining, steering, silencing, and injecting faults need a new token with `deploy`.
"""

VERBS = """# Audit verbs

Every decision that the audit log records, generated from `registry/ground/ledger/verbs.py` by `python -m tests.support.reference`; a test
compares the two. The part before the dot is the room. A verb is never renamed or removed, because old events contain it.

{table}
"""

STRATEGIES = """# Strategies

What each strategy trains, generated from `lifecycle/modeling/training/rules.py` and `lifecycle/runtime/engine/task_types/*/settings.py` by
`python -m tests.support.reference`; a test compares them, and `tests/engine/test_strategies.py` trains each. Strategies train
**single-label**, **multi-label**, **spans**, and **ranking** models on encoders with a list of layers, and **generation** models on
decoders. Dataset versions of other tasks, and strategies that don't fit a task, are refused with a reason.

{table}

## Tasks and base models

Which tasks each strategy supports on each kind of base model: **1** is single-label, **n** multi-label, **s** spans, **r** ranking. Every
letter is one test of `tests/engine/test_strategy_table.py`, which takes a step and exports the serving graph on an encoder with three
layers: `make tables` runs them all, `make slow` enough to cover every pair of strategy, task, and base model.

{bases}

Generation on decoders (**t**). Every cell is one test of `tests/engine/test_decoder_strategies.py`: the model trains, and the reopened
artifact gives the same losses; `tests/engine/test_answering.py` compares its responses with a pass without a cache.

{decoders}

## Single-label

A softmax; the most likely label is predicted. With `operating_class`, that label is predicted from a threshold on, and below it the most
likely other label. After training and temperature scaling, the threshold is chosen on validation for a precision or recall
(`operating_point`) of at least `operating_target`: for recall the most precise threshold, for precision the lowest, or the most precise if
none reaches it. Thresholds guaranteed for other rows, with 95 % confidence, are preferred over those that only reach the target there. The
label needs 20 validation rows.

The best step has the best macro-F1 of the most likely label on validation.

## Multi-label

A sigmoid per label, each with its own threshold: the one with the best F1 on validation, or 0.5 for a label that fewer than 20 validation
rows have. With `operating_point` *precision* or *recall* it's one with at least `operating_target` there; the artifact lists the labels
that don't reach it and those for which it's guaranteed on other rows. The best step is chosen at the best F1. Class weights give a rare
label's positives up to a hundred times the weight.

## Spans

A softmax over the tags of each word (IOB2), predicted from its first piece (as in Devlin et al. 2019). A word is the text between spaces,
without surrounding brackets and quotes and trailing punctuation (`unit` *spaced* in `lifecycle.json`). If more than one training span in a
hundred begins or ends inside such a word, it's a run of letters and digits (*word*); if spans begin inside these too, as in scripts without
spaces, every piece has its own tag.

The prediction is the most likely tag sequence in which no span continues without having begun, so spans have exact positions. A span's
confidence is the lowest probability of its tags. Of overlapping spans, the longest is used for training. Class weights increase the weight
of rare labels' spans; tokens outside spans have weight one.

Every word is a training target, so a step has 4 to 16 texts by length if there are up to 5,000, and there are 450 steps if 20 epochs allow
it: on 589 sentences of WikiGold, LoRA then reaches a micro-F1 of 0.69, with whole-text batches and rate 0.65, and a dictionary of the
training spans 0.44. The best step has the best micro-F1 of spans with the correct position and label.

## Preference and ranking

The better of two responses, or a ranking of up to five. The encoder reads the prompt with each response (a cross-encoder), and a linear
head scores it. The loss is the cross entropy of which of two is better by the difference of their scores, over all pairs of a row (RankNet,
Bradley and Terry). Two that are about the same have a target of one half; a row with both bad carries no preference and is excluded. A
prompt and a response share the maximum length, and the longer of the two is cut at its end. They're separated by the separator alone, as in
RoBERTa. The best step has the best pair accuracy. The graph stays in fp32.

## Generation

A prompt is formatted with the tokenizer's chat template (without one: the prompt, an empty line, `### Answer`). The loss counts only the
response and its end token, and rows are weighted by length. A row that's too long loses the beginning of its prompt; a response loses its
end only if it doesn't fit on its own. A finding reports both. The best step has the lowest validation loss. At each evaluation the
first four validation rows get a response, shown while the run trains.

**Prompt, p-, and prefix tuning** train only vectors placed before every prompt: in front of the text, generated by a small network, or as
keys and values of every layer. They need decoders and much larger learning rates. Prefix tuning doesn't work with gradient checkpointing.

## Chat

Chats are trained by the same strategies as generation. All turns use the chat template as at inference, including the system turn
(`developer` counts as `system`; if a template has none, its text is placed before the first question). Without a template, a later question
is placed below `### Question`. Users' texts never become template markers.

All assistant responses count in the loss, each with its end token; questions never do, nor do turns with the `weight` 0. A response that
the template formats differently once others follow is read but not a training target, and a finding counts these. An evaluation requests
the last response, given everything before it, and its perplexity is that of the last responses; the validation loss counts all.

A chat that's too long loses its oldest turns, from one question to the next; its system turn, its end, and its response stay. Chats with
tool calls or non-text contents are excluded and counted by reason in a finding and in the evaluation. If a template doesn't support a
chat's order of turns, the run is refused and names one such chat.

## All tasks

- **Serving.** Every artifact except generation models is served from one ONNX graph in fp32, or in int8 if that passed its gate. LoRA and
  IA3 are merged into the graph's weights; bottleneck adapters stay separate layers. IA3 has to know which weights it scales: BERT's,
  RoBERTa's, and DeBERTa's only. Generation models are served by PyTorch, in fp32 or, [if that passed its gate](serving.md#text-generation),
  in bf16: LoRA and virtual tokens beside one copy of the base model, whatever the number of versions; IA3, DoRA, and full weights as a model of their own.
- **Frozen layers** are the lowest ones; they and the embeddings don't train. *Fast LoRA* runs them once, without dropout, and caches their
  token outputs on disk (2 bytes per number) until the run ends.
- **Losses and schedules.** Cross entropy (per label for multi-label, per token for spans), with class weights, label smoothing, or focal
  loss. Schedules: linear, cosine, or constant, each after a warm-up. *Gradient accumulation steps* act as a larger batch; gradient
  checkpointing trades time for memory.
- **Several processes** on one machine each train on their share of every batch and average their gradients (verified with two on a CPU: the
  same curve and weights as one, within rounding; not measured with accelerators here). If one of them ends, the run fails as
  `process_lost` and resumes from its checkpoint; if memory runs out, the run ends instead of continuing with smaller parts.
- **Sharding.** *Shard the model across processes* (`sharded`, torch's FSDP2) stores in each process its part of every weight, gradient,
  and optimizer state, and gathers a layer when it runs, for a model that doesn't fit on one GPU. Each step equals that of one process, and
  outputs are whole: checkpoints, best weights, and artifact are the same files, and a checkpoint can continue in one process too. All
  processes validate together. Every strategy and architecture above is sharded in one test of `tests/engine/test_sharding_table.py`
  (with `make tables` for every task, otherwise covering every pair of the three), except *head only* and *fast LoRA*, which run the whole
  base once before training and are refused. Verified with two processes on a CPU; not measured on GPUs here.
- **Command line.** `lifecycle runs launch DATASET@NUMBER --strategy NAME --set SETTING=VALUE` takes the names in this table.
"""
KEPT = {
    "full": "all weights",
    "lora": "a PEFT adapter",
    "fast_lora": "a PEFT adapter",
    "ia3": "a PEFT adapter",
    "adapter": "adapter weights in our own format, with the loading code in the card",
    "head": "the head",
    "prompt": "a PEFT adapter",
    "p_tuning": "a PEFT adapter",
    "prefix": "a PEFT adapter",
}


def table(head: list[str], rows: list[list[str]], *, centred_from: int) -> str:
    """A Markdown table."""
    rule = ["---" if at < centred_from else ":-:" for at in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def permissions() -> str:
    """The text of docs/permissions.md."""
    rows = [
        [action.label, f"`{name}`", *("●" if role in action.roles else "" for role in Role)]
        for name, action in ACTIONS.items()
    ]
    head = ["permission", "name", *(as_word(role) for role in Role)]
    scopes = table(
        ["scope", "what a token can do with it"],
        [[f"`{scope.value}`", str(scope.label)] for scope in Scope],
        centred_from=2,
    )
    admin = ", ".join(f"`{action}`" for action in sorted(ADMIN_ACTIONS))
    return PERMISSIONS.format(table=table(head, rows, centred_from=2), admin=admin, scopes=scopes)


def audit_verbs() -> str:
    """The text of docs/audit-verbs.md."""
    rows = [[f"`{verb.value}`", str(verb.label)] for verb in Verb]
    return VERBS.format(table=table(["verb", "meaning"], rows, centred_from=2))


def strategies() -> str:
    """The text of docs/strategies.md."""
    order = [name for name in Spec.__dataclass_fields__ if name in INNER]
    rows = []
    for each in Strategy:
        names = {
            name for found in (CLASSED, WRITTEN) if each in found.strategies for name in found.inner(each)
        }
        own = ", ".join(f"`{name}`" for name in order if name in names)
        rate = f"{encoder_settings.ENCODER_RATE.get(each, 'none')}" if each in CLASSED.strategies else "–"
        written = f"{text_settings.RATE[each]:g}" if each in WRITTEN.strategies else "–"
        rows.append(
            [f"**{each.label}** `{each.value}`", CONSEQUENCE[each], own or "none", rate, written, KEPT[each]]
        )
    head = [
        "strategy",
        "what it trains",
        "settings",
        "learning rate, encoders",
        "learning rate, generation",
        "artifact",
    ]
    return STRATEGIES.format(
        table=table(head, rows, centred_from=9), bases=strategy_bases(), decoders=strategy_decoders()
    )


def strategy_bases() -> str:
    """Strategies by architecture, with the tasks that each learns there."""
    known = {"single_label": "1", "multi_label": "n", "spans": "s", "preference": "r"}
    learned = [task for task in LEARNED if task in known]
    cells = {
        each: " ".join(known[task] for task in learned if each in settings_of(task).strategies)
        for each in Strategy
    }
    rows = [
        [
            each.label,
            *(
                "–" if each == Strategy.IA3 and name not in CLASSED.ia3_models else cells[each]
                for name in MODELS
            ),
        ]
        for each in Strategy
        if each in CLASSED.strategies
    ]
    return table(["strategy", *MODELS], rows, centred_from=1)


def strategy_decoders() -> str:
    """Strategies of writing texts by architecture."""
    rows = [
        [
            each.label,
            *(
                "–" if each == Strategy.IA3 and name not in WRITTEN.ia3_models else "t"
                for name in ARCHITECTURES
            ),
        ]
        for each in Strategy
        if each in WRITTEN.strategies
    ]
    return table(["strategy", *ARCHITECTURES], rows, centred_from=1)


PAGES = {"permissions.md": permissions, "audit-verbs.md": audit_verbs, "strategies.md": strategies}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
