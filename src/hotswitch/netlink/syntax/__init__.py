"""Flows as text: the syntax of Open vSwitch's ovs-dpctl, read and shown.

One table says how each attribute of a key is written (`keys.py`), another how each action
(`actions.py`); what reads and what shows are two sides of each entry, a *form*. Nothing here does
I/O. The facts are those of Open vSwitch's lib/odp-util.c and lib/dpctl.c, version 3.1.
"""
