"""Which system calls a reader of books may not make, as a program that Linux runs before each (seccomp, mode 2).

Landlock, beside it in `sandbox`, knows files, and leaves out what changes no content: modes, owners, times and
attributes. What is refused here needs none of the two: talking to anybody, starting anything, reaching into another
process, and memory that outlives this one.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

# The numbers of the calls on x86-64 and on ARM64 (linux/asm-generic/unistd.h); 0 where a machine has no such call.
REFUSED = {
    # other processes and threads
    "fork": (57, 0),
    "vfork": (58, 0),
    "clone": (56, 220),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "ioprio_set": (251, 30),
    # the network
    "socket": (41, 198),
    "socketpair": (53, 199),
    # what stands about files, and not in them
    "truncate": (76, 45),
    "chmod": (90, 0),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, 0),
    "lchown": (94, 0),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, 0),
    "utimes": (235, 0),
    "futimesat": (261, 0),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "fgetxattr": (193, 10),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "inotify_init": (253, 0),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # memory and secrets that the kernel keeps beyond this process
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # the kernel itself
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}

LIMITS_OF_A_PROCESS = (302, 261)
"""prlimit64, by which a process may lower its own limits, and is refused those of others."""

_FIRST_UNKNOWN = 424
"""From here on calls have one number everywhere, and came in 2019 or later. No reader needs one; to the C library it is
as if the kernel were older. So io_uring, pidfds and clone3 are not there, nor is what Linux will learn yet."""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # the column above; linux/audit.h
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they stand in struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_ALLOW, _NOT_PERMITTED, _NO_SUCH_CALL = 0x7FFF0000, 0x00050001, 0x00050026  # SECCOMP_RET_ALLOW; …_ERRNO with it
_SET_SECCOMP, _FILTER = 22, 2  # linux/prctl.h


def install(libc: ctypes.CDLL) -> bool:
    """Whether this process is held to it from now on; needs `no_new_privs`."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or sys.maxsize < 2**32:  # a program of 32 bits calls by other numbers
        return False
    import ctypes

    steps = _steps(*machine)
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(described), 0, 0) == 0)


def _steps(column: int, architecture: int) -> list[tuple[int, int, int, int]]:
    """The program: code, steps to skip if true, steps to skip if false, operand (linux/filter.h)."""
    refused = [numbers[column] for numbers in REFUSED.values() if numbers[column]]
    checks = [(_AT_LEAST, _FIRST_UNKNOWN, "no such call"), *((_EQUAL, number, "refused") for number in refused)]
    ends = {"allowed": _ALLOW, "refused": _NOT_PERMITTED, "no such call": _NO_SUCH_CALL}
    length = 3 + len(checks) + 3
    to = {end: length + place for place, end in enumerate(ends)}
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, to["refused"] - 2, architecture),
        (_LOAD, 0, 0, _NUMBER),
        *((code, to[end] - 4 - place, 0, operand) for place, (code, operand, end) in enumerate(checks)),
        (_EQUAL, 0, to["allowed"] - (length - 2), LIMITS_OF_A_PROCESS[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, to["refused"] - length, 0),
    ]
    return steps + [(_RETURN, 0, 0, answer) for answer in ends.values()]
