"""Actions with a copy: what they change of the packet is set back afterwards.

There is no second packet: a program has one, and what the helper that sends copies takes is that
one as it is. So the words of the flow that the actions change are kept, put back, and written back
into the frame when it is next seen.
"""

from __future__ import annotations

from functools import partial

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import PRESENCE_LAYER, Flow
from hotswitch.compiler.passes.uses import TAGS, changed_words, set_by
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.beside import tell_kernel
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.layout import SCRATCH_SIZE
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tunnel import OUT_FIELDS
from hotswitch.model.action import Actions, PopVlan, PushVlan, walk


class Aside:
    """Keeps what some actions change, from its making to `put_back`.

    place: where in the scratch memory there is room; end: where there is room behind it.
    """

    def __init__(
        self, packet: Packet, state: State, flow: Flow, actions: Actions, place: int
    ) -> None:
        self._packet = packet
        self._state = state
        self._fields = tuple(name for action in walk(actions) for name in set_by(flow, action))
        self._words = tuple(changed_words(flow, actions))
        self._place = place
        self.end = place + 8 * len(self._words)
        if self.end > SCRATCH_SIZE:
            raise CompileError("actions within actions change too much at once")
        self._tags = any(isinstance(action, PushVlan | PopVlan) for action in walk(actions))
        for index, word in enumerate(self._words):
            state.set_cell(place + 8 * index, state.word(word))

    def put_back(self) -> None:
        """Let the flow be as it was, and the frame when it is next seen."""
        state = self._state
        for index, word in enumerate(self._words):
            state.set_word(word, state.cell(self._place + 8 * index))
        layers = {word.layer for word in self._words} & set(state.flow.registry.layers)
        if self._tags or layers & {*TAGS}:
            state.mark(cells.TAGS_DIRTY)
        for layer in sorted(layers - {*TAGS, "ethernet", PRESENCE_LAYER} | self._ethernet()):
            state.code.when(state.present(layer), partial(state.mark_layer, layer), "changed")
        tell_kernel(self._packet, state, self._fields)
        if OUT_FIELDS.intersection(self._fields):
            state.mark(cells.TUNNEL_DIRTY)

    def _ethernet(self) -> set[str]:
        """Pushing a tag changes Ethernet's type, which is written with the tags."""
        return {"ethernet"} & {name.partition(".")[0] for name in self._fields}
