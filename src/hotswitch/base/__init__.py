"""What any room may need and none owns: no I/O of its own but a socket's making, no policy.

An injected clock, the base of all declared errors, values that share with their successors
(`shared`), long work in pieces that lets others have turns (`pieces`).
"""
