"""What happens in the switch, numbered and kept for a while: for `hotswitch events`.

`kinds` says what there is, `differences` and `addresses` find it out by comparing two moments,
`ring` keeps it, `feed` joins them with the daemon. docs/events.md is for readers.
"""
