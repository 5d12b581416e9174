"""One product for all journeys; one story for each corpus."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.circle import Circle
from tests.support.corpora import banking, banking_folder, generated
from tests.support.product import Product
from tests.support.story import Story
from tests.support.visitors import Workspace


@pytest.fixture(scope="session")
def inbox_story(product: Product) -> Story:
    """The generator's messages, in a project of their own."""
    return Story(Workspace(product, "journey-inbox", "Journey inbox"), generated())


@pytest.fixture(scope="session")
def circle(product: Product) -> Circle:
    """What follows once a first version is live, in a project of its own with a second lead."""
    story = Story(Workspace(product, "journey-circle", "Journey circle"), generated())
    story.workspace.add("lea", "lead")
    return Circle(story)


@pytest.fixture(scope="session")
def banking_story(product: Product) -> Story:
    """Four categories of banking77; skips where the data is not there."""
    folder = banking_folder()
    if folder is None:
        pytest.skip("banking77 is not here: set SHARED_DATA, or put it into ../shared/data/banking77.")
    return Story(Workspace(product, "journey-banking", "Journey banking"), banking(folder))


@pytest.fixture(scope="session", params=["inbox", *(["banking77"] if os.environ.get("REAL_RUNS") else [])])
def story(request: pytest.FixtureRequest) -> Story:
    """The generator's messages, and with REAL_RUNS=1 real ones too."""
    found: Story = request.getfixturevalue("inbox_story" if request.param == "inbox" else "banking_story")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Beside a failure stands what the product printed last."""
    report = yield
    product = getattr(item, "funcargs", {}).get("product")
    if report.failed and product is not None:
        report.sections.append(("The product's last words", product.log()[-8000:]))
    return report
