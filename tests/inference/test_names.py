"""Each URL has one meaning: endpoint, version, and operation. Endpoints of one slug in two projects are
separate.
"""

import itertools

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.names import NAME, WORDS, meant
from tests.inference.conftest import follow
from tests.inference.models import OTHER_TOKEN, TOKEN, ask, auth, endpoint, version_of

BOTH_TOKEN = "token-of-both"
MISSING = {"error": "Model not found, or not allowed for this token."}
SEVERAL = {
    "error": (
        "This token can use 2 models named support-triage. Use one of alpha/support-triage,"
        " beta/support-triage."
    )
}


@pytest.fixture
def roots(installation, server):
    """Alpha and beta each have an endpoint support-triage, with a version and a token of its own; one more
    token opens both.
    """
    alpha, beta = installation.artifact(0), installation.artifact(1)
    routes = {
        "alpha/support-triage": endpoint(alpha, token=TOKEN),
        "beta/support-triage": endpoint(beta, token=OTHER_TOKEN),
    }
    for route in routes.values():
        route["tokens"] += endpoint(alpha, token=BOTH_TOKEN)["tokens"]
    installation.publish(**routes)
    follow(server)
    return {"alpha": alpha, "beta": beta}


def read(server, path):
    """Every match of a path: the name, the version, and the operation."""
    found = []
    for route in server.application().routes:
        if match := route.path_regex.match(path):
            given = match.groupdict()
            found.append(
                (given.get("name", ""), given.get("version", ""), route.path.rpartition("}")[2] or "metadata")
            )
    return found


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        ("a", ("a", "", "metadata")),
        ("a/infer", ("a", "", "/infer")),
        ("a/b", ("a/b", "", "metadata")),
        ("a/b/ready", ("a/b", "", "/ready")),
        ("a/versions/1", ("a", "1", "metadata")),
        ("a/versions/infer", ("a", "infer", "metadata")),
        ("a/b/versions/1", ("a/b", "1", "metadata")),
        ("a/versions/1/stats", ("a", "1", "/stats")),
        ("a/b/versions/1/config", ("a/b", "1", "/config")),
        ("infer/infer", ("infer", "", "/infer")),  # a project may be called so
        ("ready/b/ready", ("ready/b", "", "/ready")),
        ("a/inference", ("a/inference", "", "metadata")),
    ],
)
def test_an_address_is_parsed_by_its_words(server, path, reading):
    assert read(server, f"/v2/models/{path}") == [reading]


def test_no_address_has_two_readings(server):
    matches = [route.path_regex.match for route in server.application().routes]
    names = ("a", "b", *sorted(WORDS))
    paths = [
        "/v2/models/" + "/".join(each)
        for length in range(1, 6)
        for each in itertools.product(names, repeat=length)
    ]

    several = [path for path in paths if sum(match(path) is not None for match in matches) > 1]

    assert several == ["/v2/models/stats"]  # of everything, since no endpoint is called so


@pytest.mark.parametrize("name", ["alpha/support-triage", "Alpha_1/s", "-/0"])
def test_names_that_a_document_may_hold(name):
    assert NAME.match(name)


@pytest.mark.parametrize(
    "name", ["support", "/s", "a/", "a/b/c", "a/B", "a/..", "../x", "a/s\n", "a b/c", "a/" + "s" * 61, "ä/s"]
)
def test_names_that_no_document_may_hold(name):
    assert not NAME.match(name)


def test_a_slug_means_all_endpoints_that_have_it_and_a_full_name_one():
    names = ["b/x", "a/x", "x/a", "x/x-1"]

    assert [meant(wanted, names) for wanted in ("x", "a", "a/x", "x/x", "b")] == [
        ["a/x", "b/x"],
        ["x/a"],
        ["a/x"],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("project", "token", "label"), [("alpha", TOKEN, "card"), ("beta", OTHER_TOKEN, "money")]
)
def test_each_answers_under_its_full_name_and_to_its_own_token_under_its_slug(
    client, roots, project, token, label
):
    full = f"{project}/support-triage"

    for path in (
        full,
        "support-triage",
        full.replace("/", "%2F"),
        f"{full}/versions/{version_of(roots[project])}",
    ):
        found = client.post(f"/v2/models/{path}/infer", json=ask("card"), headers=auth(token))
        body = found.json()
        assert (found.status_code, body["model_name"], body["model_version"]) == (
            200,
            full,
            version_of(roots[project]),
        )
        assert body["outputs"][0]["data"] == [label]
        known = [
            client.get(f"/v2/models/{path}{word}", headers=auth(token)).json()["name"]
            for word in ("", "/ready", "/config")
        ]
        assert known == [full] * 3
        assert (
            client.get(f"/v2/models/{path}/stats", headers=auth(token)).json()["model_stats"][0]["name"]
            == full
        )
    index = client.post("/v2/repository/index", headers=auth(token)).json()
    assert [(each["name"], each["version"]) for each in index] == [(full, version_of(roots[project]))]


