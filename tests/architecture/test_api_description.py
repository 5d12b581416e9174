"""The API's description: what its generator finds odd, and that the walk's comparison with it can fail."""

import pytest
from django.http import HttpResponse, JsonResponse

from tests.support.described import described, faults

JOB = "/api/v1/jobs/<uuid:uuid>/"
ERROR = {"code": "not_found", "message": "There is nothing here.", "fields": {}}


def test_the_generator_of_the_description_warns_of_nothing():
    assert described()[1] == []


def test_every_refusal_has_the_one_form():
    paths = described()[0]["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    found = {
        (status, answer["content"]["application/json"]["schema"].get("$ref"))
        for operation in operations
        for status, answer in operation["responses"].items()
        if status >= "4"
    }

    assert {status for status, _ in found} == {
        "400",
        "401",
        "403",
        "404",
        "409",
        "413",
        "415",
        "422",
        "429",
        "503",
    }
    assert {form for _, form in found} == {"#/components/schemas/ErrorOut"}
    assert all({"401", "403", "429"} <= operation["responses"].keys() for operation in operations)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (JsonResponse(ERROR, status=404), ""),
        (JsonResponse(ERROR, status=418), "no such answer"),
        (JsonResponse(ERROR | {"fields": None}, status=404), "None is not of type 'object'"),
        (JsonResponse(ERROR | {"detail": "more"}, status=404), "'detail' was unexpected"),
        (JsonResponse({"code": "not_found"}, status=404), "'fields' is a required property"),
        (HttpResponse("<h1>Nothing</h1>", status=404), "text/html is described as application/json"),
    ],
)
def test_an_answer_that_is_not_as_described_is_found(answer, fault):
    assert fault in " ".join(faults("get", JOB, answer))
    assert bool(fault) == any(faults("get", JOB, answer))
