"""The daemon, which joins all other rooms, and the command line, which asks it.

`life` begins and ends everything; `service` keeps what is wanted and in force the same; `database`
and `external` are the two places where it can be kept. Whoever changes something comes by
`methods` (our own commands), `appctl` (Open vSwitch's) or `files`.
"""
