"""The verbs that are one request of the API. Their parameters are in `operations.json`, made from the API's
schema.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Verb(NamedTuple):
    """One request. name: noun and verb. call: method and path, in which {dataset} is an argument that
    `find.REFERENCES` looks up.

    columns: "HEAD=template; …" of a list or of the result, all fields without it; a name alone is its own
    head. Where a noun's module formats the result, there are none here. text: lines after it is done, or in
    place of an empty list. arguments: positional fields. hides: fields that aren't offered. sets: fields with
    a fixed value, or {field} of an argument's object. within: an argument that others are looked up in.
    flags: field=option, where their names differ. joins: a field of several lines; each use of the option
    adds one, or those of @FILE. optional: fields that `ADJUSTS` fills in. then: the path of what is shown in
    place of the response, once its job is done. fails: a field that gives exit code 1 if it isn't empty; with
    ! before it, if it is empty. page: path on the site. help: replaces the description's first sentence.
    """

    name: str
    call: str
    columns: str = ""
    text: str = ""
    arguments: str = ""
    hides: str = ""
    sets: tuple[tuple[str, Any], ...] = ()
    within: str = ""
    flags: str = ""
    joins: str = ""
    optional: str = ""
    then: str = ""
    fails: str = ""
    page: str = ""
    help: str = ""


def placeholders(verb: Verb) -> list[str]:
    """What the command's first arguments refer to."""
    return [*verb.within.split(), *re.findall(r"{(\w+)}", verb.call)]


