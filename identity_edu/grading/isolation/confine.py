"""What a student process gives up before it runs a line that a student wrote."""

import ctypes
import errno
import os
import platform
import resource
import sys

from identity_edu.grading.isolation import seccomp

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 24, 36
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63
NAMESPACES = {  # user first: it gives the right to enter the others
    "user": 0x10000000,
    "mnt": 0x00020000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
}
ENVIRONMENT = {
    "HOME": "/scratch",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "PATH": "/usr/bin:/bin",
    "TMPDIR": "/scratch",
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    ),
}


def load_libc():
    """Open the C library; None where there is none of Linux's kind.

    Returns
    -------
    ctypes.CDLL or None
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
    return libc


def adopt_orphans(libc):
    """Let grandchildren whose parent ended become children of this process.

    Parameters
    ----------
    libc : ctypes.CDLL or None
    """
    if libc is not None:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter(libc, pid_fd):
    """Join the namespaces of another process; children live in its pid namespace.

    Parameters
    ----------
    libc : ctypes.CDLL
    pid_fd : int
        A pidfd of it.

    Raises
    ------
    OSError
        If the kernel refuses: Linux 5.8 or later is needed.
    """
    before = os.stat("/")
    if libc.setns(pid_fd, sum(NAMESPACES.values())):
        raise OSError(ctypes.get_errno(), "the namespaces cannot be entered")
    after = os.stat("/")
    if (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino):
        raise OSError(errno.EPERM, "the namespaces were entered, but / is the same")


def close_other_files(keep):
    """Close every open file but one, and let the standard ones lead nowhere.

    Parameters
    ----------
    keep : int
        Descriptor to keep; it becomes number 3.
    """
    if keep != 3:
        os.dup2(keep, 3, inheritable=False)
    os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def mapped_bytes():
    """Return how much address space the process has, where /proc tells; else 0.

    Returns
    -------
    int
    """
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit_resources(limits, mapped):
    """Set limits that nobody in the process can raise again.

    Parameters
    ----------
    limits : dict
        Fields of `identity_edu.grading.isolation.task.Limits`.
    mapped : int
        Bytes of address space in use by now; the limit of memory is on top of them.
    """
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["file_mb"] << 20,
        resource.RLIMIT_CPU: int(limits["total_seconds"]) + 1,
        resource.RLIMIT_AS: mapped + (limits["memory_mb"] << 20),
    }
    if sys.platform == "linux":  # these are shared with all that the user runs
        wanted |= {resource.RLIMIT_MSGQUEUE: 0, resource.RLIMIT_SIGPENDING: 64}
    for what, most in wanted.items():
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (value, value))
        except (ValueError, OSError):  # macOS has no limit on the address space
            if sys.platform == "linux":
                raise


def drop_rights(libc):
    """Give up all capabilities, and filter the system calls.

    Parameters
    ----------
    libc : ctypes.CDLL or None
        None does nothing: not on Linux.

    Returns
    -------
    str
        Empty, or why there is no filter.
    """
    if libc is None:
        return "system calls are filtered on Linux only"
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails without the right to
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "the capabilities cannot be dropped")
    # Where crashes are piped to a program of the host's, RLIMIT_CORE does not count.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
    if platform.machine() not in seccomp.MACHINES:
        return f"no filter of system calls is written for {platform.machine()}"
    seccomp.install(libc)
    return ""
