"""What the engines' tests share."""

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import standard_registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    return standard_registry()
