"""System calls that a student process cannot make: a filter for Linux's seccomp.

The namespaces keep the host out of sight, and the resource limits bound what one
process takes. The filter adds what neither does: no second process or thread (so no
fork bomb, and nothing that outlives its turn), no sockets, no memory that the limits
do not count, and none of the calls by which processes have left namespaces before.
"""

import ctypes
import errno
import platform
import struct

# name: number on x86_64, number on aarch64 (None where it does not exist)
DENIED = {
    # processes
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "kcmp": (312, 272),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    # signals: what kills the holder of the namespaces kills in the next cell's turn
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # the network, and what passes open files
    "socket": (41, 198),
    "socketpair": (53, 199),
    # memory that the limits do not count
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # what an owner may do to a file without writing it: the devices are the host's
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    # what the limits count for the user, the host's programs included, or not at all
    "flock": (73, 32),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # what the process has given up, and would get back
    "prctl": (157, 167),
    # keys, and corners of the kernel that have leaked before
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "io_setup": (206, 0),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    # the machine itself
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
}
CLONE3 = (435, 435)
FIRST_UNKNOWN = 463  # newer calls than this list; nobody has looked at them
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
X32_BIT = 0x40000000  # the same calls again, by other numbers

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE = 0, 4  # where they lie in seccomp_data
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
PR_SET_SECCOMP, FILTER_MODE = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def program(machine):
    """Assemble the filter.

    Parameters
    ----------
    machine : str
        ``"x86_64"`` or ``"aarch64"``.

    Returns
    -------
    bytes
        Instructions of classic BPF, 8 bytes each.

    Raises
    ------
    ValueError
        For another machine.
    """
    if machine not in MACHINES:
        raise ValueError(f"the filter knows {', '.join(MACHINES)}; this is {machine}.")
    column, architecture = MACHINES[machine]
    refuse = _instruction(RETURN, FAIL | errno.EPERM)
    code = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(JUMP_EQUAL, architecture, 1, 0),
        _instruction(RETURN, KILL),
        _instruction(LOAD, NUMBER),
        _instruction(JUMP_AT_LEAST, X32_BIT, 0, 1),
        refuse,
        # The C library takes this for an old kernel, and tries clone, which is denied.
        _instruction(JUMP_EQUAL, CLONE3[column], 1, 0),
        _instruction(JUMP_AT_LEAST, FIRST_UNKNOWN, 0, 1),
        _instruction(RETURN, FAIL | errno.ENOSYS),
    ]
    for numbers in DENIED.values():
        if numbers[column] is not None:
            code += [_instruction(JUMP_EQUAL, numbers[column], 0, 1), refuse]
    return b"".join([*code, _instruction(RETURN, ALLOW)])


def install(libc):
    """Put the filter on this process, for good; threads and children inherit it.

    Parameters
    ----------
    libc : ctypes.CDLL
        From `identity_edu.grading.isolation.confine.load_libc`.

    Raises
    ------
    OSError
        If the kernel refuses; it needs ``no_new_privs`` first.
    ValueError
        On a machine whose calls are not listed.
    """
    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    whole = _Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.addressof(whole), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp refused the filter")


def _instruction(code, value, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, value)
