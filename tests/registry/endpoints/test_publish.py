"""The routes document: signed, numbered above everything before it, written only when it would say something
else.
"""

from datetime import timedelta

from django.core.management import call_command
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.inference.names import FORMAT
from lifecycle.runtime.inference.routing import parse_routes
from registry.endpoints import actions, tasks
from registry.endpoints.models import Deployment, Routes
from registry.endpoints.queries import deployments, published, rollback
from registry.endpoints.routes import routes
from registry.ground.access.actions import create_token, token_digest
from registry.ground.access.models import ApiToken
from registry.ground.ledger import keys
from tests.support import endpoints, registry


def test_an_installation_begins_with_an_empty_signed_document(db, settings):
    call_command("publish_routes")

    document = bundle.verify_document(published.routes_path().read_bytes(), keys.public_key_path())
    assert (document["format"], document["epoch"], document["endpoints"]) == (FORMAT, 1, {})


def test_publishing_again_writes_nothing(live_endpoint):
    epoch = actions.publish()
    before = published.routes_path().stat().st_mtime_ns

    assert actions.publish() == epoch
    assert published.routes_path().stat().st_mtime_ns == before


def test_a_new_token_is_published_and_an_expired_one_goes(live_endpoint, ana, aida):
    first = actions.publish()
    token, secret = create_token(user=ana, name="app", scopes=["infer"], days=7)
    create_token(user=ana, name="reader", scopes=["read"], days=7)
    create_token(user=aida, name="auditor", scopes=["infer"], days=7)

    tasks.tend()

    document = endpoints.routes()
    own = token_digest(published.web_token())
    assert document["epoch"] == first + 1
    until = token.expires_at.isoformat(timespec="seconds")
    named = {own: None, token_digest(secret): until}
    assert document["endpoints"][live_endpoint.full_name]["tokens"] == [
        {"digest": digest, "until": named[digest]} for digest in sorted(named)
    ]
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    actions.publish()
    assert endpoints.routes()["endpoints"][live_endpoint.full_name]["tokens"] == [
        {"digest": own, "until": None}
    ]


def test_the_routes_of_many_endpoints_are_read_in_as_many_statements_as_those_of_one(
    live_endpoint, ana, django_assert_num_queries
):
    create_token(user=ana, name="app", scopes=["infer"], days=7)
    with django_assert_num_queries(11):
        assert len(routes()) == 1
    others = [endpoints.copied(live_endpoint, slug) for slug in ("a", "b")]

    with django_assert_num_queries(11):
        found = routes()

    assert [route.name for route in found] == [each.full_name for each in (*others, live_endpoint)]
    for route, endpoint in zip(found, [*others, live_endpoint], strict=True):
        assert route.standby.version == str(rollback.rollback_target(endpoint).uuid)
        assert len(route.tokens) == 2


def test_epochs_rise_above_what_servers_applied(live_endpoint):
    endpoints.write_status(epoch=70)
    endpoints.write_status(name="b", epoch=71)

    assert actions.publish() == 72
    assert Routes.objects.get().epoch == 72


def test_a_restored_database_does_not_fall_behind_the_file(live_endpoint):
    actions.publish()
    Routes.objects.update(epoch=0, published_epoch=0)
    create = published.published()["epoch"]
    Deployment.objects.update(ended_at=timezone.now())

    assert actions.publish() == create + 1
    assert endpoints.routes()["endpoints"] == {}


def test_a_forged_document_is_replaced(live_endpoint):
    epoch = actions.publish()
    path = published.routes_path()
    path.write_bytes(path.read_bytes().replace(b'"share":10000', b'"share":1'))

    assert actions.publish() >= epoch
    assert endpoints.routes()["endpoints"][live_endpoint.full_name]["arms"][0]["share"] == 10000


def test_the_web_token_is_a_file_of_its_owner(live_endpoint, settings):
    published.web_token()

    assert (settings.DATA_DIR / "keys" / "web_token").stat().st_mode & 0o777 == 0o600


def test_the_server_reads_what_is_written(
    project, live_endpoint, by_hand, mia, ravi, omar, ana, django_capture_on_commit_callbacks
):
    snapshot = live_endpoint.alias.version.run.snapshot
    third = registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.3.0"
    )
    token, _ = create_token(user=ana, name="app", scopes=["infer"], days=1)
    with django_capture_on_commit_callbacks(execute=True):
        canary = actions.deploy(request_id=by_hand.uuid, actor=omar)
        shadow = actions.start_shadow(
            endpoint_id=live_endpoint.uuid, version_id=third.uuid, share=100, actor=omar
        )

    read = parse_routes(endpoints.routes()).endpoints[live_endpoint.full_name]

    live = deployments.live_deployment(live_endpoint)
    assert [(arm.name, arm.share, arm.deployment) for arm in read.arms] == [
        ("stable", 9_500, str(live.uuid)),
        ("canary", 500, str(canary.uuid)),
    ]
    assert (read.shadow.share, read.shadow.root_digest, read.shadow.deployment) == (
        100,
        third.root_digest,
        str(shadow.uuid),
    )
    assert {int(each.until) for each in read.tokens if each.until} == {int(token.expires_at.timestamp())}


def test_a_document_of_the_former_format_is_written_anew(live_endpoint):
    epoch = actions.publish()
    former = {"format": 1, "epoch": epoch, "at": "", "endpoints": endpoints.routes()["endpoints"]}
    published.routes_path().write_bytes(bundle.sign_document(former, keys.private_key_path()))

    assert actions.publish() == epoch + 1
    assert endpoints.routes()["format"] == FORMAT