VERBS = (
    Verb(
        "tokens list",
        "GET /tokens/",
        "token=uuid; owner={user}; name; scopes; last used=last_used_at; expires=expires_at",
        "No active tokens.",
        help="List your active tokens; --all: everyone's, for organisation admins.",
    ),
    Verb(
        "tokens revoke",
        "DELETE /tokens/{token}/",
        text="Token {token.uuid} is revoked.",
        help="Revoke a token at once.",
    ),
    Verb(
        "projects list",
        "GET /projects/",
        "project=slug; name; created=created_at",
        "No projects.",
        help="List the projects in which you have a role.",
    ),
    Verb("projects members", "GET /projects/{of_project}/members/", "user={user}; roles"),
    Verb(
        "jobs list",
        "GET /jobs/",
        "job=uuid; kind; state; priority; stage; started=started_at; message",
        "No jobs yet.",
    ),
    Verb(
        "jobs show",
        "GET /jobs/{job}/",
        "job=uuid; kind; state; priority; place; stage; progress={done:,} of {total:,} {unit}; message;"
        " error; next=next_step; created=created_at; started=started_at; finished=finished_at",
    ),
    Verb("jobs cancel", "POST /jobs/{job}/cancel/", text="Job {job.uuid} is {state}."),
    Verb(
        "datasets list",
        "GET /datasets/",
        "dataset=slug; project={project:project}; name; task; items; created=created_at",
        "No datasets yet.",
        help="List datasets, newest first.",
    ),
    Verb("datasets show", "GET /datasets/{dataset}/", page="/datasets/{uuid}/", help="Show a dataset."),
    Verb(
        "datasets create",
        "POST /datasets/",
        text="Dataset {slug} created.\nUpload a file: lifecycle datasets upload FILE --dataset {slug}",
        arguments="name",
        help="Create a dataset.",
    ),
    Verb(
        "dataset-versions list",
        "GET /dataset-versions/",
        "version={dataset:dataset}@{number:d}; rows={counts.rows}; note; created=created_at",
        "No dataset versions yet. Create one: lifecycle dataset-versions create DATASET",
        help="List versions, newest first.",
    ),
    Verb(
        "dataset-versions show",
        "GET /dataset-versions/{dataset_version}/",
        "version={dataset:dataset}@{number:d}; rows={counts.rows}; splits={counts.splits}; digest;"
        " test_digest; note; created=created_at",
        page="/dataset-versions/{uuid}/",
        help="Show a version with its digests, counts, and splits.",
    ),
    Verb("dataset-versions trace", "GET /trace/dataset-versions/{dataset_version}/"),
    Verb("items show", "GET /items/{item}/", within="dataset", help="Show an item and where it came from."),
    Verb("items trace", "GET /trace/items/{item}/", within="dataset"),
    Verb(
        "items list",
        "GET /datasets/{dataset}/items/",
        "item={external_id|digest:short}; split; text={text|digest:line}; uuid",
        "No item matches.",
        flags="q=search",
        help="List the items that match, newest first.",
    ),
    Verb(
        "slices list",
        "GET /datasets/{dataset}/slices/",
        "slice=name; items={size|'not counted'}; counted=counted_at; shared; uuid",
        "No slices yet, or none that are shared with you.",
        help="List saved filters, newest first.",
    ),
    Verb("slices show", "GET /slices/{slice}/", within="dataset", help="Show the filters of a slice."),
    Verb(
        "slices count",
        "POST /slices/{slice}/count/",
        within="dataset",
        text="Counting {slice.uuid}.",
        help="Count what a slice matches now.",
    ),
    Verb(
        "slices delete",
        "DELETE /slices/{slice}/",
        within="dataset",
        text="Slice {slice.uuid} is deleted.",
        help="Delete a slice; its items stay.",
    ),
    Verb(
        "data-issues list",
        "GET /datasets/{dataset}/data-issues/",
        "issue=uuid; score; texts=size; label={given_label|labels}; predicted=predicted_label; status",
        "No such data issues.",
        help="List the data issues of one kind and status, highest score first.",
    ),
    Verb("data-issues show", "GET /data-issues/{issue}/", help="Show a data issue with its items."),
    Verb(
        "data-issues confirm",
        "POST /data-issues/{issue}/confirm/",
        text="Confirmed.",
        hides="seen",
        help="Confirm a data issue; no label changes.",
    ),
    Verb(
        "data-issues dismiss",
        "POST /data-issues/{issue}/dismiss/",
        text="Dismissed.",
        hides="seen",
        help="Dismiss a data issue; later scans skip it.",
    ),
    Verb(
        "data-issues reopen",
        "POST /data-issues/{issue}/reopen/",
        text="Open again.",
        hides="seen",
        help="Reopen a data issue.",
    ),
    Verb(
        "queues list",
        "GET /labeling/queues/",
        "queue=name; dataset={dataset:dataset}; state; annotations={slots_done} of {slots_total};"
        " labeled={items_labeled} of {items_total}; to adjudicate=items_disputed; to accept=items_agreed;"
        " due=due_on",
        "No queues. Open one: lifecycle queues open DATASET NAME",
        hides="name",
        help="List queues with their progress, newest first.",
    ),
    Verb(
        "queues show",
        "GET /labeling/queues/{queue}/",
        page="/labeling/{uuid}/",
        help="Show a queue and its progress.",
    ),
    Verb(
        "queues open",
        "POST /labeling/queues/",
        arguments="dataset name",
        flags="due_on=due items=item people=person",
        page="/labeling/{uuid}/",
        help="Open a queue with the newest labels of a dataset.",
    ),
    Verb(
        "queues pause",
        "POST /labeling/queues/{queue}/pause/",
        text="{name} is paused.",
        help="Pause a queue: nothing new is assigned.",
    ),
    Verb(
        "queues resume",
        "POST /labeling/queues/{queue}/resume/",
        text="{name} is open again.",
        help="Resume a queue.",
    ),
    Verb(
        "queues close",
        "POST /labeling/queues/{queue}/close/",
        text="{name} is closed.",
        help="Close a queue for good; annotations stay.",
    ),
    Verb(
        "queues change",
        "PUT /labeling/queues/{queue}/",
        flags="due_on=due people=person",
        optional="order due_on people",
        page="/labeling/{uuid}/",
        help="Change the order, due date, or annotators; what isn't given stays, none clears it.",
    ),
    Verb(
        "functions list",
        "GET /labeling/datasets/{dataset}/functions/",
        text="No active labeling functions.",
        help="List the active labeling functions, oldest first.",
    ),
    Verb(
        "functions apply",
        "POST /labeling/datasets/{dataset}/functions/apply/",
        text="{done} items read. {message}",
        help="Apply the active labeling functions to the items they haven't read yet.",
    ),
    Verb(
        "functions retire",
        "POST /labeling/functions/{function}/retire/",
        within="dataset",
        text="{name} is retired.",
        help="Retire a labeling function; its pre-labels stay.",
    ),
    Verb(
        "functions try",
        "POST /labeling/datasets/{dataset}/functions/preview/",
        joins="pattern",
        flags="pattern=word",
        optional="kind",
        help="Show what words or an expression match in a sample, and their precision; nothing is saved.",
    ),
    Verb(
        "functions publish",
        "POST /labeling/datasets/{dataset}/functions/",
        text=(
            "{name} version {version} is active and pre-labels {label.called}.\nApply it: lifecycle functions"
            " apply {dataset.slug}"
        ),
        arguments="name",
        joins="pattern",
        flags="pattern=word",
        optional="kind",
        help="Publish a labeling function, or with --changes its next version.",
    ),
    Verb(
        "proposals list",
        "GET /labeling/datasets/{dataset}/proposals/",
        text="No such proposals.",
        help="List the proposals of a dataset; without the right to manage labels, only your own.",
    ),
    Verb(
        "proposals create",
        "POST /labeling/datasets/{dataset}/proposals/",
        text="Proposed: {uuid}. A label manager accepts or declines it.",
        arguments="text",
        hides="version",
        flags="labels=label",
        help="Propose a change of the guideline.",
    ),
    Verb(
        "proposals decline",
        "POST /labeling/proposals/{proposal_uuid}/decline/",
        text="Declined; {by} sees your reason.",
        help="Decline an open proposal, with a reason for its author.",
    ),
    Verb("proposals withdraw", "POST /labeling/proposals/{proposal_uuid}/withdraw/", text="Withdrawn."),
    Verb(
        "comments write",
        "POST /labeling/queues/{queue}/comments/",
        text="Comment {uuid} added.",
        arguments="item text",
        hides="start end quote",
        help="Comment on an item, or reply; people mentioned by @name are notified.",
    ),
    Verb(
        "comments resolve",
        "POST /labeling/queues/{queue}/comments/resolve/",
        text="The conversation is resolved.",
        arguments="comment",
        sets=(("resolved", True),),
        help="Resolve a conversation.",
    ),
    Verb(
        "comments reopen",
        "POST /labeling/queues/{queue}/comments/resolve/",
        text="The conversation is open again.",
        arguments="comment",
        sets=(("resolved", False),),
        help="Reopen a conversation.",
    ),
    Verb(
        "comments list",
        "GET /labeling/queues/{queue}/comments/",
        text="No such conversations.",
        help="List the conversations you may read, newest first.",
    ),
    Verb(
        "gold list",
        "GET /labeling/datasets/{dataset}/gold/",
        "item; truth=words; annotations=asked; correct=right; set=created_at",
        "No such gold items.",
        help="List gold items, newest first.",
    ),
    Verb(
        "gold set",
        "POST /labeling/datasets/{dataset}/gold/",
        text="Gold item {item.called}: {words}",
        arguments="item",
        help="Make an item gold, or change its true label.",
    ),
    Verb(
        "gold sample",
        "POST /labeling/datasets/{dataset}/gold/sample/",
        text="{made} items became gold.",
        help="Make a random sample of reviewed items gold.",
    ),
    Verb(
        "gold retire",
        "POST /labeling/datasets/{dataset}/gold/retire/",
        arguments="item",
        help="Retire an item's gold; annotations of it stay.",
    ),
    Verb(
        "gold rate",
        "POST /labeling/queues/{queue}/gold/",
        arguments="gold_rate",
        flags="gold_feedback=feedback gold_minimum=minimum gold_holds=holds",
        help="Set how much gold a queue mixes in; what isn't given stays.",
    ),
    Verb(
        "checks accept",
        "POST /labeling/checks/{check}/accept/",
        then="/labeling/checks/{check}/",
        help="Accept what waited when the sample was drawn and still does.",
    ),
    Verb(
        "checks drop",
        "POST /labeling/checks/{check}/discard/",
        text="The check of {check.name} is dropped; nothing was accepted.",
        help="End a check and accept nothing.",
    ),
    Verb(
        "checks show",
        "GET /labeling/queues/{queue}/checks/",
        help="Show what waits to be accepted, and the sample.",
    ),
    Verb(
        "checks draw",
        "POST /labeling/queues/{queue}/checks/",
        help="Draw a random sample, without items you annotated yourself.",
    ),
    Verb(
        "corrections list",
        "GET /labeling/datasets/{dataset}/corrections/",
        "correction=uuid; file=file_name; state; changed={report.look.counts.changed|nothing}; "
        "moved={report.look.counts.moved|nothing}; uploaded=created_at",
        "No corrected labels yet.",
        help="List the newest 30 files of a dataset.",
    ),
    Verb(
        "corrections discard",
        "POST /labeling/corrections/{correction}/discard/",
        text="{file_name} is discarded.",
        help="Discard a file that isn't accepted yet: yours, or as an ML lead any.",
    ),
    Verb(
        "base-models list",
        "GET /base-models/",
        "base model=name; project={project:project}; kind; imported={root_digest}; created=created_at",
        "No base models yet.",
    ),
    Verb(
        "base-models create",
        "POST /base-models/",
        arguments="run",
        hides="path name hub_id revision",
        sets=(("kind", "run"),),
        help="Make a run's model a base that other runs start from; asking twice returns the same one.",
    ),
    Verb(
        "runs show",
        "GET /runs/{run}/",
        "run={number:d}, {state}; project={project:project}; strategy; step={step} of {total_steps}; note; "
        "launched=created_at; finished=finished_at",
        page="/runs/{uuid}/",
        help="Show a run.",
    ),
    Verb(
        "runs stop",
        "POST /runs/{run}/stop/",
        text="Run {number:d} stops at its next step, with a checkpoint.",
        help="Stop a run at its next step, with a checkpoint.",
    ),
    Verb(
        "runs pause",
        "POST /runs/{run}/pause/",
        text="Run {number:d} pauses at its next step, with a checkpoint.",
        help="Pause a run at its next step, with a checkpoint.",
    ),
    Verb(
        "runs resume",
        "POST /runs/{run}/resume/",
        text="Run {number:d} is {state}.",
        help="Resume a run from its last checkpoint.",
    ),
    Verb("runs evaluate", "POST /runs/{run}/evaluate/", text="Evaluated.", help="Evaluate a run on a split."),
    Verb(
        "sweeps cancel",
        "POST /sweeps/{sweep}/cancel/",
        text="Sweep {number:d} is {state}. {ending.message}",
        help="Cancel a sweep: no other trial starts, and the running one stops.",
    ),
    Verb(
        "sweeps list",
        "GET /sweeps/",
        "sweep={number:d}; project={project:project}; state; strategy; ended; of=trials; score=best; "
        "metric={leading:score}; started=created_at; note",
        "No sweeps yet. Start one: lifecycle sweeps start DATASET@NUMBER --search NAME=LOW..HIGH",
        hides="number",
        help="List sweeps, newest first.",
    ),
    Verb(
        "sweeps show",
        "GET /sweeps/{sweep}/",
        page="/runs/sweeps/{uuid}/",
        help="Show a sweep with its trials.",
    ),
    Verb(
        "models list",
        "GET /models/",
        "model=slug; project={project:project}; name",
        "No models yet. Create one: lifecycle models create SLUG",
    ),
    Verb(
        "models create",
        "POST /models/",
        text="Model {slug} created.\nNext: lifecycle models register RUN {slug}@1.0.0",
        arguments="slug",
        optional="name",
    ),
    Verb(
        "models versions",
        "GET /models/{model}/versions/",
        "version=semver; state; digest=root_digest; registered=registered_at",
        "No versions yet.",
    ),
    Verb(
        "models show",
        "GET /versions/{version}/",
        page="/models/versions/{uuid}/",
        help="Show a version with its lineage, digest, and state.",
    ),
    Verb("models quarantine", "POST /versions/{version}/quarantine/", text="{semver} is in quarantine."),
    Verb(
        "promotions list",
        "GET /promotions/",
        "request={number:d}; project={project:project}; endpoint={endpoint:endpoint}; status;"
        " requested=created_at; due=due_at",
        "No requests yet.",
        hides="number",
    ),
    Verb(
        "promotions check",
        "POST /promotions/{request}/check/",
        text="The gates of request {number:d} are being checked.",
    ),
    Verb(
        "promotions withdraw", "POST /promotions/{request}/withdraw/", text="Request {number:d} is withdrawn."
    ),
    Verb("promotions show", "GET /promotions/{request}/", page="/promotions/{uuid}/"),
    Verb(
        "endpoints list",
        "GET /endpoints/",
        "endpoint=full_name; environment; policy; live",
        "No endpoints yet.",
    ),
    Verb(
        "endpoints create",
        "POST /models/{model}/endpoints/",
        text="Endpoint {full_name} created.",
        arguments="slug",
    ),
    Verb(
        "endpoints deployments",
        "GET /endpoints/{endpoint}/deployments/",
        "version=semver; arm; share; cause; started=started_at; ended=ended_at; reason=end_reason",
        "Nothing was deployed yet.",
    ),
    Verb(
        "endpoints roll-back",
        "POST /endpoints/{endpoint}/roll-back/",
        text="{semver} is live on {endpoint.full_name} again.",
        sets=(("seen_moves", "{endpoint.moves}"),),
        flags="typed=to",
        help="Roll back to the previous live version, which --to names to be sure.",
    ),
    Verb(
        "endpoints freeze",
        "POST /endpoints/{endpoint}/freeze/",
        text="{endpoint.full_name} is frozen until {until} UTC.",
    ),
    Verb(
        "endpoints tokens",
        "GET /endpoints/{endpoint}/tokens/",
        "token=uuid; service account=name; expires=expires_at",
        "No active tokens.",
        help="List the active tokens of programs that use an endpoint.",
    ),
    Verb("endpoints revoke-token", "DELETE /endpoint-tokens/{token}/", text="Token {token.uuid} is revoked."),
    Verb(
        "endpoints status",
        "GET /endpoints/{endpoint}/",
        page="/endpoints/{uuid}/",
        help="Show what's live, the rollback target, and the servers.",
    ),
    Verb(
        "endpoints traffic",
        "GET /endpoints/{endpoint}/series/",
        hides="step version",
        help="Show the requests, latency, feedback, and cost; by default of the last 24 hours.",
    ),
    Verb(
        "canary pause",
        "POST /rollouts/{rollout}/pause/",
        text="{semver} stays at {share:share} on {rollout.full_name}. It's still rolled back if it fails.",
        sets=(("seen", "{rollout.moves}"),),
    ),
    Verb(
        "canary resume",
        "POST /rollouts/{rollout}/resume/",
        text="The rule widens {semver} on {rollout.full_name} again; it's at {share:share}.",
        sets=(("seen", "{rollout.moves}"),),
        help="Let the rule widen again.",
    ),
    Verb(
        "canary widen",
        "POST /rollouts/{rollout}/widen/",
        text="{semver} answers {share:share} on {rollout.full_name}.",
        sets=(("seen", "{rollout.moves}"),),
    ),
    Verb(
        "canary abort",
        "POST /rollouts/{rollout}/abort/",
        text="{baseline_semver} answers all requests on {rollout.full_name} again; {semver} is stopped.",
        sets=(("seen", "{rollout.moves}"),),
        flags="typed=to",
    ),
    Verb(
        "canary status",
        "GET /rollouts/{newest_rollout}/",
        page="/rollouts/{uuid}/",
        help="Show a canary and the rule's current decision.",
    ),
    Verb(
        "shadow stop",
        "POST /deployments/{shadow}/stop-shadow/",
        text="{semver} gets no more copies of requests on {shadow.full_name}.",
    ),
    Verb(
        "shadow start",
        "POST /endpoints/{endpoint}/shadow/",
        text=(
            "{semver} answers copies of {share:share} of the requests on {endpoint.full_name}. No client gets"
            " its answers.\nStop it: lifecycle shadow stop {endpoint.full_name}"
        ),
        arguments="version",
    ),
    Verb(
        "drift history",
        "GET /endpoints/{endpoint}/drift/reports/",
        text="Not measured yet. Measure it: lifecycle drift measure {endpoint.full_name}",
    ),
    Verb(
        "drift show",
        "GET /endpoints/{endpoint}/drift/",
        fails="open",
        page="/drift/endpoints/{endpoint[uuid]}/",
        help="Show the latest window against the evaluation, and open drift.",
    ),
    Verb(
        "drift measure",
        "POST /endpoints/{endpoint}/drift/measure/",
        then="/endpoints/{endpoint}/drift/",
        page="/drift/endpoints/{endpoint[uuid]}/",
    ),
    Verb(
        "alerts suppressed",
        "GET /alerts/suppressed/",
        "at; endpoint={endpoint:endpoint}; rule; state; why; times",
        "Nothing was suppressed.",
    ),
    Verb(
        "alerts ack",
        "POST /alerts/{alert}/acknowledge/",
        text="You own this alert: {title}",
        sets=(("seen", "{alert.state}"),),
        help="Acknowledge an alert: you own it, and it doesn't notify again.",
    ),
    Verb(
        "alerts resolve",
        "POST /alerts/{alert}/resolve/",
        text="Resolved: {title}",
        sets=(("seen", "{alert.state}"),),
        help="Resolve an alert, with what you found.",
    ),
    Verb("alerts show", "GET /alerts/{alert}/", page="/alerts/{uuid}/"),
    Verb(
        "silences list",
        "GET /silences/",
        "silence=uuid; endpoint={endpoint:endpoint}; project={project:project}; rule={source|'all'}; until;"
        " reason",
        "No active silences.",
    ),
    Verb("silences end", "POST /silences/{silence}/end/", text="Alerts notify again."),
    Verb(
        "silences create",
        "POST /silences/",
        text=(
            "No notifications about {endpoint.full_name|project:project} until {until} UTC.\nEnd it:"
            " lifecycle silences end {uuid}"
        ),
        flags="until=for source=rule",
    ),
    Verb(
        "objectives list",
        "GET /endpoints/{endpoint}/objectives/",
        text="{endpoint.full_name} has no objectives yet. Set them on its page.",
    ),
    Verb(
        "channels list",
        "GET /channels/",
        "channel=name; kind; to=host; takes=wants; ={is_on:on}",
        "No channels. An ML lead or on-call adds one on the alerts page.",
    ),
    Verb(
        "channels test",
        "POST /channels/{channel}/test/",
        text="A test message is on its way over {channel.name}. See how it went: {page}",
        hides="once",
        page="/alerts/channels/",
    ),
    Verb(
        "retraining list",
        "GET /retraining/",
        text="No proposals. Reasons for one: lifecycle retraining consider ENDPOINT",
    ),
    Verb(
        "retraining triggers",
        "GET /endpoints/{endpoint}/retraining/triggers/",
        "trigger=kind; ={enabled:on}; threshold={threshold:g}; cooldown days=cooldown_days; min."
        " labels=min_labels; set=set_at",
        "No trigger proposes a retraining of {endpoint.full_name}. Set one on its page.",
    ),
    Verb(
        "retraining withdraw",
        "POST /retraining/{proposal}/withdraw/",
        text="Proposal {number:d} is withdrawn.",
        help="Withdraw a proposal: its training stops, and its promotion is withdrawn.",
    ),
    Verb("retraining retry", "POST /retraining/{proposal}/retry/", text="Proposal {number:d} is {state}."),
    Verb(
        "retraining show",
        "GET /retraining/{proposal}/",
        page="/retraining/{uuid}/",
        help="Show a proposal with its reasons.",
    ),
    Verb(
        "retraining consider",
        "GET /endpoints/{endpoint}/retraining/consider/",
        fails="!possible",
        help="Show the reasons for and against it now. Changes nothing.",
    ),
    Verb("retraining propose", "POST /retraining/", arguments="endpoint", page="/retraining/{uuid}/"),
    Verb(
        "audit list",
        "GET /audit/events/",
        "at; verb; actor; object={object_type} {object_id}; seq",
        "No events match.",
        help="List events of the audit log, newest first.",
    ),
    Verb(
        "quality show",
        "GET /labeling/queues/{queue}/quality/",
        page="/labeling/{queue[uuid]}/quality/",
        help="Show the latest measurement: agreement with intervals, annotators, and confused labels.",
    ),
    Verb(
        "quality measure",
        "POST /labeling/queues/{queue}/quality/",
        then="/labeling/queues/{queue}/quality/",
        page="/labeling/{queue[uuid]}/quality/",
        help="Measure the quality of a queue now, then show it.",
    ),
    Verb(
        "evaluations list",
        "GET /evaluations/",
        "split; rows; macro F1=macro_f1; accuracy; micro F1=micro_f1; ECE=ece; created=created_at; uuid",
        "No evaluations yet: a run is evaluated when it has succeeded.",
        arguments="run",
        help="List the evaluations of a run, newest first.",
    ),
    Verb("evaluations show", "GET /evaluations/{evaluation}/", help="Show the report of an evaluation."),
    Verb(
        "drill inject",
        "POST /deployments/{arm}/inject-fault/",
        text=(
            "{share:share} of the requests to {arm.semver} on {endpoint.full_name} {kind:fault} until {until}"
            " UTC.\nStop it: lifecycle drill stop {endpoint.full_name} {arm.arm}"
        ),
        within="endpoint",
    ),
    Verb(
        "drill stop",
        "POST /deployments/{arm}/remove-fault/",
        text="{arm.semver} on {endpoint.full_name} has no injected fault anymore.",
        within="endpoint",
    ),
    Verb(
        "outcomes list",
        "GET /endpoints/{endpoint}/kpis/",
        "figure=name; kind; unit; better=direction; hold-out={holdout_share:%}; uuid",
        "{endpoint.full_name} has no business figures yet. An ML lead defines one.",
        help="List the business figures of an endpoint.",
    ),
    Verb(
        "outcomes define",
        "POST /endpoints/{endpoint}/kpis/",
        text=(
            "{name} of {endpoint.full_name} is compared with a hold-out of {holdout_share:%} of the"
            " cases.\nSend outcomes: lifecycle outcomes send {endpoint.full_name} cases.jsonl --figure {uuid}"
        ),
        arguments="name",
        flags="direction=better holdout_share=hold-out",
        help="Define a business figure that an endpoint should move; it can't be changed later.",
    ),
    Verb(
        "overview dashboard",
        "GET /dashboard/",
        page="/dashboard/",
        help="Show how the models do, and what needs a person.",
    ),
)
