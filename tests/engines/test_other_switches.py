"""Another hotswitch's programs are known of, and its devices not taken, of this process's too."""

import os

import pytest

from hotswitch.compiler.targets.bpf.hook import SKB
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel.entry_programs import entry_instructions
from hotswitch.datapath.engines.kernel.other_switches import ENTRY, OtherSwitches
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program, ProgramType
from hotswitch.model.port import Port
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.engines.wires import wires
from tests.support.wait import until

REGISTRY = standard_registry()


def test_others_programs_are_known_while_they_are_there() -> None:
    others, mine = OtherSwitches(), OtherSwitches()
    before = set(others.programs())
    with Map.create(MapType.PROG_ARRAY, key_size=4, value_size=4, max_entries=1) as array:
        code = entry_instructions(SKB, array)
        with Program.load(ProgramType.SCHED_CLS, code, name=ENTRY) as program:
            number = program.info().id
            with Program.load(ProgramType.SCHED_CLS, code, name="something_else") as unrelated:
                found = set(others.programs())
                assert number in found - before
                assert unrelated.info().id not in found
            assert number in set(others.programs())
            assert number in set(mine.programs())
            mine.exclude(array.id)
            assert number not in set(mine.programs())
    until(lambda: number not in set(others.programs()), "the program has gone", 10)


@pytest.mark.skipif(not TCX, reason="no tcx")
def test_a_device_of_another_datapath_is_refused_once_a_link_has_it() -> None:
    name = f"apart{os.getpid()}"
    with wires((1,)) as made:
        one, other = (
            EntryDatapath(each, REGISTRY, kernel_engine(each, REGISTRY, each, 16))
            for each in (f"{name}a", f"{name}b")
        )
        try:
            one.add_ports([Port(1, "p", made[1].near)])
            until(lambda: takes_by_tcx(made[1].near), "a link has the filter's place", 60)
            (refused,) = other.add_ports([Port(1, "p", made[1].near)]).values()
            assert "another hotswitch" in str(refused)
            one.delete_port(1)
            assert other.add_ports([Port(1, "p", made[1].near)]) == {}
        finally:
            one.destroy()
            other.destroy()
