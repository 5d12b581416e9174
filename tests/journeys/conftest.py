"""One product and one story for journeys that go together, and a second one for those that change the model
or break things.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.circle import Circle
from tests.support.corpora import banking, banking_folder, generated
from tests.support.product import Product, running_product
from tests.support.stories import place
from tests.support.story import Story
from tests.support.visitors import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.desk import Desk

HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each story in its order."""
    items.sort(key=lambda item: place(item.path.stem if item.path.parent == HERE else ""))


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The whole product as real processes; started at its first use."""
    with running_product() as running:
        yield running


@pytest.fixture(scope="session")
def inbox_story(product: Product) -> Story:
    """The generator's messages, in a project of their own."""
    return Story(Workspace(product, "support", "Support inbox"), generated())


@pytest.fixture(scope="session")
def circle() -> Iterator[Circle]:
    """What follows once a first version is live, with a second lead, on a product of its own."""
    with running_product() as product:
        workspace = Workspace(product, "support", "Support inbox")
        workspace.add("lea", "lead")
        yield Circle(Story(workspace, generated()))


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


@pytest.fixture(scope="module")
def desk(chromium: Browser, product: Product) -> Desk:
    """Everybody's window on the product."""
    # here: loading Playwright takes a second, which other tests need not pay
    from tests.support.desk import Desk

    if product.process is None:  # test_up ended it
        product.start()
    return Desk(chromium, product)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the product's last output to the report of a failure."""
    report = yield
    given = getattr(item, "funcargs", {})
    product = given["circle"].story.product if "circle" in given else given.get("product")
    if report.failed and product is not None:
        report.sections.append(("The product's last words", product.log()[-8000:]))
    return report
