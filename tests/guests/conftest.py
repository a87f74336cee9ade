"""What tests with guests share."""

from __future__ import annotations

import pytest

from tests.support.debian_kernel import NETWORK_MODULES, Kernel, NoKernelError, debian_kernel


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """A kernel for guests, with what is needed for a network interface."""
    assert request.config.cache
    try:
        return debian_kernel(request.config.cache.mkdir("guest"), NETWORK_MODULES)
    except NoKernelError as error:
        pytest.skip(str(error))
