"""Runs a command and kills it just before one of the system calls by which it makes, changes, syncs or locks a file.

    python -m tests.reliability.killer NUMBER COMMAND…

The calls of all its threads are counted together, in the order in which they are made; `strace` counts each thread by
itself and so never reaches what one does late where another was quicker. Prints how many were begun and whether it was
"killed" or "ended"; ends with the command's exit code. NUMBER 0 kills never.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
import subprocess
import sys

# of each machine the numbers by which Linux knows the calls; what is missing on one, nothing there can call
_NUMBERS = {
    "x86_64": {
        "write": 1,
        "pwrite64": 18,
        "writev": 20,
        "sendfile": 40,
        "flock": 73,
        "fsync": 74,
        "fdatasync": 75,
        "ftruncate": 77,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "link": 86,
        "unlink": 87,
        "mkdirat": 258,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "renameat2": 316,
        "copy_file_range": 326,
        "fallocate": 285,
    },
    "aarch64": {
        "flock": 32,
        "mkdirat": 34,
        "unlinkat": 35,
        "linkat": 37,
        "renameat": 38,
        "ftruncate": 46,
        "write": 64,
        "writev": 66,
        "pwrite64": 68,
        "sendfile": 71,
        "fsync": 82,
        "fdatasync": 83,
        "renameat2": 276,
        "copy_file_range": 285,
        "fallocate": 47,
    },
}
_OPENAT = {"x86_64": 257, "aarch64": 56}  # counted where it may make a file

# linux/prctl.h, and linux/bpf_common.h and linux/seccomp.h: the program by which the kernel stops at some calls only
_SET_SECCOMP, _SET_NO_NEW_PRIVILEGES, _FILTER = 22, 38, 2
_LOAD, _EQUAL, _HAS_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _THIRD_ARGUMENT = 0, 32  # where they stand in struct seccomp_data
_ALLOW, _TELL_TRACER = 0x7FFF0000, 0x7FF00000

# linux/ptrace.h, and __WALL of linux/wait.h: children that are threads too
_TRACE_ME, _GO_ON, _SET_OPTIONS = 0, 7, 0x4200
_FORKS_AND_THREADS, _EXECUTIONS, _CALLS, _END_WITH_TRACER = 2 | 4 | 8, 1 << 4, 1 << 7, 1 << 20
_AT_A_CALL = 7  # PTRACE_EVENT_SECCOMP
_THREADS_TOO = 0x40000000


def run(command: list[str], number: int) -> tuple[int, int]:
    """How many calls were begun, and how it ended, as `os.waitstatus_to_exitcode` has it."""
    begun, code = 0, 0
    process = _start(command)
    while True:
        try:
            thread, status = os.waitpid(-1, _THREADS_TOO)
        except ChildProcessError:
            return begun, code
        if not os.WIFSTOPPED(status):
            if thread == process:
                code = os.waitstatus_to_exitcode(status)
            continue
        if status >> 16 == _AT_A_CALL:
            begun += 1
            if begun == number:
                os.kill(process, signal.SIGKILL)
                continue
        stopped_by = os.WSTOPSIG(status)
        news = stopped_by in (signal.SIGTRAP, signal.SIGSTOP)  # for the tracer, and no signal to pass on
        _ptrace(_GO_ON, thread, 0 if news else stopped_by)


def _start(command: list[str]) -> int:
    """The process of the command, whose first call is still to come."""
    process = os.fork()
    if not process:
        _ptrace(_TRACE_ME)
        os.kill(os.getpid(), signal.SIGSTOP)
        machine = os.uname().machine
        _stop_at(list(_NUMBERS[machine].values()), _OPENAT[machine])
        os.execvp(command[0], command)
    os.waitpid(process, 0)
    _ptrace(_SET_OPTIONS, process, _FORKS_AND_THREADS | _EXECUTIONS | _CALLS | _END_WITH_TRACER)
    _ptrace(_GO_ON, process)
    return process


def _stop_at(numbers: list[int], opening: int) -> None:
    """Has the kernel stop this process, and all that it becomes and starts, before each call of these numbers.

    `opening` is that of the call that opens files: it counts where it may make one.
    """
    count = len(numbers)
    steps = [  # code, steps to skip if true, steps to skip if false, operand
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 2, opening),
        (_LOAD, 0, 0, _THIRD_ARGUMENT),
        (_HAS_BIT, count + 1, count, os.O_CREAT),
        *((_EQUAL, count - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TELL_TRACER),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(described), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ptrace(request: int, thread: int = 0, data: int = 0) -> None:
    """Raises OSError if it is refused; a thread that was killed meanwhile is none of our business."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, 0, data) < 0 and (error := ctypes.get_errno()) != errno.ESRCH:
        raise OSError(error, os.strerror(error))


def usable() -> str:
    """Why nothing can be killed like this here; "" if it can."""
    if sys.platform != "linux" or os.uname().machine not in _NUMBERS:
        return "made for Linux on x86-64 and ARM64"
    tried = subprocess.run([sys.executable, "-m", __name__, "0", "true"], check=False, capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"no process may be traced here: {tried.stderr.strip()}"


def main(number: str, *command: str) -> int:
    begun, code = run(list(command), int(number))
    sys.stdout.write(f"{begun} {'killed' if code == -signal.SIGKILL else 'ended'}\n")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
