"""Actions with a copy: what they change of the packet is set back afterwards.

There is no second packet: a program has one, and what the helper that sends copies takes is that
one as it is. So the words of the flow that the actions change are kept, put back, and written back
into the frame when it is next seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import PRESENCE_LAYER, WORD, Flow, Piece, Word
from hotswitch.compiler.passes.uses import TAGS, changed_words, set_by
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.beside import tell_kernel
from hotswitch.compiler.targets.bpf.commit import Commit
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.layout import SCRATCH_SIZE
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tunnel import OUT_FIELDS
from hotswitch.model.action import Actions, PopVlan, PushVlan, walk

_ALL = (1 << WORD) - 1


class Aside:
    """Keeps what some actions change, from its making to `put_back`.

    place: where in the scratch memory there is room; end: where there is room behind it.
    """

    def __init__(
        self,
        packet: Packet,
        state: State,
        commit: Commit,
        flow: Flow,
        actions: Actions,
        place: int,
    ) -> None:
        self._packet = packet
        self._state = state
        self._commit = commit
        self._fields = tuple(name for action in walk(actions) for name in set_by(flow, action))
        self._words = tuple(changed_words(flow, actions))
        self._place = place
        self.end = place + 8 * len(self._words)
        if self.end > SCRATCH_SIZE:
            raise CompileError("actions within actions change too much at once")
        self._tags = any(isinstance(action, PushVlan | PopVlan) for action in walk(actions))
        self._checksums = _checksums(flow)
        for index, word in enumerate(self._words):
            state.set_cell(place + 8 * index, state.word(word))

    def put_back(self) -> None:
        """Let the flow be as it was, and the frame when it is next seen.

        Checksums follow what is put back, from what they are now. Those that were set are put back
        when they have followed.
        """
        following = _bits_by_word(self._checksums.values())
        self._put_words(lambda word: ~following.get(word, 0))
        self._commit.build_if_told_apart()
        there = _bits_by_word(
            piece for name, piece in self._checksums.items() if name in self._fields
        )
        self._put_words(lambda word: there.get(word, 0))
        tell_kernel(self._packet, self._state, self._fields)
        if OUT_FIELDS.intersection(self._fields):
            self._state.mark(cells.TUNNEL_DIRTY)

    def _put_words(self, bits_of: Callable[[Word], int]) -> None:
        state = self._state
        words = {word: bits_of(word) & _ALL for word in self._words}
        for index, (word, bits) in enumerate(words.items()):
            if bits:
                saved = state.cell(self._place + 8 * index)
                if bits == _ALL:
                    state.set_word(word, saved)
                else:
                    state.merge(word, bits, state.code.b.and_(saved, state.code.number(bits)))
        layers = {word.layer for word, bits in words.items() if bits}
        layers &= set(state.flow.registry.layers)
        if self._tags or layers & {*TAGS}:
            state.mark(cells.TAGS_DIRTY)
        for layer in sorted(layers - {*TAGS, "ethernet", PRESENCE_LAYER} | self._ethernet()):
            state.code.when(state.present(layer), partial(state.mark_layer, layer), "changed")

    def _ethernet(self) -> set[str]:
        """Pushing a tag changes Ethernet's type, which is written with the tags."""
        return {"ethernet"} & {name.partition(".")[0] for name in self._fields}


def _checksums(flow: Flow) -> Mapping[str, Piece]:
    """Where the flow has the checksums of headers, by the names of their fields."""
    return {
        name: flow.pieces(name)[0]
        for layer, each in flow.registry.layers.items()
        if each.header.checksum and (name := f"{layer}.{each.header.checksum.field}")
    }


def _bits_by_word(pieces: Iterable[Piece]) -> dict[Word, int]:
    """The bits that pieces have in words."""
    found: dict[Word, int] = {}
    for piece in pieces:
        found[piece.word] = found.get(piece.word, 0) | piece.mask
    return found
