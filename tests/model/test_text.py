from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.field_text import TextError
from hotswitch.headers.registry import FieldInfo, Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.model.match import ANY, Match
from hotswitch.model.text import read_actions, read_match, show_action, show_actions, show_match

REGISTRY = Registry(BUILT_IN)
FIELDS = sorted(REGISTRY.fields(), key=lambda info: info.name)
NAMES = st.sampled_from([info.name for info in FIELDS])
NUMBERS = st.integers(0, 0xFFFF)


@st.composite
def masked(draw: st.DrawFn, info: FieldInfo) -> tuple[int, int]:
    mask = draw(st.one_of(st.just(info.mask), st.integers(1, info.mask)))
    return draw(st.integers(0, info.mask)) & mask, mask


@st.composite
def matches(draw: st.DrawFn) -> Match:
    infos = draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=6))
    return Match.of({info.name: draw(masked(info)) for info in infos})


@st.composite
def set_fields(draw: st.DrawFn) -> act.SetField:
    info = draw(st.sampled_from(FIELDS))
    return act.SetField(info.name, *draw(masked(info)))


PLAIN = st.builds(act.Output, NUMBERS) | st.just(act.Drop()) | set_fields()
INNER = st.recursive(
    st.lists(PLAIN, max_size=3).map(tuple),
    lambda inner: st.lists(st.builds(act.Clone, inner) | PLAIN, max_size=3).map(tuple),
    max_leaves=4,
)

ACTIONS: dict[type[Action], st.SearchStrategy[Action]] = {
    act.Output: st.builds(act.Output, st.one_of(st.just(act.IN_PORT), NUMBERS), st.booleans()),
    act.OutputList: st.builds(act.OutputList, st.lists(NUMBERS, max_size=4).map(tuple)),
    act.Drop: st.builds(act.Drop, NUMBERS),
    act.ToHost: st.just(act.ToHost()),
    act.SetField: set_fields(),
    act.CopyField: st.builds(act.CopyField, NAMES, NAMES, *(st.integers(0, 127) for _ in range(3))),
    act.PushVlan: st.builds(act.PushVlan, st.sampled_from([0x8100, 0x88A8])),
    act.PopVlan: st.just(act.PopVlan()),
    act.PushMpls: st.builds(act.PushMpls, st.sampled_from([0x8847, 0x8848])),
    act.PopMpls: st.builds(act.PopMpls, NUMBERS),
    act.DecrementTtl: st.builds(act.DecrementTtl, NAMES, INNER),
    act.GotoTable: st.builds(act.GotoTable, NUMBERS),
    act.CopyToUser: st.builds(act.CopyToUser, NUMBERS, NUMBERS),
    act.Learn: st.builds(act.Learn, NAMES),
    act.Lookup: st.builds(act.Lookup, NAMES, NAMES),
    act.Limit: st.builds(act.Limit, NUMBERS),
    act.Clone: st.builds(act.Clone, INNER),
    act.Sample: st.builds(act.Sample, NUMBERS, INNER),
    act.CheckLength: st.builds(act.CheckLength, NUMBERS, INNER, INNER),
    act.Truncate: st.builds(act.Truncate, NUMBERS),
    act.Hash: st.builds(act.Hash, NUMBERS),
    act.Recirculate: st.builds(act.Recirculate, NUMBERS),
    act.NoteFlags: st.just(act.NoteFlags()),
}


def test_no_action_is_forgotten() -> None:
    assert set(ACTIONS) == set(get_args(Action))


@given(matches())
def test_matches_are_read_back(match: Match) -> None:
    assert read_match(REGISTRY, show_match(REGISTRY, match)) == match


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: kind.__name__)
def test_each_action_is_read_back(kind: type[Action]) -> None:
    @given(ACTIONS[kind])
    def check(action: Action) -> None:
        assert read_actions(REGISTRY, show_action(REGISTRY, action)) == (action,)

    check()


@given(st.lists(st.one_of(*ACTIONS.values()), max_size=5).map(tuple))
def test_action_lists_are_read_back(actions: Actions) -> None:
    assert read_actions(REGISTRY, show_actions(REGISTRY, actions)) == actions


def test_reads_a_match() -> None:
    text = " in_port=1, vlan.vid=10, ipv4.src=10.0.0.0/8, tcp, !vlan2 "
    assert read_match(REGISTRY, text) == Match.of(
        {
            "in_port": (1, 0xFFFFFFFF),
            "vlan.vid": (10, 0xFFF),
            "ipv4.src": (0x0A000000, 0xFF000000),
            "tcp": (1, 1),
            "vlan2": (0, 1),
        }
    )
    assert read_match(REGISTRY, "vlan=0") == read_match(REGISTRY, "!vlan")
    assert read_match(REGISTRY, "any") == read_match(REGISTRY, "") == ANY
    assert show_match(REGISTRY, ANY) == "any"
    assert read_match(REGISTRY, "ipv4.src=1.2.3.4/0") == ANY


