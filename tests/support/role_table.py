"""Every address of the product, and what a GET and a POST answer to everybody; helpers of the tests that walk
over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from unittest import mock

from django.contrib.auth import middleware
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from lifecycle.roof.home import health
from tests.support.described import described, faults
from tests.support.kept import rolled_back
from tests.support.pairs import WHOLE
from tests.support.people import sign_in
from tests.support.world import World

# One letter a person. L: has to sign in. "." 404: there is nothing. x: 403, not theirs. -: 405, no such
# method.
# +: permitted, whatever status the empty form or the object's state then gives (200, 400, 409, 422, or a
# redirect).
PEOPLE = [None, "otto", "zoe", "adam", "ana", "ravi", "mia", "lee", "gita", "omar", "aida"]
# anonymous, a stranger, a lead elsewhere, the organisation's admin, then by role:
# analyst, adjudicator, engineer, lead, governance, on-call, auditor.

# address, the thing that its uuid names, GET, POST
TABLE = r"""
# data: accounts
/accounts/login/                                           |            | ++++ +++++++ | ++++ +++++++
/accounts/logout/                                          |            | L+++ +++++++ | LLLL LLLLLLL
/accounts/inactive/                                        |            | ++++ +++++++ | ---- -------
/accounts/signup/                                          |            | ++++ +++++++ | ++++ +++++++
/accounts/reauthenticate/                                  |            | L+++ +++++++ | L+++ +++++++
/accounts/email/                                           |            | L+++ +++++++ | L+++ +++++++
/accounts/confirm-email/                                   |            | ++++ +++++++ | ---- -------
/accounts/password/change/                                 |            | L+++ +++++++ | L+++ +++++++
/accounts/password/set/                                    |            | L+++ +++++++ | L+++ +++++++
/accounts/password/reset/                                  |            | ++++ +++++++ | ++++ +++++++
/accounts/login/code/confirm/                              |            | L+++ +++++++ | L+++ +++++++
/accounts/^confirm-email/(?P<key>[-:\w]+)/$                |            | ++++ +++++++ | .... .......
/accounts/password/reset/key/done/                         |            | ++++ +++++++ | ---- -------
/accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$ |            | ++++ +++++++ | ++++ +++++++
/accounts/password/reset/done/                             |            | ++++ +++++++ | ---- -------
/accounts/2fa/                                             |            | L+++ +++++++ | L--- -------
/accounts/2fa/authenticate/                                |            | L+++ +++++++ | L+++ +++++++
/accounts/2fa/reauthenticate/                              |            | L+++ +++++++ | L+++ +++++++
/accounts/2fa/totp/activate/                               |            | L+++ +++++++ | L+++ +++++++
/accounts/2fa/totp/deactivate/                             |            | L... ....... | L... .......
/accounts/2fa/recovery-codes/                              |            | L... ....... | L--- -------
/accounts/2fa/recovery-codes/generate/                     |            | L+++ +++++++ | L+++ +++++++
/accounts/2fa/recovery-codes/download/                     |            | L... ....... | L... .......
# data: home
/favicon.ico                                               |            | ++++ +++++++ | ---- -------
/                                                          |            | L+++ +++++++ | ---- -------
/navigation/counts/                                        |            | L+++ +++++++ | ---- -------
/find/                                                     |            | L+++ +++++++ | ---- -------
/statistics/                                               |            | L+++ +++++++ | ---- -------
/styleguide/                                               |            | L+++ +++++++ | ---- -------
/healthz                                                   |            | ++++ +++++++ | ---- -------
/readyz                                                    |            | ++++ +++++++ | ---- -------
/metrics                                                   |            | ++++ +++++++ | ---- -------
# data: access
/access/profile/                                           |            | L+++ +++++++ | L+++ +++++++
/access/theme/                                             |            | ---- ------- | L+++ +++++++
/access/tokens/                                            |            | Lxx+ xxxxxxx | ---- -------
/access/tokens/create/                                     |            | ---- ------- | L+++ +++++++
/access/tokens/<uuid:uuid>/revoke/                         | token      | ---- ------- | L..+ +......
/access/projects/                                          |            | L+++ +++++++ | ---- -------
/access/projects/create/                                   |            | ---- ------- | Lxx+ xxxxxxx
/access/projects/<uuid:uuid>/                              | project    | L..+ +++++++ | ---- -------
/access/projects/<uuid:uuid>/grant/                        | project    | ---- ------- | L..+ xxx+xxx
/access/projects/<uuid:uuid>/revoke/                       | project    | ---- ------- | L..+ xxx+xxx
/access/people/                                            |            | Lxx+ xxxxxxx | Lxx+ xxxxxxx
/access/people/admins/                                     |            | ---- ------- | Lxx+ xxxxxxx
/access/proposals/<uuid:uuid>/confirm/                     | proposal   | ---- ------- | Lxx+ xxxxxxx
/access/proposals/<uuid:uuid>/end/                         | proposal   | ---- ------- | Lxx+ xxxxxxx
/access/people/<uuid:uuid>/deactivate/                     | person     | ---- ------- | Lxx+ xxxxxxx
# data: jobs
/jobs/                                                     |            | L+++ +++++++ | ---- -------
/jobs/<uuid:uuid>/                                         | job        | L... +++++++ | ---- -------
/jobs/<uuid:uuid>/cancel/                                  | job        | ---- ------- | L... xx++xxx
/jobs/<uuid:uuid>/priority/                                | job        | ---- ------- | L... xx++xxx
# data: notices
/notices/                                                  |            | L+++ +++++++ | ---- -------
/notices/unread/                                           |            | L+++ +++++++ | ---- -------
/notices/read/                                             |            | ---- ------- | L+++ +++++++
/notices/<uuid:uuid>/read/                                 | notice     | ---- ------- | L... +......
# data: datasets
/datasets/                                                 |            | L+++ +++++++ | ---- -------
/datasets/new/                                             |            | L+++ +++++++ | L+++ +++++++
/datasets/<uuid:uuid>/                                     | dataset    | L... +++++++ | ---- -------
/datasets/<uuid:uuid>/uploads/                             | dataset    | ---- ------- | L... +x++xxx
/datasets/uploads/<uuid:uuid>/                             | upload     | L... +++++++ | ---- -------
/datasets/uploads/<uuid:uuid>/inspect/                     | upload     | ---- ------- | L... +x++xxx
/datasets/uploads/<uuid:uuid>/accept/                      | upload     | ---- ------- | L... +x++xxx
/datasets/uploads/<uuid:uuid>/discard/                     | upload     | ---- ------- | L... +x++xxx
/datasets/items/<uuid:uuid>/                               | item       | L... +++++++ | ---- -------
/datasets/<uuid:uuid>/exports/                             | dataset    | L... +++++++ | L... x++xxxx
/datasets/exports/<uuid:uuid>/                             | item_file  | L... x.+xxxx | ---- -------
/datasets/<uuid:uuid>/slices/                              | dataset    | ---- ------- | L... +++++xx
/datasets/slices/<uuid:uuid>/                              | slice      | L... +++++++ | ---- -------
/datasets/slices/<uuid:uuid>/change/                       | slice      | ---- ------- | L... +++++xx
/datasets/slices/<uuid:uuid>/delete/                       | slice      | ---- ------- | L... +xx+xxx
/datasets/slices/<uuid:uuid>/count/                        | slice      | ---- ------- | L... +++++xx
# data: labeling
/labeling/                                                 |            | L+++ +++++++ | ---- -------
/labeling/datasets/<uuid:uuid>/open/                       | dataset    | L... x+++xxx | L... x+++xxx
/labeling/datasets/<uuid:uuid>/schema/                     | dataset    | L... +++++++ | L... x+++xxx
/labeling/datasets/<uuid:uuid>/schema/<int:version>/       | dataset    | L... +++++++ | ---- -------
/labeling/datasets/<uuid:uuid>/schema/change/              | dataset    | L... x+++xxx | L... x+++xxx
/labeling/datasets/<uuid:uuid>/schema/move/                | dataset    | ---- ------- | L... x+++xxx
/labeling/datasets/<uuid:uuid>/propose/                    | dataset    | L... +++++xx | L... +++++xx
/labeling/proposals/<uuid:uuid>/decline/                   | guideline  | ---- ------- | L... x+++xxx
/labeling/proposals/<uuid:uuid>/withdraw/                  | guideline  | ---- ------- | L... +xxxxxx
/labeling/datasets/<uuid:uuid>/exports/                    | dataset    | L... +++++++ | L... x++xxxx
/labeling/exports/<uuid:uuid>/                             | answers    | L... x++xxxx | ---- -------
/labeling/uploads/<uuid:uuid>/                             | project_file | L... +++++++ | ---- -------
/labeling/<uuid:uuid>/exports/                             | queue      | L... +++++++ | L... x++xxxx
/labeling/datasets/<uuid:uuid>/functions/                  | dataset    | L... +++++++ | ---- -------
/labeling/datasets/<uuid:uuid>/functions/new/              | dataset    | L... x+++xxx | L... x+++xxx
/labeling/datasets/<uuid:uuid>/functions/preview/          | dataset    | ---- ------- | L... x+++xxx
/labeling/datasets/<uuid:uuid>/functions/apply/            | dataset    | ---- ------- | L... x+++xxx
/labeling/datasets/<uuid:uuid>/corrections/                | dataset    | L... x+x+xxx | ---- -------
/labeling/datasets/<uuid:uuid>/corrections/upload/         | dataset    | ---- ------- | L... x+xxxxx
/labeling/corrections/<uuid:uuid>/                         | correction | L... x+x+xxx | ---- -------
/labeling/corrections/<uuid:uuid>/discard/                 | correction | ---- ------- | L... x+x+xxx
/labeling/corrections/<uuid:uuid>/accept/                  | correction | ---- ------- | L... x+xxxxx
/labeling/datasets/<uuid:uuid>/gold/                       | dataset    | L... x+x+xxx | ---- -------
/labeling/datasets/<uuid:uuid>/gold/sample/                | dataset    | ---- ------- | L... x+x+xxx
/labeling/items/<uuid:uuid>/gold/                          | item       | L... x+x+xxx | L... x+x+xxx
/labeling/items/<uuid:uuid>/gold/retire/                   | item       | ---- ------- | L... x+x+xxx
/labeling/<uuid:uuid>/gold/                                | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/annotators/reinstate/                  | queue      | ---- ------- | L... xxx+xxx
/labeling/functions/<uuid:uuid>/                           | function   | L... +++++++ | L... x+++xxx
/labeling/functions/<uuid:uuid>/retire/                    | function   | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/                                     | queue      | L... +++++++ | ---- -------
/labeling/<uuid:uuid>/pause/                               | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/resume/                              | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/change/                              | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/reorder/                             | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/built-in-model/                      | queue      | L... +++++++ | ---- -------
/labeling/<uuid:uuid>/built-in-model/train/                | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/pre-label-source/                    | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/move/                                | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/close/                               | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/bench/                               | queue      | L... +++++xx | ---- -------
/labeling/<uuid:uuid>/submit/                              | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/skip/                                | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/undo/                                | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/heartbeat/                           | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/release/                             | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/flag/                                | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/comment/                             | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/check/                               | queue      | ---- ------- | L... x+xxxxx
/labeling/checks/<uuid:uuid>/accept/                       | check      | ---- ------- | L... x+xxxxx
/labeling/checks/<uuid:uuid>/discard/                      | check      | ---- ------- | L... x+xxxxx
/labeling/<uuid:uuid>/comments/                            | queue      | L... +++++xx | ---- -------
/labeling/<uuid:uuid>/comments/resolve/                    | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/people/                              | queue      | L... +++++xx | ---- -------
/labeling/<uuid:uuid>/guideline/acknowledge/               | queue      | ---- ------- | L... +++++xx
/labeling/<uuid:uuid>/review/                              | queue      | L... x+xxxxx | ---- -------
/labeling/<uuid:uuid>/adjudicate/                          | queue      | ---- ------- | L... x+xxxxx
/labeling/<uuid:uuid>/return/                              | queue      | ---- ------- | L... x+xxxxx
/labeling/<uuid:uuid>/quality/                             | queue      | L... x+++xxx | ---- -------
/labeling/<uuid:uuid>/quality/measure/                     | queue      | ---- ------- | L... x+++xxx
/labeling/<uuid:uuid>/quality/items/                       | queue      | L... x+++xxx | ---- -------
/labeling/<uuid:uuid>/undo-decision/                       | queue      | ---- ------- | L... x+xxxxx
# data: scanning
/data-issues/                                              |            | L+++ +++++++ | ---- -------
/data-issues/dataset/<uuid:uuid>/                          | dataset    | L... +++++++ | ---- -------
/data-issues/dataset/<uuid:uuid>/scan/                     | dataset    | ---- ------- | L... x+x+xxx
/data-issues/dataset/<uuid:uuid>/send/                     | dataset    | ---- ------- | L... x+x+xxx
/data-issues/items/<uuid:uuid>/                            | item       | L... +++++++ | ---- -------
/data-issues/<uuid:uuid>/                                  | finding    | L... +++++++ | ---- -------
/data-issues/<uuid:uuid>/confirm/                          | finding    | ---- ------- | L... x+x+xxx
/data-issues/<uuid:uuid>/dismiss/                          | finding    | ---- ------- | L... x+x+xxx
/data-issues/<uuid:uuid>/reopen/                           | finding    | ---- ------- | L... x+x+xxx
# data: snapshots
/dataset-versions/                                         |            | L+++ +++++++ | ---- -------
/dataset-versions/dataset/<uuid:uuid>/                     | dataset    | L... +++++++ | ---- -------
/dataset-versions/dataset/<uuid:uuid>/create/              | dataset    | ---- ------- | L... xx++xxx
/dataset-versions/<uuid:uuid>/                             | snapshot   | L... +++++++ | ---- -------
/dataset-versions/<uuid:uuid>/export/                      | snapshot   | ---- ------- | L... x++xxxx
/dataset-versions/exports/<uuid:uuid>/                     | export     | L... x++xxxx | ---- -------
# models: runs
/runs/                                                     |            | L+++ +++++++ | ---- -------
/runs/launch/                                              |            | L+++ +++++++ | L+++ +++++++
/runs/estimates/                                           |            | ---- ------- | L+++ +++++++
/runs/estimates/<uuid:uuid>/                               | estimate   | L... +++++++ | ---- -------
/runs/estimates/<uuid:uuid>/cancel/                        | estimate   | ---- ------- | L... xx++xxx
/runs/overlay/                                             |            | L+++ +++++++ | ---- -------
/runs/sweeps/                                              |            | L+++ +++++++ | ---- -------
/runs/sweeps/new/                                          |            | L+++ +++++++ | L+++ +++++++
/runs/sweeps/<uuid:uuid>/                                  | sweep      | L... +++++++ | ---- -------
/runs/sweeps/<uuid:uuid>/live/                             | sweep      | L... +++++++ | ---- -------
/runs/sweeps/<uuid:uuid>/cancel/                           | sweep      | ---- ------- | L... xx++xxx
/runs/bases/                                               |            | L+++ +++++++ | ---- -------
/runs/bases/<uuid:uuid>/package/                           | project    | ---- ------- | L..x xx++xxx
/runs/bases/<uuid:uuid>/folder/                            | project    | ---- ------- | L..x xx++xxx
/runs/bases/<uuid:uuid>/hub/                               | project    | ---- ------- | L..x xx++xxx
/runs/<uuid:uuid>/                                         | run        | L... +++++++ | ---- -------
/runs/<uuid:uuid>/live/                                    | run        | L... +++++++ | ---- -------
/runs/<uuid:uuid>/points/                                  | run        | L... +++++++ | ---- -------
/runs/<uuid:uuid>/manifest/                                | run        | L... xx++xxx | ---- -------
/runs/<uuid:uuid>/priority/                                | run        | ---- ------- | L... xx++xxx
/runs/<uuid:uuid>/pause/                                   | run        | ---- ------- | L... xx++xxx
/runs/<uuid:uuid>/stop/                                    | run        | ---- ------- | L... xx++xxx
/runs/<uuid:uuid>/resume/                                  | run        | ---- ------- | L... xx++xxx
/runs/<uuid:uuid>/reproduce/                               | run        | ---- ------- | L... xx++xxx
/runs/<uuid:uuid>/train-on/                                | run        | ---- ------- | L... xx++xxx
# models: evaluations
/evaluations/                                              |            | L+++ +++++++ | ---- -------
/evaluations/compare/                                      |            | L+++ +++++++ | L... .......
/evaluations/side-by-side/                                 |            | ---- ------- | L+++ +++++++
/evaluations/side-by-side/<uuid:uuid>/                     | side       | L... +++++++ | ---- -------
/evaluations/side-by-side/<uuid:uuid>/open/                | side       | ---- ------- | L... x+++xxx
/evaluations/run/<uuid:uuid>/                              | run        | L... +++++++ | ---- -------
/evaluations/run/<uuid:uuid>/evaluate/                     | run        | ---- ------- | L... xx++xxx
/evaluations/pre-label/<uuid:uuid>/                        | dataset    | L... x+++xxx | L... x+++xxx
/evaluations/<uuid:uuid>/                                  | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/items/                            | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/predictions.parquet               | evaluation | L... +++x+xx | ---- -------
/evaluations/<uuid:uuid>/predictions.csv                   | evaluation | L... +++x+xx | ---- -------
/evaluations/<uuid:uuid>/predictions/                      | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/slices/                           | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/slices/items/                     | evaluation | L... ....... | ---- -------
/evaluations/<uuid:uuid>/clusters/                         | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/membership/                       | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/attribution/                      | evaluation | L... +++x+xx | L... +++x+xx
/evaluations/<uuid:uuid>/analyze/                          | evaluation | ---- ------- | L... xx++xxx
/evaluations/<uuid:uuid>/threshold/                        | evaluation | L... +++++++ | ---- -------
/evaluations/<uuid:uuid>/robustness/                       | evaluation | L... +++++++ | ---- -------
# models: policies
/policies/                                                 |            | L+++ +++++++ | ---- -------
/policies/<uuid:uuid>/                                     | policy     | L.+. +++++++ | ---- -------
# models: models
/models/                                                   |            | L+++ +++++++ | ---- -------
/models/new/                                               |            | L+++ +++++++ | L+++ +++++++
/models/<uuid:uuid>/                                       | model      | L... +++++++ | ---- -------
/models/runs/<uuid:uuid>/register/                         | run        | L... xx++xxx | ---- -------
/models/<uuid:uuid>/register/                              | model      | L... xx++xxx | L... xx++xxx
/models/<uuid:uuid>/endpoints/new/                         | model      | L... xx++xxx | L... xx++xxx
/models/versions/<uuid:uuid>/                              | version    | L... +++++++ | ---- -------
/models/versions/<uuid:uuid>/card/                         | version    | L... xx++xxx | L... xx++xxx
/models/versions/<uuid:uuid>/verify/                       | version    | ---- ------- | L... +++++++
/models/versions/<uuid:uuid>/quarantine/                   | version    | ---- ------- | L... xxx+++x
/models/versions/<uuid:uuid>/export/                       | version    | L... xx++++x | L... xx++++x
/models/endpoints/<uuid:uuid>/freeze/                      | endpoint   | ---- ------- | L... xxx+++x
/models/freezes/<uuid:uuid>/lift/                          | freeze     | ---- ------- | L... xxx+++x
# models: promotions
/promotions/                                               |            | L+++ +++++++ | ---- -------
/promotions/new/                                           |            | L+++ +++++++ | L+++ +++++++
/promotions/version/<uuid:uuid>/                           | version    | L... +++++++ | ---- -------
/promotions/<uuid:uuid>/                                   | promotion  | L... +++++++ | ---- -------
/promotions/<uuid:uuid>/approve/                           | promotion  | ---- ------- | L... xxx++xx
/promotions/<uuid:uuid>/reject/                            | promotion  | ---- ------- | L... xxx++xx
/promotions/<uuid:uuid>/withdraw/                          | promotion  | ---- ------- | L... xx++xxx
/promotions/<uuid:uuid>/check/                             | promotion  | ---- ------- | L... xx++xxx
/promotions/<uuid:uuid>/comment/                           | promotion  | ---- ------- | L... ++++++x
# models: endpoints
/endpoints/                                                |            | L+++ +++++++ | ---- -------
/endpoints/<uuid:uuid>/                                    | endpoint   | L... +++++++ | ---- -------
/endpoints/<uuid:uuid>/servers/                            | endpoint   | L... +++++++ | ---- -------
/endpoints/<uuid:uuid>/deploy/                             | endpoint   | ---- ------- | L... xx++x+x
/endpoints/<uuid:uuid>/roll-back/                          | endpoint   | ---- ------- | L... xxx+x+x
/endpoints/<uuid:uuid>/try/                                | endpoint   | ---- ------- | L... ++++++x
/endpoints/<uuid:uuid>/shadow/                             | endpoint   | L... xx++x+x | L... xx++x+x
/endpoints/<uuid:uuid>/drill/                              | endpoint   | L... xxx+x+x | L... xxx+x+x
/endpoints/<uuid:uuid>/tokens/                             | endpoint   | L... xx++x+x | ---- -------
/endpoints/<uuid:uuid>/tokens/create/                      | endpoint   | ---- ------- | L... xx++x+x
/endpoints/tokens/<uuid:uuid>/revoke/                      | endpoint_token | ---- ------- | L... xx++x+x
/endpoints/deployments/<uuid:uuid>/                        | deployment | L... +++++++ | ---- -------
/endpoints/deployments/<uuid:uuid>/stop-canary/            | deployment | ---- ------- | L... xx++x+x
/endpoints/deployments/<uuid:uuid>/stop-shadow/            | deployment | ---- ------- | L... xx++x+x
/endpoints/deployments/<uuid:uuid>/remove-fault/           | deployment | ---- ------- | L... xxx+x+x
/endpoints/versions/<uuid:uuid>/                           | version    | L... +++++++ | ---- -------
# models: traffic
/traffic/endpoints/<uuid:uuid>/                            | endpoint   | L... +++++++ | ---- -------
/traffic/endpoints/<uuid:uuid>/recent/                     | endpoint   | L... +++++++ | ---- -------
/traffic/endpoints/<uuid:uuid>/shadow/                     | endpoint   | L... +++++++ | ---- -------
/traffic/endpoints/<uuid:uuid>/kpis/                       | endpoint   | L... +++++++ | ---- -------
/traffic/endpoints/<uuid:uuid>/kpis/define/                | endpoint   | ---- ------- | L... xxx+xxx
/traffic/kpis/<uuid:uuid>/                                 | kpi        | L... +++++++ | ---- -------
/traffic/kpis/<uuid:uuid>/outcomes/                        | kpi        | ---- ------- | L... +x++x+x
/traffic/predictions/<uuid:uuid>/                          | prediction | L... +++++++ | ---- -------
/traffic/predictions/<uuid:uuid>/feedback/                 | prediction | ---- ------- | L... ++++x+x
# models: drift
/drift/                                                    |            | L+++ +++++++ | ---- -------
/drift/endpoints/<uuid:uuid>/                              | endpoint   | L... +++++++ | ---- -------
/drift/endpoints/<uuid:uuid>/panel/                        | endpoint   | L... +++++++ | ---- -------
/drift/endpoints/<uuid:uuid>/texts/                        | endpoint   | L... +++++++ | ---- -------
/drift/endpoints/<uuid:uuid>/measure/                      | endpoint   | ---- ------- | L... xx++x+x
# models: alerts
/alerts/                                                   |            | L+++ +++++++ | ---- -------
/alerts/suppressed/                                        |            | L+++ +++++++ | ---- -------
/alerts/silences/                                          |            | L+++ +++++++ | L+++ +++++++
/alerts/silences/<uuid:uuid>/end/                          | silence    | ---- ------- | L... xxx+x+x
/alerts/channels/                                          |            | L+++ +++++++ | L+++ +++++++
/alerts/channels/<uuid:uuid>/switch/                       | channel    | ---- ------- | L... xxx+x+x
/alerts/channels/<uuid:uuid>/test/                         | channel    | ---- ------- | L... xxx+x+x
/alerts/channels/<uuid:uuid>/secret/                       | channel    | ---- ------- | L... xxx+x+x
/alerts/endpoints/<uuid:uuid>/                             | endpoint   | L... +++++++ | ---- -------
/alerts/endpoints/<uuid:uuid>/panel/                       | endpoint   | L... +++++++ | ---- -------
/alerts/endpoints/<uuid:uuid>/objectives/<slug:kind>/      | endpoint   | ---- ------- | L... xxx+x+x
/alerts/objectives/<uuid:uuid>/switch/                     | objective  | ---- ------- | L... xxx+x+x
/alerts/<uuid:uuid>/                                       | alert      | L... +++++++ | ---- -------
/alerts/<uuid:uuid>/acknowledge/                           | alert      | ---- ------- | L... xxx+x+x
/alerts/<uuid:uuid>/resolve/                               | alert      | ---- ------- | L... xxx+x+x
# models: rollouts
/rollouts/                                                 |            | L+++ +++++++ | ---- -------
/rollouts/endpoints/<uuid:uuid>/                           | endpoint   | L... +++++++ | ---- -------
/rollouts/requests/<uuid:uuid>/start/                      | promotion  | L... xx++x+x | L... xx++x+x
/rollouts/<uuid:uuid>/                                     | rollout    | L... +++++++ | ---- -------
/rollouts/<uuid:uuid>/live/                                | rollout    | L... +++++++ | ---- -------
/rollouts/<uuid:uuid>/charts/<slug:name>/                  | rollout    | L... +++++++ | ---- -------
/rollouts/<uuid:uuid>/pause/                               | rollout    | ---- ------- | L... xx++x+x
/rollouts/<uuid:uuid>/resume/                              | rollout    | ---- ------- | L... xx++x+x
/rollouts/<uuid:uuid>/widen/                               | rollout    | ---- ------- | L... xx++x+x
/rollouts/<uuid:uuid>/abort/                               | rollout    | ---- ------- | L... xx++x+x
# models: retraining
/retraining/                                               |            | L+++ +++++++ | ---- -------
/retraining/endpoints/<uuid:uuid>/                         | endpoint   | L... +++++++ | ---- -------
/retraining/endpoints/<uuid:uuid>/set/                     | endpoint   | ---- ------- | L... xxx+xxx
/retraining/endpoints/<uuid:uuid>/propose/                 | endpoint   | L... xx++x+x | L... xx++x+x
/retraining/endpoints/<uuid:uuid>/panel/                   | endpoint   | L... +++++++ | ---- -------
/retraining/<uuid:uuid>/                                   | retraining | L... +++++++ | ---- -------
/retraining/<uuid:uuid>/approve/                           | retraining | ---- ------- | L... xxx+xxx
/retraining/<uuid:uuid>/decline/                           | retraining | ---- ------- | L... xxx+xxx
/retraining/<uuid:uuid>/collect/                           | retraining | ---- ------- | L... xx+xxxx
/retraining/<uuid:uuid>/withdraw/                          | retraining | ---- ------- | L... xx++xxx
/retraining/<uuid:uuid>/retry/                             | retraining | ---- ------- | L... xxx+xxx
/retraining/<uuid:uuid>/override/                          | retraining | ---- ------- | L... xxx+xxx
# models: trace
/trace/predictions/<uuid:uuid>/                            | prediction | L... +++++++ | ---- -------
/trace/predictions/<uuid:uuid>/neighbors/                  | prediction | ---- ------- | L... +++++++
/trace/predictions/<uuid:uuid>/attribution/                | prediction | ---- ------- | L... +++x+xx
/trace/items/<uuid:uuid>/                                  | item       | L... +++++++ | ---- -------
/trace/dataset-versions/<uuid:uuid>/                       | snapshot   | L... +++++++ | ---- -------
/trace/versions/<uuid:uuid>/                               | version    | L... +++++++ | ---- -------
# models: overview
/dashboard/                                                |            | L+++ +++++++ | ---- -------
# models: audit
/audit/                                                    |            | L+++ +++++++ | ---- -------
/audit/export/                                             |            | ---- ------- | Lx++ xxx++++
/audit/verify/                                             |            | ---- ------- | Lx++ xxx++++
/audit/events/<slug:digest>/                               |            | L... ...++++ | ---- -------
# models: demo
/demo/sign-in/                                             |            | ---- ------- | .... .......
/demo/start/<str:token>/                                   |            | .... ....... | ---- -------
# API: data
/api/v1/me/                                                |            | L+++ +++++++ | L--- -------
/api/v1/projects/                                          |            | L+++ +++++++ | L--- -------
/api/v1/tokens/                                            |            | L+++ +++++++ | L--- -------
/api/v1/tokens/<uuid:uuid>/                                | token      | L--- ------- | L--- -------
/api/v1/projects/<uuid:uuid>/members/                      | project    | L..+ +++++++ | L..+ xxx+xxx
/api/v1/role-proposals/                                    |            | Lxx+ xxxxxxx | L--- -------
/api/v1/role-proposals/<uuid:uuid>/confirm/                | proposal   | L--- ------- | Lxx+ xxxxxxx
/api/v1/role-proposals/<uuid:uuid>/end/                    | proposal   | L--- ------- | Lxx+ xxxxxxx
/api/v1/jobs/                                              |            | L+++ +++++++ | L--- -------
/api/v1/jobs/<uuid:uuid>/                                  | job        | L... +++++++ | L--- -------
/api/v1/jobs/<uuid:uuid>/cancel/                           | job        | L--- ------- | L... xx++xxx
/api/v1/jobs/<uuid:uuid>/priority/                         | job        | L--- ------- | L... xx++xxx
/api/v1/datasets/                                          |            | L+++ +++++++ | L+++ +++++++
/api/v1/datasets/<uuid:uuid>/                              | dataset    | L... +++++++ | L--- -------
/api/v1/datasets/<uuid:uuid>/items/                        | dataset    | L... +++++++ | L--- -------
/api/v1/datasets/<uuid:uuid>/item-exports/                 | dataset    | L... +++++++ | L... x++xxxx
/api/v1/item-files/<uuid:uuid>/                            | item_file  | L... x.+xxxx | L--- -------
/api/v1/datasets/<uuid:uuid>/slices/                       | dataset    | L... +++++++ | L... +++++xx
/api/v1/slices/<uuid:uuid>/                                | slice      | L... +++++++ | L--- -------
/api/v1/slices/<uuid:uuid>/count/                          | slice      | L--- ------- | L... +++++xx
/api/v1/datasets/<uuid:uuid>/uploads/                      | dataset    | L--- ------- | L... +x++xxx
/api/v1/uploads/<uuid:uuid>/                               | upload     | L... +++++++ | L--- -------
/api/v1/uploads/<uuid:uuid>/inspect/                       | upload     | L--- ------- | L... +x++xxx
/api/v1/uploads/<uuid:uuid>/accept/                        | upload     | L--- ------- | L... +x++xxx
/api/v1/uploads/<uuid:uuid>/discard/                       | upload     | L--- ------- | L... +x++xxx
/api/v1/items/<uuid:uuid>/                                 | item       | L... +++++++ | L--- -------
# API: labeling
/api/v1/labeling/datasets/<uuid:uuid>/schemas/             | dataset    | L... +++++++ | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/annotators/          | dataset    | L... x+++xxx | L--- -------
/api/v1/labeling/datasets/<uuid:uuid>/labels/change/       | dataset    | L--- ------- | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/labels/preview/      | dataset    | L--- ------- | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/functions/           | dataset    | L... +++++++ | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/functions/preview/   | dataset    | L--- ------- | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/functions/apply/     | dataset    | L--- ------- | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/corrections/         | dataset    | L... x+x+xxx | L... x+xxxxx
/api/v1/labeling/corrections/<uuid:uuid>/                  | correction | L... x+x+xxx | L--- -------
/api/v1/labeling/corrections/<uuid:uuid>/discard/          | correction | L--- ------- | L... x+x+xxx
/api/v1/labeling/corrections/<uuid:uuid>/accept/           | correction | L--- ------- | L... x+xxxxx
/api/v1/labeling/datasets/<uuid:uuid>/gold/                | dataset    | L... x+x+xxx | L... x+x+xxx
/api/v1/labeling/datasets/<uuid:uuid>/gold/sample/         | dataset    | L--- ------- | L... x+x+xxx
/api/v1/labeling/datasets/<uuid:uuid>/gold/retire/         | dataset    | L--- ------- | L... x+x+xxx
/api/v1/labeling/queues/<uuid:uuid>/gold/                  | queue      | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/annotators/reinstate/    | queue      | L--- ------- | L... xxx+xxx
/api/v1/labeling/datasets/<uuid:uuid>/pre-labels/          | dataset    | L--- ------- | L... x+++xxx
/api/v1/labeling/functions/<uuid:uuid>/retire/             | function   | L--- ------- | L... x+++xxx
/api/v1/labeling/datasets/<uuid:uuid>/proposals/           | dataset    | L... +++++xx | L... +++++xx
/api/v1/labeling/proposals/<uuid:uuid>/withdraw/           | guideline  | L--- ------- | L... +xxxxxx
/api/v1/labeling/proposals/<uuid:uuid>/decline/            | guideline  | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/comments/              | queue      | L... +++++xx | L... +++++xx
/api/v1/labeling/queues/<uuid:uuid>/comments/resolve/      | queue      | L--- ------- | L... +++++xx
/api/v1/labeling/queues/                                   |            | L+++ +++++++ | L+++ +++++++
/api/v1/labeling/queues/<uuid:uuid>/                       | queue      | L... +++++++ | L--- -------
/api/v1/labeling/queues/<uuid:uuid>/pause/                 | queue      | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/resume/                | queue      | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/close/                 | queue      | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/claim/                 | queue      | L--- ------- | L... +++++xx
/api/v1/labeling/queues/<uuid:uuid>/submit/                | queue      | L--- ------- | L... +++++xx
/api/v1/labeling/queues/<uuid:uuid>/skip/                  | queue      | L--- ------- | L... +++++xx
/api/v1/labeling/queues/<uuid:uuid>/undo/                  | queue      | L--- ------- | L... +++++xx
/api/v1/labeling/queues/<uuid:uuid>/adjudicate/            | queue      | L--- ------- | L... x+xxxxx
/api/v1/labeling/queues/<uuid:uuid>/checks/                | queue      | L... x+xxxxx | L... x+xxxxx
/api/v1/labeling/checks/<uuid:uuid>/                       | check      | L... x+xxxxx | L--- -------
/api/v1/labeling/checks/<uuid:uuid>/accept/                | check      | L--- ------- | L... x+xxxxx
/api/v1/labeling/checks/<uuid:uuid>/discard/               | check      | L--- ------- | L... x+xxxxx
/api/v1/labeling/queues/<uuid:uuid>/built-in-model/        | queue      | L... +++++++ | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/pre-label-source/      | queue      | L--- ------- | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/quality/               | queue      | L... x+++xxx | L... x+++xxx
/api/v1/labeling/queues/<uuid:uuid>/return/                | queue      | L--- ------- | L... x+xxxxx
# API: scanning and snapshots
/api/v1/dashboard/                                         |            | L+++ +++++++ | L--- -------
/api/v1/datasets/<uuid:uuid>/scans/                        | dataset    | L... +++++++ | L... x+x+xxx
/api/v1/datasets/<uuid:uuid>/data-issues/                  | dataset    | L... +++++++ | L--- -------
/api/v1/datasets/<uuid:uuid>/data-issues/send/             | dataset    | L--- ------- | L... x+x+xxx
/api/v1/data-issues/<uuid:uuid>/                           | finding    | L... +++++++ | L--- -------
/api/v1/data-issues/<uuid:uuid>/confirm/                   | finding    | L--- ------- | L... x+x+xxx
/api/v1/data-issues/<uuid:uuid>/dismiss/                   | finding    | L--- ------- | L... x+x+xxx
/api/v1/data-issues/<uuid:uuid>/reopen/                    | finding    | L--- ------- | L... x+x+xxx
/api/v1/dataset-versions/                                  |            | L+++ +++++++ | L--- -------
/api/v1/dataset-versions/<uuid:uuid>/                      | snapshot   | L... +++++++ | L--- -------
/api/v1/dataset-versions/<uuid:uuid>/exports/              | snapshot   | L... +++++++ | L... x++xxxx
/api/v1/datasets/<uuid:uuid>/annotation-exports/           | dataset    | L... +++++++ | L... x++xxxx
/api/v1/annotation-files/<uuid:uuid>/                      | answers    | L... x++xxxx | L--- -------
/api/v1/dataset-version-files/<uuid:uuid>/                 | export     | L... x++xxxx | L--- -------
/api/v1/datasets/<uuid:uuid>/dataset-versions/             | dataset    | L--- ------- | L... xx++xxx
/api/v1/dataset-versions/<uuid:uuid>/advice/               | snapshot   | L... xx++xxx | L--- -------
# API: runs and evaluations
/api/v1/base-models/                                       |            | L+++ +++++++ | L+++ +++++++
/api/v1/runs/                                              |            | L+++ +++++++ | L+++ +++++++
/api/v1/runs/<uuid:uuid>/                                  | run        | L... +++++++ | L--- -------
/api/v1/runs/<uuid:uuid>/pause/                            | run        | L--- ------- | L... xx++xxx
/api/v1/runs/<uuid:uuid>/stop/                             | run        | L--- ------- | L... xx++xxx
/api/v1/runs/<uuid:uuid>/resume/                           | run        | L--- ------- | L... xx++xxx
/api/v1/runs/<uuid:uuid>/reproduce/                        | run        | L--- ------- | L... xx++xxx
/api/v1/runs/<uuid:uuid>/points/                           | run        | L... +++++++ | L--- -------
/api/v1/runs/<uuid:uuid>/samples/                          | run        | L... +++++++ | L--- -------
/api/v1/runs/<uuid:uuid>/manifest/                         | run        | L... xx++xxx | L--- -------
/api/v1/estimates/                                         |            | L--- ------- | L+++ +++++++
/api/v1/estimates/<uuid:uuid>/                             | estimate   | L... +++++++ | L--- -------
/api/v1/estimates/<uuid:uuid>/cancel/                      | estimate   | L--- ------- | L... xx++xxx
/api/v1/sweeps/                                            |            | L+++ +++++++ | L+++ +++++++
/api/v1/sweeps/<uuid:uuid>/                                | sweep      | L... +++++++ | L--- -------
/api/v1/sweeps/<uuid:uuid>/cancel/                         | sweep      | L--- ------- | L... xx++xxx
/api/v1/side-by-side/                                      |            | L--- ------- | L+++ +++++++
/api/v1/side-by-side/<uuid:uuid>/                          | side       | L... +++++++ | L--- -------
/api/v1/side-by-side/<uuid:uuid>/open/                     | side       | L--- ------- | L... x+++xxx
/api/v1/evaluations/                                       |            | L+++ +++++++ | L--- -------
/api/v1/evaluations/compare/                               |            | L+++ +++++++ | L+++ +++++++
/api/v1/evaluations/<uuid:uuid>/                           | evaluation | L... +++++++ | L--- -------
/api/v1/evaluations/<uuid:uuid>/predictions.parquet        | evaluation | L... +++x+xx | L--- -------
/api/v1/evaluations/<uuid:uuid>/predictions.csv            | evaluation | L... +++x+xx | L--- -------
/api/v1/evaluations/<uuid:uuid>/predictions/               | evaluation | L... +++++++ | L--- -------
/api/v1/evaluations/<uuid:uuid>/slices/                    | evaluation | L... +++++++ | L--- -------
/api/v1/evaluations/<uuid:uuid>/attribution/               | evaluation | L... +++x+xx | L... +++x+xx
/api/v1/evaluations/<uuid:uuid>/analyses/                  | evaluation | L... +++++++ | L... xx++xxx
/api/v1/evaluations/<uuid:uuid>/calibration/               | evaluation | L... +++++++ | L--- -------
/api/v1/evaluations/<uuid:uuid>/threshold/                 | evaluation | L... +++++++ | L--- -------
/api/v1/datasets/<uuid:uuid>/pre-label/                    | dataset    | L... x+++xxx | L... x+++xxx
/api/v1/runs/<uuid:uuid>/evaluate/                         | run        | L--- ------- | L... xx++xxx
# API: models
/api/v1/policies/                                          |            | L+++ +++++++ | L--- -------
/api/v1/policies/<uuid:uuid>/                              | policy     | L.+. +++++++ | L--- -------
/api/v1/models/                                            |            | L+++ +++++++ | L+++ +++++++
/api/v1/models/<uuid:uuid>/versions/                       | model      | L... +++++++ | L... xx++xxx
/api/v1/models/<uuid:uuid>/endpoints/                      | model      | L... +++++++ | L... xx++xxx
/api/v1/versions/<uuid:uuid>/                              | version    | L... +++++++ | L--- -------
/api/v1/versions/<uuid:uuid>/card/                         | version    | L... +++++++ | L... xx++xxx
/api/v1/versions/<uuid:uuid>/export/                       | version    | L... xx++++x | L... xx++++x
/api/v1/versions/<uuid:uuid>/verify/                       | version    | L--- ------- | L... +++++++
/api/v1/versions/<uuid:uuid>/quarantine/                   | version    | L--- ------- | L... xxx+++x
/api/v1/endpoints/<uuid:uuid>/freeze/                      | endpoint   | L--- ------- | L... xxx+++x
/api/v1/freezes/<uuid:uuid>/lift/                          | freeze     | L--- ------- | L... xxx+++x
/api/v1/promotions/                                        |            | L+++ +++++++ | L+++ +++++++
/api/v1/promotions/<uuid:uuid>/                            | promotion  | L... +++++++ | L--- -------
/api/v1/promotions/<uuid:uuid>/approve/                    | promotion  | L--- ------- | L... xxx++xx
/api/v1/promotions/<uuid:uuid>/reject/                     | promotion  | L--- ------- | L... xxx++xx
/api/v1/promotions/<uuid:uuid>/withdraw/                   | promotion  | L--- ------- | L... xx++xxx
/api/v1/promotions/<uuid:uuid>/check/                      | promotion  | L--- ------- | L... xx++xxx
/api/v1/promotions/<uuid:uuid>/comments/                   | promotion  | L... +++++++ | L... ++++++x
# API: endpoints and traffic
/api/v1/endpoints/                                         |            | L+++ +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/                             | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/deploy/                      | endpoint   | L--- ------- | L... xx++x+x
/api/v1/endpoints/<uuid:uuid>/roll-back/                   | endpoint   | L--- ------- | L... xxx+x+x
/api/v1/endpoints/<uuid:uuid>/shadow/                      | endpoint   | L--- ------- | L... xx++x+x
/api/v1/endpoints/<uuid:uuid>/tokens/                      | endpoint   | L... xx++x+x | L--- -------
/api/v1/endpoint-tokens/<uuid:uuid>/                       | endpoint_token | L--- ------- | L--- -------
/api/v1/deployments/<uuid:uuid>/share/                     | deployment | L--- ------- | L... xx++x+x
/api/v1/deployments/<uuid:uuid>/stop-canary/               | deployment | L--- ------- | L... xx++x+x
/api/v1/deployments/<uuid:uuid>/stop-shadow/               | deployment | L--- ------- | L... xx++x+x
/api/v1/deployments/<uuid:uuid>/inject-fault/              | deployment | L--- ------- | L... xxx+x+x
/api/v1/deployments/<uuid:uuid>/remove-fault/              | deployment | L--- ------- | L... xxx+x+x
/api/v1/endpoints/<uuid:uuid>/deployments/                 | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/predictions/                 | endpoint   | L... +++++++ | L--- -------
/api/v1/predictions/<uuid:uuid>/                           | prediction | L... +++++++ | L--- -------
/api/v1/predictions/<uuid:uuid>/feedback/                  | prediction | L--- ------- | L... ++++x+x
/api/v1/endpoints/<uuid:uuid>/series/                      | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/kpis/                        | endpoint   | L... +++++++ | L... xxx+xxx
/api/v1/kpis/<uuid:uuid>/                                  | kpi        | L... +++++++ | L--- -------
/api/v1/kpis/<uuid:uuid>/outcomes/                         | kpi        | L--- ------- | L... +x++x+x
/api/v1/endpoints/<uuid:uuid>/drift/                       | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/drift/reports/               | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/drift/measure/               | endpoint   | L--- ------- | L... xx++x+x
/api/v1/drift/reports/<uuid:uuid>/                         | drift      | L... +++++++ | L--- -------
# API: what watches
/api/v1/rollouts/                                          |            | L+++ +++++++ | L+++ +++++++
/api/v1/rollouts/<uuid:uuid>/                              | rollout    | L... +++++++ | L--- -------
/api/v1/rollouts/<uuid:uuid>/looks/                        | rollout    | L... +++++++ | L--- -------
/api/v1/rollouts/<uuid:uuid>/pause/                        | rollout    | L--- ------- | L... xx++x+x
/api/v1/rollouts/<uuid:uuid>/resume/                       | rollout    | L--- ------- | L... xx++x+x
/api/v1/rollouts/<uuid:uuid>/widen/                        | rollout    | L--- ------- | L... xx++x+x
/api/v1/rollouts/<uuid:uuid>/abort/                        | rollout    | L--- ------- | L... xx++x+x
/api/v1/endpoints/<uuid:uuid>/rollouts/forecast/           | endpoint   | L--- ------- | L... xx++x+x
/api/v1/retraining/                                        |            | L+++ +++++++ | L+++ +++++++
/api/v1/retraining/<uuid:uuid>/                            | retraining | L... +++++++ | L--- -------
/api/v1/retraining/<uuid:uuid>/approve/                    | retraining | L--- ------- | L... xxx+xxx
/api/v1/retraining/<uuid:uuid>/decline/                    | retraining | L--- ------- | L... xxx+xxx
/api/v1/retraining/<uuid:uuid>/collect/                    | retraining | L--- ------- | L... xx+xxxx
/api/v1/retraining/<uuid:uuid>/withdraw/                   | retraining | L--- ------- | L... xx++x+x
/api/v1/retraining/<uuid:uuid>/retry/                      | retraining | L--- ------- | L... xxx+xxx
/api/v1/retraining/<uuid:uuid>/override/                   | retraining | L--- ------- | L... xxx+xxx
/api/v1/endpoints/<uuid:uuid>/retraining/consider/         | endpoint   | L... +++++++ | L--- -------
/api/v1/endpoints/<uuid:uuid>/retraining/triggers/         | endpoint   | L... +++++++ | L--- -------
/api/v1/alerts/                                            |            | L+++ +++++++ | L--- -------
/api/v1/alerts/suppressed/                                 |            | L+++ +++++++ | L--- -------
/api/v1/alerts/<uuid:uuid>/                                | alert      | L... +++++++ | L--- -------
/api/v1/alerts/<uuid:uuid>/acknowledge/                    | alert      | L--- ------- | L... xxx+x+x
/api/v1/alerts/<uuid:uuid>/resolve/                        | alert      | L--- ------- | L... xxx+x+x
/api/v1/endpoints/<uuid:uuid>/objectives/                  | endpoint   | L... +++++++ | L... xxx+x+x
/api/v1/objectives/<uuid:uuid>/switch/                     | objective  | L--- ------- | L... xxx+x+x
/api/v1/silences/                                          |            | L+++ +++++++ | L+++ +++++++
/api/v1/silences/<uuid:uuid>/end/                          | silence    | L--- ------- | L... xxx+x+x
/api/v1/channels/                                          |            | L+++ +++++++ | L+++ +++++++
/api/v1/channels/<uuid:uuid>/change/                       | channel    | L--- ------- | L... xxx+x+x
/api/v1/channels/<uuid:uuid>/secret/                       | channel    | L--- ------- | L... xxx+x+x
/api/v1/channels/<uuid:uuid>/test/                         | channel    | L--- ------- | L... xxx+x+x
/api/v1/feedback/                                          |            | L--- ------- | L.+. ++++.+.
/api/v1/trace/predictions/<uuid:uuid>/                     | prediction | L... +++++++ | L--- -------
/api/v1/trace/items/<uuid:uuid>/                           | item       | L... +++++++ | L--- -------
/api/v1/trace/dataset-versions/<uuid:uuid>/                | snapshot   | L... +++++++ | L--- -------
/api/v1/audit/events/                                      |            | L+++ +++++++ | L--- -------
/api/v1/audit/export/                                      |            | L--- ------- | Lx++ xxx++++
/api/schema/                                               |            | L+++ +++++++ | L--- -------
/api/docs/                                                 |            | L+++ +++++++ | L--- -------
"""  # noqa: E501


class Row(NamedTuple):
    """thing: what of the world the address's uuid names. get, post: the letters of everybody, in the order of
    PEOPLE.
    """

    path: str
    thing: str
    get: str
    post: str


def rooms() -> dict[str, list[Row]]:
    """The rows below each heading of the table, which is "part: room"."""
    found: dict[str, list[Row]] = {}
    for line in TABLE.strip().splitlines():
        if line.startswith("# "):
            below = found[line.removeprefix("# ")] = []
        else:
            path, thing, get, post = (cell.strip() for cell in line.split("|"))
            below.append(Row(path, thing, get.replace(" ", ""), post.replace(" ", "")))
    return found


ROOMS = rooms()
ROWS = [row for below in ROOMS.values() for row in below]
PLACES = {row.path: at for at, row in enumerate(ROWS)}


def of_part(part: str) -> list[str]:
    """The rooms of one part. Each part has a file of tests, since one worker walks through a file."""
    return [room for room in ROOMS if room.startswith(f"{part}: ")]


def addresses(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """The pattern of every address of the site."""
    for part in (resolver or get_resolver()).url_patterns:
        path = prefix + str(part.pattern)
        yield from addresses(part, path) if isinstance(part, URLResolver) else [path]


def is_refused_to_all(letters: str) -> bool:
    """Whether every user gets only the sign-in page or "405, no such method": no permission is checked."""
    return set(letters) <= {"L", "-"}


def who_is_asked(letters: str, at: int) -> list[int]:
    """Places in PEOPLE. Where all are refused alike, a visitor and one other speak for all, who changes with
    `at`, the place of the row. `make tables` asks everybody.
    """
    everybody = range(len(PEOPLE))
    return (
        [*everybody]
        if WHOLE or not is_refused_to_all(letters)
        else [0, everybody[1:][at % len(everybody[1:])]]
    )


class Browser:
    """A user's browser. Each request starts with the cookies set at sign-in, whatever a response sets."""

    def __init__(self, world: World, name: str | None, like: Browser | None = None) -> None:
        # one for all requests: a new one loads every middleware
        self.client = Client(raise_request_exception=False)
        if like:
            self.client.handler = like.client.handler
        self.user = world.people[name] if name is not None else AnonymousUser()
        if name is not None:
            sign_in(self.client, self.user)
        self.cookies = {key: morsel.value for key, morsel in self.client.cookies.items()}

    def ask(self, method: str, address: str, **given: Any) -> HttpResponse:
        """The answer. However long ago the world was made, its jobs have not waited too long."""
        self.client.cookies = SimpleCookie(self.cookies)
        with mock.patch.object(health, "WAIT_MAX", timedelta(days=1)):
            return getattr(self.client, method)(address, **given)

    @contextmanager
    def recognised(self) -> Iterator[None]:
        """Within it, the next request is this person's without a look at their session and their row. It has
        a user of its own, which remembers what it may do. That a session leads to its person is asked at
        every address by test_urls_have_permissions.py.
        """
        with mock.patch.object(middleware, "get_user", return_value=copy(self.user)):
            yield


