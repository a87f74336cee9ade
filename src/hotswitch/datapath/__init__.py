"""One pipeline with its ports, whatever runs it.

`contract` is for callers, `provider` for engines; `EntryDatapath` (`datapath`) stands between them:
it checks and brings into normal form what is asked, and keeps the books that all engines need.
"""
