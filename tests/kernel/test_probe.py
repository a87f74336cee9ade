"""What this kernel has, found by trying and by looking elsewhere."""

from __future__ import annotations

import platform

import pytest

from hotswitch.kernel import link_actions, probe, xdp_features
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.probe import FEATURES, Feature, why_unusable
from hotswitch.kernel.xdp_features import XdpFeature
from tests.kernel.conftest import Pair


def running() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])


@pytest.mark.parametrize("feature", FEATURES, ids=lambda each: each.name)
def test_a_kernel_has_what_came_with_or_before_it(feature: Feature) -> None:
    version = tuple(int(part) for part in feature.version.split("."))
    assert bool(feature) == (running() >= version)


def test_a_helper_that_no_kernel_has() -> None:
    missing = Feature("the impossible", "99.0", probe._helper(100_000))
    assert not missing
    with pytest.raises(KernelError, match=r"no the impossible \(needs Linux 99.0 or newer\)"):
        missing.need()


def test_a_feature_is_probed_once() -> None:
    runs = []
    feature = Feature("once", "1.0", lambda: bool(runs.append(1)) or True)
    assert feature
    assert feature
    assert runs == [1]


def test_a_program_type_has_its_own_helpers() -> None:
    assert not Feature("xdp helper in tc", "0.0", probe._helper(189))


def test_bpf_is_usable_here() -> None:
    assert why_unusable() is None


def test_why_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotswitch.kernel.syscall._NUMBER", 0)
    reason = why_unusable()
    assert reason is not None
    assert "no BPF" in str(reason)


def test_without_the_right_to_change_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_may_administer_networks", lambda: False)
    assert "CAP_NET_ADMIN" in str(why_unusable())


def test_a_kernel_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Feature("something", "99.0", probe._helper(100_000))
    monkeypatch.setattr(probe, "NEEDED", (probe.RING_BUFFER, missing))
    assert str(why_unusable()) == "this kernel has no something (needs Linux 99.0 or newer)"


def test_xdp_features_of_a_veth(pair: Pair) -> None:
    bridge = link_actions.create("bridge", "bridge").index
    found = xdp_features.xdp_features([pair.near, bridge, 4711])
    assert found.keys() == {pair.near, bridge}
    assert XdpFeature.BASIC | XdpFeature.REDIRECT in found[pair.near]
    assert found[bridge] == XdpFeature(0)
