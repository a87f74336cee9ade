"""Waits that are met, seen at a glance.

Clients that go by what they have read (`ovs-vsctl` and other users of Open vSwitch's IDL) send a
`wait` for each row that they have looked at: a thousand and more in one transaction, nearly all of
them met. What is not of their form, or not met, takes a closer look (`operations`).
"""

from __future__ import annotations

from hotswitch.ovsdb.transaction import Transaction
from hotswitch.ovsdb.values import Json

_MEMBERS = 7


def is_met(transaction: Transaction, json: Json) -> bool:
    """Whether an operation asks that one row, named by its UUID, has now what it has.

    Only where data are written as text alone, so that what is written alike is the same.
    """
    try:
        if json["op"] != "wait" or json["until"] != "==" or len(json) != _MEMBERS:
            return False
        timeout, table, columns = json["timeout"], json["table"], json["columns"]
        [[name, function, [kind, uuid]]] = json["where"]
        [row] = json["rows"]
        if timeout != 0 or type(timeout) is not int or columns != [*row]:
            return False
        if name != "_uuid" or function != "==" or kind != "uuid":
            return False
        view = transaction.view(table)
        return view is not None and view.has_texts(uuid, row)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