def test_no_name_is_recommended_that_means_another_address(client, installation, server):
    digest = installation.artifact()
    installation.publish(**{f"{project}/ready": endpoint(digest) for project in ("alpha", "beta")})
    follow(server)

    answer = client.post("/v2/models/ready/infer", json=ask("card"), headers=auth())

    error = "This token can use 2 models named ready. Use a token of one endpoint."
    assert (answer.status_code, answer.json()) == (409, {"error": error})


@pytest.mark.parametrize(
    "word", ["", "/ready", "/config", "/stats", "/infer", "/versions/1", "/versions/1/infer"]
)
def test_that_of_another_project_looks_like_one_that_is_not_there(client, roots, word):
    names = (
        "beta/support-triage",
        "beta%2Fsupport-triage",
        "beta/nothing",
        "gamma/support-triage",
        "nothing",
        "beta%252Fsupport-triage",
    )

    asked = {
        name: client.request(
            "POST" if word.endswith("infer") else "GET", f"/v2/models/{name}{word}", headers=auth()
        )
        for name in names
    }

    assert {name: (answer.status_code, answer.json()) for name, answer in asked.items()} == dict.fromkeys(
        names, (404, MISSING)
    )


@pytest.mark.parametrize(
    "word", ["", "/ready", "/config", "/stats", "/infer", "/versions/1", "/versions/1/infer"]
)
def test_a_slug_that_a_token_opens_in_two_projects_is_refused_with_both_full_names(
    client, installation, server, roots, word
):
    method = "POST" if word.endswith("infer") else "GET"

    answer = client.request(method, f"/v2/models/support-triage{word}", headers=auth(BOTH_TOKEN))

    assert (answer.status_code, answer.json()) == (409, SEVERAL)
    for project, root in roots.items():
        found = client.post(
            f"/v2/models/{project}/support-triage/infer", json=ask("card"), headers=auth(BOTH_TOKEN)
        )
        assert found.json()["model_version"] == version_of(root)


def test_a_project_and_an_endpoint_of_one_name_are_distinguished(client, installation, server):
    one, other = installation.artifact(0), installation.artifact(1)
    installation.publish(**{"x/y": endpoint(one), "y/x": endpoint(other)})
    follow(server)

    found = {
        path: client.post(f"/v2/models/{path}/infer", json=ask("card"), headers=auth()).json()["model_name"]
        for path in ("x/y", "y/x", "x", "y")
    }

    assert found == {"x/y": "x/y", "y/x": "y/x", "x": "y/x", "y": "x/y"}


def test_neither_spool_nor_counts_nor_status_of_the_two_are_mixed(client, installation, server, roots):
    for project, number in (("alpha", 1), ("beta", 2)):
        client.post(
            f"/v2/models/{project}/support-triage/infer",
            json=ask(*["card"] * number),
            headers=auth(BOTH_TOKEN),
        )
    scraped = client.get("/metrics", headers=auth("metrics-token")).text
    stats = client.get("/v2/models/stats", headers=auth(BOTH_TOKEN)).json()["model_stats"]
    server.spool.stop()

    expected = [(f"{project}/support-triage", version_of(root)) for project, root in roots.items()]
    assert [(line["endpoint"], line["version"]) for line in installation.spooled()] == expected
    texts = {
        (each.labels["endpoint"], each.labels["version"]): each.value
        for family in text_string_to_metric_families(scraped)
        for each in family.samples
        if each.name == "lifecycle_inference_texts_total"
    }
    assert texts == dict(zip(expected, (1, 2), strict=True))
    assert [(each["name"], each["version"], each["inference_count"]) for each in stats] == [
        (*name, number) for name, number in zip(expected, (1, 2), strict=True)
    ]
    status = installation.status()["endpoints"]
    assert {name: each["versions"] for name, each in status.items()} == {
        name: [version] for name, version in expected
    }


def test_a_server_waits_for_a_new_document_while_the_current_one_has_another_format(installation):
    root = installation.artifact()
    installation.publish(installation.document() | {"format": 3, "endpoints": {"support": endpoint(root)}})
    server = Server(Config(data_dir=installation.folder))

    assert (server.router.poll(), server.router.begins, server.router.answers) == (False, False, False)
    installation.publish(support=endpoint(root))
    follow(server)

    assert (list(server.router.table.endpoints), server.router.answers, server.router.problem) == (
        ["inbox/support"],
        True,
        "",
    )
