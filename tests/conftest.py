"""For all tests: a skip in CI is a failure, unless tests/allowed_skips.txt names it."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import own_mounts

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")

settings.register_profile("hotswitch", deadline=None, print_blob=True)
settings.load_profile("hotswitch")


@pytest.fixture(scope="session", autouse=True)
def _own_mounts() -> None:
    if not os.geteuid():
        own_mounts.take()


def _allowed(node_id: str) -> bool:
    lines = (line.split("#")[0].split() for line in ALLOWED_SKIPS.read_text().splitlines())
    return any(words and words[0] in node_id for words in lines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true" and not _allowed(item.nodeid):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped in CI, which tests/allowed_skips.txt does not allow: {report.longrepr}"
        )
    return report


LONG = (
    "app/test_dp.py",
    "app/test_dp_documentation.py",
    "app/test_facade.py",
    "app/test_flips.py",
    "app/test_random_kills.py",
    "app/test_vnics.py",
    "clients/test_bridge_address.py",
    "clients/test_dpctl.py",
    "clients/test_hand_over.py",
    "clients/test_libvirt.py",
    "clients/test_ovsdbapp.py",
    "clients/test_tutorial.py",
    "clients/test_vsctl_connections.py",
    "clients/test_vsctl_manual.py",
    "clients/test_vswitchd.py",
    "clients/test_vswitchd_features.py",
    "clients/test_vswitchd_tunnels.py",
    "engines/test_kernel_size.py",
    "external/test_cluster.py",
    "external/test_following.py",
    "external/test_own_server.py",
    "older_kernel/test_older_kernel.py",
    "guests/test_libvirt.py",
    "guests/test_qemu.py",
    "guests/test_qemu_scripts.py",
    "guests/test_xen.py",
    "netlink/syntax/test_beside_dpctl.py",
    "netlink/test_bounds.py",
    "netlink/test_fuzz_guided.py",
    "netlink/test_killed_daemon.py",
    "tests/test_bench.py",
)
"""Real clients, guests, clusters, measurements, many kills: minutes, not needed by every change."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `-m "not long"` leaves them out."""
    for item in items:
        if item.path.as_posix().endswith(LONG):
            item.add_marker(pytest.mark.long)
