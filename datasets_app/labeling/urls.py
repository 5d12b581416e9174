from __future__ import annotations

from django.urls import path

from datasets_app.labeling.views.bench import bench, flag, heartbeat, release, skip, submit, undo
from datasets_app.labeling.views.changes import change_classes, move_decisions, move_queue
from datasets_app.labeling.views.checks import accept_check, drop_check, start_check
from datasets_app.labeling.views.comments import comment, comments, people, resolve_comment
from datasets_app.labeling.views.corrections import accept_corrections, bring_corrections, correction, corrections, discard_corrections
from datasets_app.labeling.views.exports import brought, download, exports, queue_exports
from datasets_app.labeling.views.gold import gold, gold_item, let_go_on, mix_gold, retire_gold, sample_gold
from datasets_app.labeling.views.learning import learn, queue_learning
from datasets_app.labeling.views.pages import open_queue, queue_list, queue_page
from datasets_app.labeling.views.proposals import decline_proposal, withdraw_proposal
from datasets_app.labeling.views.proposing import know_guideline, propose
from datasets_app.labeling.views.quality import measure, quality, quality_items
from datasets_app.labeling.views.review import decide, return_item, review, undo_decision
from datasets_app.labeling.views.schemas import schema, schema_version
from datasets_app.labeling.views.steering import change_queue, close, pause, prefer, reorder, resume
from datasets_app.labeling.views.suggesting import apply_rules, preview_rule, retire_rule, rule, rules, write_rule

app_name = "labeling"
urlpatterns = [
    path("", queue_list, name="list"),
    path("datasets/<uuid:uuid>/open/", open_queue, name="open"),
    path("datasets/<uuid:uuid>/schema/", schema, name="schema"),
    path("datasets/<uuid:uuid>/schema/<int:version>/", schema_version, name="schema_version"),
    path("datasets/<uuid:uuid>/schema/change/", change_classes, name="change_classes"),
    path("datasets/<uuid:uuid>/schema/move/", move_decisions, name="move_decisions"),
    path("datasets/<uuid:uuid>/propose/", propose, name="propose"),
    path("proposals/<uuid:uuid>/decline/", decline_proposal, name="decline_proposal"),
    path("proposals/<uuid:uuid>/withdraw/", withdraw_proposal, name="withdraw_proposal"),
    path("datasets/<uuid:uuid>/exports/", exports, name="exports"),
    path("exports/<uuid:uuid>/", download, name="download"),
    path("uploads/<uuid:uuid>/", brought, name="brought"),
    path("datasets/<uuid:uuid>/rules/", rules, name="rules"),
    path("datasets/<uuid:uuid>/rules/new/", write_rule, name="write_rule"),
    path("datasets/<uuid:uuid>/rules/preview/", preview_rule, name="preview_rule"),
    path("datasets/<uuid:uuid>/rules/apply/", apply_rules, name="apply_rules"),
    path("datasets/<uuid:uuid>/corrections/", corrections, name="corrections"),
    path("datasets/<uuid:uuid>/corrections/bring/", bring_corrections, name="bring_corrections"),
    path("corrections/<uuid:uuid>/", correction, name="correction"),
    path("corrections/<uuid:uuid>/accept/", accept_corrections, name="accept_corrections"),
    path("corrections/<uuid:uuid>/discard/", discard_corrections, name="discard_corrections"),
    path("rules/<uuid:uuid>/", rule, name="rule"),
    path("rules/<uuid:uuid>/retire/", retire_rule, name="retire_rule"),
    path("datasets/<uuid:uuid>/gold/", gold, name="gold"),
    path("datasets/<uuid:uuid>/gold/sample/", sample_gold, name="sample_gold"),
    path("items/<uuid:uuid>/gold/", gold_item, name="gold_item"),
    path("items/<uuid:uuid>/gold/retire/", retire_gold, name="retire_gold"),
    path("<uuid:uuid>/", queue_page, name="queue"),
    path("<uuid:uuid>/gold/", mix_gold, name="mix_gold"),
    path("<uuid:uuid>/let-go-on/", let_go_on, name="let_go_on"),
    path("<uuid:uuid>/exports/", queue_exports, name="queue_exports"),
    path("<uuid:uuid>/pause/", pause, name="pause"),
    path("<uuid:uuid>/resume/", resume, name="resume"),
    path("<uuid:uuid>/change/", change_queue, name="change_queue"),
    path("<uuid:uuid>/reorder/", reorder, name="reorder"),
    path("<uuid:uuid>/learning/", queue_learning, name="learning"),
    path("<uuid:uuid>/learn/", learn, name="learn"),
    path("<uuid:uuid>/prefer/", prefer, name="prefer"),
    path("<uuid:uuid>/move/", move_queue, name="move_queue"),
    path("<uuid:uuid>/close/", close, name="close"),
    path("<uuid:uuid>/bench/", bench, name="bench"),
    path("<uuid:uuid>/submit/", submit, name="submit"),
    path("<uuid:uuid>/skip/", skip, name="skip"),
    path("<uuid:uuid>/undo/", undo, name="undo"),
    path("<uuid:uuid>/heartbeat/", heartbeat, name="heartbeat"),
    path("<uuid:uuid>/release/", release, name="release"),
    path("<uuid:uuid>/flag/", flag, name="flag"),
    path("<uuid:uuid>/comment/", comment, name="comment"),
    path("<uuid:uuid>/check/", start_check, name="start_check"),
    path("checks/<uuid:uuid>/accept/", accept_check, name="accept_check"),
    path("checks/<uuid:uuid>/drop/", drop_check, name="drop_check"),
    path("<uuid:uuid>/comments/", comments, name="comments"),
    path("<uuid:uuid>/comments/resolve/", resolve_comment, name="resolve_comment"),
    path("<uuid:uuid>/guideline/known/", know_guideline, name="know_guideline"),
    path("<uuid:uuid>/people/", people, name="people"),
    path("<uuid:uuid>/review/", review, name="review"),
    path("<uuid:uuid>/decide/", decide, name="decide"),
    path("<uuid:uuid>/return/", return_item, name="return_item"),
    path("<uuid:uuid>/quality/", quality, name="quality"),
    path("<uuid:uuid>/quality/measure/", measure, name="measure"),
    path("<uuid:uuid>/quality/items/", quality_items, name="quality_items"),
    path("<uuid:uuid>/undo-decision/", undo_decision, name="undo_decision"),
]
