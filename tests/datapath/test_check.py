"""Bad entries are refused in one clear line; good ones come out in normal form."""

import pytest
from hypothesis import given, settings

from hotswitch.datapath.check import EntryCheck, checked
from hotswitch.datapath.contract import DatapathError
from hotswitch.headers.standard import standard_registry
from hotswitch.model import action as act
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry
from hotswitch.model.match import ANY, Match, Term
from tests.engines import strategies
from tests.engines.harness import Setup

REGISTRY = standard_registry()
CHECK = EntryCheck(REGISTRY)


def entry(*actions: Action, match: Match = ANY, table: int = 0, priority: int = 5) -> Entry:
    return Entry(table, priority, match, actions)


def matching(*terms: Term) -> Entry:
    return entry(match=Match(terms))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry(table=255), "there is no table 255 (tables are 0 to 254)"),
        (entry(table=-1), "there is no table -1"),
        (entry(priority=0x10000), "priority 65536 is out of range"),
        (Entry(0, 0, ANY, (), cookie=1 << 64), "the cookie is out of range"),
        (matching(Term("ipv4.srv", 1, -1)), "no field 'ipv4.srv'; did you mean ipv4.src?"),
        (
            matching(Term("vlan.vid", 4096, -1)),
            "0x1000 does not fit into vlan.vid (vlan.vid has 12",
        ),
        (matching(Term("vlan.vid", -1, -1)), "does not fit into vlan.vid"),
        (matching(Term("vlan.vid", 3, 0x1000)), "mask 0x1000 is too wide for vlan.vid"),
        (matching(Term("vlan.vid", 3, -2)), "is too wide for vlan.vid"),
        (matching(Term("vlan.vid", 3, 2)), "vlan.vid=0x3 has bits outside its mask 0x2"),
        (matching(Term("vlan.vid", 3, 0)), "has bits outside its mask 0x0"),
        (matching(Term("vlan", 2, -1)), "0x2 does not fit into vlan (vlan has 1 bit)"),
        (matching(Term("vlan", 1, 3)), "mask 0x3 is too wide for vlan"),
        (matching(Term("reg0", 1, -1), Term("reg0", 1, 1)), "reg0 is matched twice"),
        (entry(*[act.PopVlan()] * 33), "33 actions are too many (at most 32)"),
        (entry(act.Drop(), act.PopVlan()), "an action after Drop (put it last)"),
        (entry(act.ToHost(), act.Drop()), "an action after ToHost"),
        (entry(act.GotoTable(1), act.Output(1)), "an action after GotoTable"),
        (entry(act.GotoTable(3), table=3), "GotoTable from table 3 to 3"),
        (entry(act.GotoTable(2), table=3), "only goes to tables with higher numbers"),
        (entry(act.GotoTable(255)), "GotoTable's table is 255 (it is 0 to 254)"),
        (entry(act.Output(0)), "port 0 cannot be"),
        (entry(act.Output(0xFF00)), "port 65280 cannot be"),
        (entry(act.OutputList((1, 0xFFFFFFF8))), "port 4294967288 cannot be"),
        (entry(act.OutputList((1, 0))), "port 0 cannot be"),
        (entry(act.OutputList((7, 1, 7))), "port 7 is in an OutputList twice"),
        (
            entry(act.OutputList(tuple(range(1, 4098)))),
            "OutputList of 4097 ports (at most 4096)",
        ),
        (entry(act.SetField("nothing", 1)), "no field 'nothing'"),
        (entry(act.SetField("in_port", 1)), "in_port cannot be set"),
        (entry(act.SetField("ipv4", 1)), "ipv4 cannot be set"),
        (entry(act.SetField("ethertype", 1)), "ethertype cannot be set"),
        (entry(act.SetField("ipv4.version", 4)), "ipv4.version cannot be set"),
        (entry(act.SetField("vlan.vid", 4096)), "setting vlan.vid to 0x1000"),
        (entry(act.SetField("vlan.vid", 1, 0x1001)), "mask 0x1001 is too wide for vlan.vid"),
        (entry(act.SetField("vlan.vid", 1, 0)), "setting vlan.vid under mask 0"),
        (entry(act.SetField("vlan.vid", 3, 1)), "setting vlan.vid to 0x3 under mask 0x1"),
        (entry(act.CopyField("ipv4.src", "vlan.vid")), "bits 0 to 31 are not in vlan.vid"),
        (entry(act.CopyField("vlan.vid", "reg0", width=13)), "bits 0 to 12 are not in vlan.vid"),
        (entry(act.CopyField("vlan.vid", "reg0", target_bit=21)), "bits 21 to 32 are not in reg0"),
        (entry(act.CopyField("vlan.vid", "reg0", source_bit=12)), "CopyField from vlan.vid"),
        (entry(act.CopyField("vlan.vid", "reg0", source_bit=-1)), "bits -1 to"),
        (entry(act.CopyField("reg0", "in_port")), "in_port cannot be set"),
        (
            entry(act.PushVlan(0x8847)),
            "EtherType 0x8847 (it can be 0x8100 or 0x88a8)",
        ),
        (entry(act.PushMpls(0x0800)), "PushMpls with EtherType 0x0800"),
        (entry(act.PopMpls(0x10000)), "PopMpls's EtherType is 65536"),
        (entry(act.DecrementTtl("ipv4.protocol")), "ipv4.protocol cannot be set"),
        (entry(act.CopyToUser(length=0)), "CopyToUser's length is 0 (it is 1 to 65535)"),
        (entry(act.CopyToUser(length=65536)), "CopyToUser's length is 65536"),
        (entry(act.CopyToUser(reason=-1)), "CopyToUser's reason is -1"),
        (entry(act.Learn("reg99")), "no field 'reg99'"),
        (entry(act.Lookup("reg99")), "no field 'reg99'"),
        (entry(act.Lookup(target="vlan.vid")), "Lookup into vlan.vid, which has 12 bits"),
        (entry(act.Limit(-1)), "Limit's meter is -1"),
        (entry("drop"), "'drop' is not an action"),  # type: ignore[arg-type]
    ],
)
def test_refused(bad: Entry, message: str) -> None:
    with pytest.raises(DatapathError) as caught:
        CHECK.entry(bad)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"table {bad.table}, priority {bad.priority}, match ")
    assert "\n" not in text


