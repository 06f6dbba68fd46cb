"""What the superuser may do and others may not, given up: so that permissions count for tests that run as root."""

from __future__ import annotations

import ctypes
import os

_VERSION_3 = 0x20080522
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
_LOW = 3  # words of a capability's data: effective, permitted, inheritable


def give_up_overrides() -> None:
    """Have this process obey the permissions of files, whoever it belongs to."""
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    data = (ctypes.c_uint32 * (2 * _LOW))()
    if library.capget(header, data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for word in range(_LOW):
        data[word] &= ~_OVERRIDES
    if library.capset(header, data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
