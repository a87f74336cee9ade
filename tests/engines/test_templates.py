"""Actions within actions, as a manifest and a slot's operands have them, are read back."""

from __future__ import annotations

import json

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.template import ListRun, actions_of, operands, template_of
from hotswitch.datapath.engines.kernel import manifest
from hotswitch.headers.standard import standard_registry
from hotswitch.model.text import read_actions

REGISTRY = standard_registry()
ACTIONS = read_actions(
    REGISTRY,
    "note_flags,clone{set:ipv4.ttl=9,output:2,clone{outputs:1+2+3,hash:7}},"
    "sample:0x5{copy_to_user:fields=skb_mark,drop:3},"
    "check_length:99{output:3:hairpin}{decrement_ttl{output:1}},"
    "decrement_ttl:ipv4.ttl{truncate:60,output:1},recirculate:7",
)


def test_a_template_in_a_manifest() -> None:
    template = template_of(ACTIONS)
    kept = json.loads(json.dumps([manifest._action(each) for each in template]))
    assert tuple(manifest._read_action(each) for each in kept) == template


def test_operands_of_actions_within_actions() -> None:
    lists: list[tuple[int, ...]] = []

    def place(ports: tuple[int, ...]) -> ListRun:
        lists.append(ports)
        return ListRun(len(lists) - 1, len(ports))

    flow = Flow(REGISTRY)
    data = operands(flow, ACTIONS, place)
    assert actions_of(flow, template_of(ACTIONS), data, lambda run: lists[run.start]) == ACTIONS