def test_normal_form() -> None:
    given_ = Entry(
        1,
        2,
        Match(
            (
                Term("vlan.vid", 5, -1),
                Term("reg0", 0, 0),
                Term("ipv4.dst", 0, 0xFF),
                Term("arp", 0, -1),
            )
        ),
        (act.SetField("vlan.vid", 7), act.CopyField("vlan.vid", "reg0", source_bit=4), act.Drop()),
        cookie=9,
    )
    assert checked(REGISTRY, given_) == Entry(
        1,
        2,
        Match((Term("arp", 0, 1), Term("ipv4.dst", 0, 0xFF), Term("vlan.vid", 5, 0xFFF))),
        (
            act.SetField("vlan.vid", 7, 0xFFF),
            act.CopyField("vlan.vid", "reg0", source_bit=4, width=8),
            act.Drop(),
        ),
        cookie=9,
    )


def test_what_is_in_normal_form_is_not_copied() -> None:
    first = CHECK.entry(entry(act.SetField("reg0", 1), match=Match.of({"vlan.vid": 5})))
    assert CHECK.entry(first) is first


def test_the_same_mask_with_another_value_is_checked_again() -> None:
    for vid in (1, 4095):
        CHECK.entry(entry(match=Match.of({"vlan.vid": vid})))
    with pytest.raises(DatapathError):
        CHECK.entry(entry(match=Match.of({"vlan.vid": 4096})))


def test_every_port_there_can_be() -> None:
    CHECK.entry(entry(act.Output(1), act.Output(0xFEFF), act.Output(act.IN_PORT)))
    CHECK.entry(entry(act.OutputList(()), act.OutputList(tuple(range(1, 4097)))))


def test_a_long_match_is_not_shown_whole() -> None:
    match = Match.of({f"reg{n}": 0xFFFFFFFF for n in range(16)} | {"metadata": 1 << 64})
    with pytest.raises(DatapathError) as caught:
        CHECK.entry(entry(match=match))
    assert len(str(caught.value)) < 400


@settings(max_examples=50)
@given(strategies.scenes(REGISTRY))
def test_random_entries_pass_and_stay(scene: tuple[Setup, object]) -> None:
    for each in scene[0].entries:
        once = CHECK.entry(each)
        assert CHECK.entry(once) is once
