"""The tables: one family, or one set of attributes that several share, a file.

The numbers are those of include/uapi/linux/openvswitch.h, genetlink.h and netlink.h, and of
Documentation/netlink/specs/ovs_*.yaml in the Linux tree.
"""
