"""What bpf(2) takes and gives about programs (include/uapi/linux/bpf.h)."""

from __future__ import annotations

import ctypes


class LoadAttributes(ctypes.Structure):
    """For BPF_PROG_LOAD."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("instruction_count", ctypes.c_uint32),
        ("instructions", ctypes.c_char_p),
        ("license", ctypes.c_char_p),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log", ctypes.c_uint64),
        ("kernel_version", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
        ("ifindex", ctypes.c_uint32),
        ("expected_attach_type", ctypes.c_uint32),
        ("btf_fd", ctypes.c_uint32),
        ("function_record_size", ctypes.c_uint32),
        ("functions", ctypes.c_char_p),
        ("function_count", ctypes.c_uint32),
        ("line_record_size", ctypes.c_uint32),
        ("lines", ctypes.c_char_p),
        ("line_count", ctypes.c_uint32),
    )


class TestAttributes(ctypes.Structure):
    """For BPF_PROG_TEST_RUN."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("result", ctypes.c_uint32),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("data_in", ctypes.c_char_p),
        ("data_out", ctypes.c_uint64),
        ("repeat", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("context_size_in", ctypes.c_uint32),
        ("context_size_out", ctypes.c_uint32),
        ("context_in", ctypes.c_char_p),
        ("context_out", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class InfoStructure(ctypes.Structure):
    """`struct bpf_prog_info`, as far as it is used."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("tag", ctypes.c_ubyte * 8),
        ("jited_length", ctypes.c_uint32),
        ("translated_length", ctypes.c_uint32),
        ("jited", ctypes.c_uint64),
        ("translated", ctypes.c_uint64),
        ("load_time", ctypes.c_uint64),
        ("created_by", ctypes.c_uint32),
        ("map_count", ctypes.c_uint32),
        ("map_ids", ctypes.c_uint64),
        ("name", ctypes.c_char * 16),
        ("ifindex", ctypes.c_uint32),
        ("gpl_compatible", ctypes.c_uint32),
        ("network_device", ctypes.c_uint64),
        ("network_inode", ctypes.c_uint64),
        ("ksym_count", ctypes.c_uint32),
        ("function_length_count", ctypes.c_uint32),
        ("ksyms", ctypes.c_uint64),
        ("function_lengths", ctypes.c_uint64),
        ("btf_id", ctypes.c_uint32),
        ("function_record_size", ctypes.c_uint32),
        ("functions", ctypes.c_uint64),
        ("function_count", ctypes.c_uint32),
        ("line_count", ctypes.c_uint32),
        ("lines", ctypes.c_uint64),
        ("jited_lines", ctypes.c_uint64),
        ("jited_line_count", ctypes.c_uint32),
        ("line_record_size", ctypes.c_uint32),
        ("jited_line_record_size", ctypes.c_uint32),
        ("tag_count", ctypes.c_uint32),
        ("tags", ctypes.c_uint64),
        ("run_time", ctypes.c_uint64),
        ("run_count", ctypes.c_uint64),
        ("recursion_misses", ctypes.c_uint64),
        ("verified_instructions", ctypes.c_uint32),
    )
