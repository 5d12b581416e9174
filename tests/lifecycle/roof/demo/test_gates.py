"""Where a version of the demo fails its gates, the seeding stops there and names them."""

import pytest

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.roof.demo import seed
from lifecycle.runtime.refusals import Refused
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


class Stage(seed.Stage):
    """On it a job that is waited for runs at once."""

    def wait(self, find):
        run_ok("default")
        return find()


def test_a_version_that_a_gate_holds_back_ends_the_story_with_the_gate(project, mia, ravi):
    version = registry.make_version(project, mia, ravi, stated={})
    endpoint = registry.make_endpoint(version.model, mia)

    with pytest.raises(Refused) as refused:
        seed.promote(Stage(None, project), version, endpoint, "mia", "First version for the support inbox.")

    assert str(refused.value) == "The demo stopped: 1.0.0 didn't pass its gates. Model card complete: 1 of 2."
    assert PromotionRequest.objects.get().status == Status.DRAFT


@pytest.mark.postgres
def test_a_cancelled_check_is_no_failed_gate_and_is_repeated_when_the_demo_continues(project, mia, ravi):
    version = registry.make_version(project, mia, ravi)
    endpoint = registry.make_endpoint(version.model, mia)
    asked = seed.Stage(None, project), version, endpoint, "mia", "First version for the support inbox."

    class Cancelling(seed.Stage):
        def wait(self, find):
            for job in Job.objects.filter(kind="promotions.check", state="queued"):
                jobs.cancel(job.uuid, mia)
            return find()

    with pytest.raises(Refused) as refused:
        seed.promote(Cancelling(None, project), *asked[1:])

    assert (
        str(refused.value) == "The demo stopped: the gates of 1.0.0 weren't checked. The check was cancelled."
    )
    assert seed.promote(Stage(None, project), *asked[1:]).status == Status.IN_REVIEW
