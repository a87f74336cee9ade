"""What bpf(2) takes for commands on maps: the parts of `union bpf_attr` (linux/bpf.h)."""

from __future__ import annotations

import ctypes


class CreateAttributes(ctypes.Structure):
    """BPF_MAP_CREATE."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("inner_fd", ctypes.c_uint32),
        ("numa_node", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


class Read(ctypes.Structure):
    """One element; the value (or next key) is written by the kernel."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("key", ctypes.c_char_p),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class Write(ctypes.Structure):
    """One element; the value is read by the kernel."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("key", ctypes.c_char_p),
        ("value", ctypes.c_char_p),
        ("flags", ctypes.c_uint64),
    )


class ReadBatch(ctypes.Structure):
    """A run of elements, written by the kernel, as is where it goes on."""

    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_uint64),
        ("values", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("fd", ctypes.c_uint32),
        ("element_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class WriteBatch(ctypes.Structure):
    """A run of elements, read by the kernel."""

    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_char_p),
        ("values", ctypes.c_char_p),
        ("count", ctypes.c_uint32),
        ("fd", ctypes.c_uint32),
        ("element_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class Info(ctypes.Structure):
    """`struct bpf_map_info`, its beginning."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )
