from __future__ import annotations

from django.urls import path

from datasets_app.schemas.views.proposals import decline_proposal, withdraw_proposal
from datasets_app.schemas.views.schemas import schema, schema_version

app_name = "schemas"
urlpatterns = [
    path("datasets/<uuid:uuid>/schema/", schema, name="schema"),
    path("datasets/<uuid:uuid>/schema/<int:version>/", schema_version, name="schema_version"),
    path("proposals/<uuid:uuid>/decline/", decline_proposal, name="decline_proposal"),
    path("proposals/<uuid:uuid>/withdraw/", withdraw_proposal, name="withdraw_proposal"),
]
