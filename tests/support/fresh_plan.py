"""What a fresh plan would do to what a dead daemon has left.

`python -m tests.support.fresh_plan RUN_DIR NAMESPACE` prints a JSON object: `steps`, which are none
if all is as wanted, and `ports`: by bridge and name the indexes of the links.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hotswitch.app.database import open_storage
from hotswitch.app.engines import ENGINES
from hotswitch.app.world import Outside
from hotswitch.config.read import Reader
from hotswitch.config.rows import embedded_tables
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns
from hotswitch.switch.plan import plan
from hotswitch.switch.world import observe


def main() -> None:
    """Look, plan, print."""
    run_dir, namespace = Path(sys.argv[1]), sys.argv[2]
    netns.enter(namespace)
    storage = open_storage(run_dir / "conf.db")
    world = Outside(run_dir, standard_registry(), ENGINES["kernel"]).world()
    wanted = Reader().read(embedded_tables(storage.database)).desired
    observed = observe(world)
    ports = {
        name: {
            port.name: sorted(life.ifindex for life in port.links)
            for port in datapath.ports.values()
        }
        for name, datapath in observed.datapaths.items()
    }
    steps = [str(step) for step in plan(wanted, observed)]
    print(json.dumps({"steps": steps, "ports": ports}))
    for datapath in world.datapaths.values():
        datapath.close()
    storage.close()


if __name__ == "__main__":
    main()