def test_an_exact_mask_of_minus_one_is_shown_as_exact() -> None:
    assert show_match(REGISTRY, Match.of({"vlan.vid": 10, "tcp": 1})) == "tcp,vlan.vid=10"
    assert show_action(REGISTRY, act.SetField("reg0", 1)) == "set:reg0=0x1"


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("output:3", [act.Output(3)]),
        ("outputs:1+2+3", [act.OutputList((1, 2, 3))]),
        ("outputs:", [act.OutputList(())]),
        ("output:in_port , drop", [act.Output(act.IN_PORT), act.Drop()]),
        (
            "set:ethernet.src=02:00:00:00:00:01",
            [act.SetField("ethernet.src", 2 << 40 | 1, 2**48 - 1)],
        ),
        ("set:ipv6.src=fd00::1", [act.SetField("ipv6.src", 0xFD << 120 | 1, 2**128 - 1)]),
        ("copy:vlan.vid->reg0", [act.CopyField("vlan.vid", "reg0")]),
        ("copy:reg0[4..15]->vlan.vid", [act.CopyField("reg0", "vlan.vid", 4, 0, 12)]),
        ("copy:reg0->metadata[32]", [act.CopyField("reg0", "metadata", 0, 32)]),
        ("push_vlan,pop_vlan", [act.PushVlan(), act.PopVlan()]),
        ("decrement_ttl", [act.DecrementTtl()]),
        ("learn,lookup", [act.Learn(), act.Lookup()]),
        ("copy_to_user", [act.CopyToUser()]),
        ("copy_to_user:length=64", [act.CopyToUser(0, 64)]),
        ("none", []),
        ("", []),
    ],
)
def test_reads_actions(text: str, actions: list[Action]) -> None:
    assert read_actions(REGISTRY, text) == tuple(actions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vlan.vid", "vlan.vid: a value is missing"),
        ("vlan.vid=", "vlan.vid: '' is not a number"),
        ("vlan.vid=4096", "vlan.vid: '4096' does not fit into 12 bits"),
        ("vlan.vid=1,vlan.vid=2", "vlan.vid is matched twice"),
        ("vlan,!vlan", "vlan is matched twice"),
        ("ipv4.sorce=1.2.3.4", "no field 'ipv4.sorce'; did you mean ipv4.src?"),
        ("!vlan=1", "no field '!vlan'"),
        ("vlan=2", "vlan: '2' does not fit into 1 bits"),
        ("tcp,,udp", "nothing between two commas"),
        ("=", "no field ''"),
    ],
)
def test_refuses_a_match(text: str, message: str) -> None:
    with pytest.raises(TextError) as caught:
        read_match(REGISTRY, text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flood", "no action 'flood'; actions are output, "),
        ("output", "output: write output:…"),
        ("output:", "something is missing after the colon"),
        ("output:tap0", "output: 'tap0' is not a number"),
        ("output:-1", "output: '-1' is not a number"),
        ("outputs:1+", "outputs: '' is not a number"),
        ("host:1", "host stands alone"),
        ("clone", "clone: actions are missing, in braces"),
        ("clone{output:2", "a brace is not closed"),
        ("clone:3{output:2}", "without '3'"),
        ("clone{output:2}output:3", "stands behind a brace"),
        ("clone{output:2}{output:3}", "at most 1 in braces"),
        ("output{drop}", "no actions can be in it"),
        ("sample{drop}", "is not a number"),
        ("output:2:back", "output:PORT:hairpin"),
        ("set:vlan.vid", "set:vlan.vid: a value is missing"),
        ("set:vlan.vid=5000", "does not fit into 12 bits"),
        ("copy:reg0", "not of the form SOURCE->TARGET"),
        ("copy:reg0[3]->reg1", "needs the last bit too"),
        ("copy:reg0[5..4]->reg1", "the last bit is before the first"),
        ("copy:reg0->reg1[4..5]", "needs the first bit only"),
        ("copy:reg0->reg1[4..]", "needs the first bit only"),
        ("copy:reg0[x]->reg1", "neither FIELD nor FIELD[FIRST..LAST]"),
        ("lookup:reg0->reg99", "no field 'reg99'"),
        ("copy_to_user:size=1", "write reason=NUMBER:length=NUMBER"),
        ("copy_to_user:length=1:length=2", "write reason=NUMBER:length=NUMBER"),
        ("goto:next", "goto: 'next' is not a number"),
        ("output:1,", "nothing between two commas, or before or after one"),
    ],
)
def test_refuses_actions(text: str, message: str) -> None:
    with pytest.raises(TextError) as caught:
        read_actions(REGISTRY, text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@given(st.text(alphabet="outpslcy:->[]0123.=,+!regvlan_/ ", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_match, read_actions):
        try:
            read(REGISTRY, text)
        except TextError as error:
            assert "\n" not in str(error)
