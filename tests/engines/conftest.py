"""What the engines' tests share."""

import pytest

from hotswitch.headers.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.standard()
