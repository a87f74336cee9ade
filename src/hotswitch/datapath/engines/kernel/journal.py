"""Keeps the manifest true: a later daemon reads in it what it can't see in the maps."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.compiler.shape import Shape
from hotswitch.compiler.template import Template
from hotswitch.datapath.engines.kernel.manifest import Manifest, encode
from hotswitch.datapath.engines.kernel.store import MapStore

MANIFEST = "manifest"


class Journal:
    """Whoever changes what the manifest tells writes it, before that matters to a successor.

    programs, retiring: as in `Manifest`.
    """

    def __init__(
        self,
        store: MapStore,
        digest: str,
        templates: Mapping[Template, int],
    ) -> None:
        self._store = store
        self._digest = digest
        self._templates = templates
        self.programs: tuple[tuple[int, Shape], ...] = ()
        self.retiring: dict[str, int] = {}
        self._written = False

    def restore(self, manifest: Manifest) -> None:
        """Go on from what an earlier life wrote."""
        self.programs = manifest.programs
        self.retiring = dict(manifest.retiring)

    def begin(self) -> None:
        """Write it if nothing was written yet: what is noted elsewhere is found by it.

        Raises KernelError.
        """
        if not self._written:
            self.write()

    def write(self) -> None:
        """Write all of it, at once. Raises KernelError."""
        generations = self._store.generations
        generations.pop(MANIFEST, None)
        manifest = Manifest(
            self._digest,
            generations,
            dict(self.retiring),
            self.programs,
            {number: each for each, number in self._templates.items()},
        )
        self._written = True
        data = encode(manifest)
        map_ = self._store.get(MANIFEST)
        if len(data) <= map_.value_size:
            map_.update(bytes(4), data.ljust(map_.value_size, b"\0"))
            return
        old, new = self._store.grow(MANIFEST, 1, 2 * len(data))
        new.update(bytes(4), data.ljust(new.value_size, b"\0"))
        self._store.drop(old, MANIFEST)
