"""Bridges: from what is wanted and what is there to steps, and to entries of a pipeline.

`desired` is what can be wanted, `check` refuses what can't be; `layout` says which port has which
number and link; `plan` is a pure function to `steps`, and `apply` carries them out. `switch` holds
all that together, `pipeline` makes entries of a bridge, `status` is what is told of it.
"""
