"""Thin bindings to the kernel, a file a thing; what is done with them is decided above.

bpf(2): `maps`, `programs`, `bpf_link`, `loader`, `pins`. rtnetlink: `links`, `link_actions`,
`link_monitor`, over `netlink`. What a kernel can do is asked in `probe`. All raise KernelError,
which says what was tried.
"""
