"""docs/serving.md matches the server."""

import json
import re
from pathlib import Path

from tests.inference.models import auth

ROOM = Path(__file__).parents[2] / "lifecycle" / "runtime" / "inference"
GUIDE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_every_setting_of_the_server_is_in_the_guide_and_no_other():
    read = set(re.findall(r'env_\w+\("(\w+)"', (ROOM / "config.py").read_text(encoding="utf-8")))

    assert read == set(re.findall(r"`(DATA_DIR|METRICS_TOKEN|INFERENCE_[A-Z_]+)`", GUIDE))


def test_every_status_that_the_server_answers_with_is_in_the_guide():
    pattern = r"(?:ProtocolError\(|refusal\(\s*b\")\s*(\d{3})"
    answered = {
        code for path in ROOM.rglob("*.py") for code in re.findall(pattern, path.read_text(encoding="utf-8"))
    }

    assert answered == set(re.findall(r"^\| (\d{3}) \|", GUIDE, re.MULTILINE))


def test_the_example_request_is_answered(client):
    body = re.search(r"-d '(.+)'", GUIDE).group(1)

    response = client.post("/v2/models/support/infer", content=body, headers=auth())

    example = json.loads(
        re.sub(
            r"…\"", '"', re.search(r'^\{"model_name".+?\}\]\}$', GUIDE, re.MULTILINE | re.DOTALL).group(0)
        ).replace(", …", "")
    )
    assert response.json().keys() == example.keys()
    assert response.json()["parameters"].keys() == example["parameters"].keys()
    assert [output["name"] for output in response.json()["outputs"]] == [
        output["name"] for output in example["outputs"]
    ]