def browsers_of_all(world: World) -> list[Browser]:
    """In the order of PEOPLE."""
    visitor = Browser(world, None)
    return [visitor, *(Browser(world, name, visitor) for name in PEOPLE[1:])]


def letter(answer: HttpResponse) -> str:
    """What an answer means for who asked."""
    # as Django's own test client: the test's transaction stays open
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)
    if answer.status_code == 401 or (
        answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")
    ):
        return "L"
    let_through = dict.fromkeys((200, 201, 202, 204, 302, 400, 409, 422), "+")
    return ({404: ".", 403: "x", 405: "-"} | let_through).get(answer.status_code, str(answer.status_code))


def ask(method: str, address: str, browser: Browser) -> HttpResponse:
    """The answer to one request; a form is sent empty."""
    given = (
        {"data": "{}", "content_type": "application/json"}
        if method == "post" and address.startswith("/api/")
        else {}
    )
    return browser.ask(method, address, **given)


def filled_in(path: str, thing: str, world: World) -> str:
    """The address of the world's thing."""
    uuid = str(world[thing]) if "<uuid:" in path else ""
    fixed = {
        "<uuid:uuid>": uuid,
        "<int:version>": "1",
        "<slug:digest>": world.things["event"].hash,
        "<slug:name>": "errors",
    }
    fixed |= {"<slug:kind>": "availability", "<str:token>": "a-token"}
    fixed |= {r"^confirm-email/(?P<key>[-:\w]+)/$": "confirm-email/abc/"}
    fixed |= {r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-abc/"}
    for pattern, value in fixed.items():
        path = path.replace(pattern, value)
    return path + ("?chart=loss" if path.endswith("/points/") else "")


def differences(row: Row, world: World, browsers: list[Browser]) -> Iterator[str]:
    """One line for each response that differs from the table or from the API description. Other tests check
    the pages.
    """
    address, at = filled_in(row.path, row.thing, world), PLACES[row.path]
    with (
        mock.patch.object(Template, "render", return_value=""),
        mock.patch.object(SchemaGenerator, "get_schema", return_value={}),
    ):
        for method, letters in (("get", row.get), ("post", row.post)):
            for person, answer in answers(method, address, letters, at, browsers):
                found = letter(answer)
                if address.startswith("/api/v1/"):
                    yield from faults(method, row.path, answer)
                if found != letters[person]:
                    yield (
                        f"{method.upper()} {row.path}: {PEOPLE[person] or 'a visitor'} gets {found},"
                        f" expected {letters[person]}"
                    )


def answers(
    method: str, address: str, letters: str, at: int, browsers: list[Browser]
) -> Iterator[tuple[int, HttpResponse]]:
    """What each person who is asked gets. What one of them is let do is taken back before the next asks, and
    what all of them read at the end.
    """
    cache.clear()
    with rolled_back():
        for person in who_is_asked(letters, at):
            with rolled_back() if method == "post" and letters[person] == "+" else nullcontext():
                with browsers[person].recognised():
                    answer = ask(method, address, browsers[person])
            yield person, answer


def wrong_in(room: str, world: World) -> list[str]:
    """All differences of a room."""
    browsers = browsers_of_all(world)
    if room.startswith("API: "):
        described()  # before the walk takes the generator's place
    return [line for row in ROOMS[room] for line in differences(row, world, browsers)]
