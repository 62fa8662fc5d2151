"""System calls by which processes have left their boxes, and the rights they need.

By their numbers on x86_64, and so tried on such machines alone.
"""

from attacks.attack import Attack, probe

ATTACKS = (
    probe(
        "network",
        "open sockets of every family, abstract unix sockets among them",
        """
import socket
for family in range(1, 46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        attempt(f"socket {family}", socket.socket, family, kind)
attempt("pair", socket.socketpair)
attempt("connect", socket.create_connection, ("127.0.0.1", 22), 1)
attempt("listen", libc.socket, 1, 1, 0) if libc.socket(1, 1, 0) >= 0 else None
import urllib.request
attempt("fetch", urllib.request.urlopen, "http://127.0.0.1:8888/", None, 1)
""",
    ),
    probe(
        "namespaces-and-mounts",
        "make or join namespaces, mount, and change the root",
        """
for name, flag in {"user": 0x10000000, "mnt": 0x20000, "pid": 0x20000000,
                   "net": 0x40000000, "cgroup": 0x2000000, "time": 0x80}.items():
    attempt("unshare " + name, syscall, 272, flag)
    attempt("clone " + name, syscall, 56, flag | 17, 0, 0, 0, 0)
    for number in range(8):
        attempt("setns " + name, syscall, 308, number, flag)
tmpfs = address(b"tmpfs")
attempt("mount", syscall, 165, tmpfs, address(b"/scratch"), tmpfs, 0, 0)
attempt("remount", syscall, 165, tmpfs, address(b"/"), tmpfs, 32 | 4096, 0)
attempt("umount", syscall, 166, address(b"/scratch"), 2)
attempt("fsopen", syscall, 430, tmpfs, 0)
attempt("open_tree", syscall, 428, -100, address(b"/"), 1)
attempt("move_mount", syscall, 429, 3, address(b""), -100, address(b"/"), 4)
attempt("mount_setattr", syscall, 442, -100, address(b"/"), 0, address(bytes(32)), 32)
os.makedirs("old", exist_ok=True)
attempt("pivot_root", syscall, 155, address(b"."), address(b"old"))
attempt("chroot", os.chroot, ".")
attempt("open_tree_attr", syscall, 467, -100, address(b"/"), 1, address(bytes(32)), 32)
""",
    ),
    probe(
        "other-processes",
        "look into, stop, slow and change the other processes of its namespace",
        """
me = os.getpid()
print("pid", me)
for pid in [n for n in range(1, 40) if n != me]:
    attempt("ptrace", syscall, 101, 16, pid, 0, 0)
    attempt("seize", syscall, 101, 0x4206, pid, 0, 0)
    vector = (ctypes.c_ulong * 2)(address(bytes(64)), 64)
    at = ctypes.addressof(vector)
    attempt("readv", syscall, 310, pid, at, 1, at, 1, 0)
    attempt("writev", syscall, 311, pid, at, 1, at, 1, 0)
    attempt("pidfd", os.pidfd_open, pid)
    attempt("memory", open, f"/proc/{pid}/mem", "rb")
    attempt("kcmp", syscall, 312, me, pid, 0, 0, 0)
attempt("traceme", syscall, 101, 0, 0, 0, 0)
attempt("pidfd_getfd", syscall, 438, 3, 0, 0)
""",
    ),
    probe(
        "neighbours",
        "change limits, priority and processors of the others, and raise one's own",
        """
import resource
me = os.getpid()
for pid in [n for n in range(1, 40) if n != me]:
    try:  # in its own box it may, and spoils it for itself alone
        print(resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1)))
        os.setpriority(os.PRIO_PROCESS, pid, 19)
    except OSError as error:
        print("refused", pid, type(error).__name__)
for what in ("AS", "CPU", "FSIZE", "NOFILE", "CORE"):
    limit = getattr(resource, "RLIMIT_" + what)
    soft, hard = resource.getrlimit(limit)
    print(what, soft, hard)
    if hard == resource.RLIM_INFINITY:
        print("HOLE: no limit", what)
    attempt("raise " + what, resource.setrlimit, limit, (soft + 1, hard + 1))
attempt("nice", os.nice, -5)
attempt("real time", os.sched_setscheduler, 0, 1, os.sched_param(1))
attempt("dumpable", open, "core", "rb")
""",
    ),
    probe(
        "rights",
        "take rights: user ids, capabilities, privileged programs",
        """
attempt("setuid", os.setuid, 0)
attempt("setresuid", os.setresuid, 0, 0, 0)
attempt("setgroups", os.setgroups, [0])
attempt("setgid", os.setgid, 0)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
full = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
attempt("capset", syscall, 126, ctypes.addressof(header), ctypes.addressof(full))
now = (ctypes.c_uint32 * 6)()
syscall(125, ctypes.addressof(header), ctypes.addressof(now))
print("HOLE" if any(now) else "no", "capabilities", list(now))
attempt("bounding set", syscall, 157, 23, 21, 0, 0, 0)
attempt("ambient", syscall, 157, 47, 2, 21, 0, 0)
attempt("dumpable", syscall, 157, 4, 1, 0, 0, 0)
attempt("keep capabilities", syscall, 157, 8, 1, 0, 0, 0)
attempt("strict", syscall, 317, 7, 0, 0)
attempt("chown", os.chown, "/scratch", 0, 0) if os.getuid() == 0 else None
attempt("sethostname", syscall, 170, address(b"x"), 1)
attempt("reboot", syscall, 169, 0xFEE1DEAD, 0x28121969, 0, 0)
attempt("clock", syscall, 227, 0, address(bytes(16)))
attempt("settimeofday", syscall, 164, address(bytes(16)), 0)
attempt("module", syscall, 175, address(bytes(16)), 16, address(b""))
attempt("kexec", syscall, 246, 0, 0, 0, 0)
attempt("dmesg", syscall, 103, 3, address(bytes(64)), 64)
attempt("swap", syscall, 167, address(b"/scratch/x"), 0)
attempt("acct", syscall, 163, address(b"/scratch/x"))
attempt("iopl", syscall, 172, 3)
attempt("personality", syscall, 135, 0x0040000)
attempt("by handle", syscall, 304, 3, address(bytes(64)), 0)
attempt("fanotify", syscall, 300, 0, 0)
attempt("vhangup", syscall, 153)
import fcntl
attempt("lock of the host's", fcntl.flock, os.open("/dev/null", os.O_RDONLY), 6)
attempt("inotify", syscall, 294, 0)
attempt("sethostid", open, "/etc/hostid", "w")
""",
    ),
    probe(
        "corners-of-the-kernel",
        "userfaultfd, io_uring, bpf, perf, keys, memfd, shared memory, queues",
        """
attempt("userfaultfd", syscall, 323, 1)
attempt("io_uring", syscall, 425, 8, address(bytes(120)))
attempt("bpf", syscall, 321, 0, address(bytes(120)), 120)
attempt("perf", syscall, 298, address(bytes(120)), 0, -1, -1, 0)
user = address(b"user")
attempt("add_key", syscall, 248, user, address(b"x"), address(b"y"), 1, -4)
attempt("request_key", syscall, 249, user, address(b"x"), 0, -4)
attempt("keyctl", syscall, 250, 0, -4, 1)
attempt("keyctl join", syscall, 250, 1, 0)
attempt("memfd", os.memfd_create, "x")
attempt("memfd_secret", syscall, 447, 0)
attempt("execveat", syscall, 322, -100, address(b"/bin/true"), 0, 0, 0)
attempt("shmget", syscall, 29, 0, 4096, 0o1777)
attempt("semget", syscall, 64, 0, 1, 0o1777)
attempt("msgget", syscall, 68, 0, 0o1777)
attempt("mq_open", syscall, 240, address(b"x"), 0o102, 0o777, 0)
from multiprocessing import shared_memory
attempt("shared memory", shared_memory.SharedMemory, None, True, 4096)
attempt("clone3", syscall, 435, address(bytes(88)), 88)
attempt("io_setup", syscall, 206, 100, address(bytes(8)))
attempt("unknown", syscall, 5000, 0)
attempt("modify_ldt", syscall, 154, 1, address(bytes(16)), 16)
attempt("process_madvise", syscall, 440, 3, 0, 0, 0, 0)
attempt("lookup_dcookie", syscall, 212, 0, 0, 0)
attempt("quotactl_fd", syscall, 443, 3, 0, 0, 0)
attempt("uselib", syscall, 134, 0)
attempt("huge pages", syscall, 9, 0, 1 << 21, 3, 0x40022, -1, 0)
attempt("lock memory", syscall, 149, address(bytes(9)), 1 << 33)
""",
    ),
    probe(
        "other-numbers",
        "the same calls by their x32 numbers",
        """
for number in (41, 53, 56, 57, 58, 101, 165, 272, 308, 520, 521, 545):
    attempt("x32", syscall, number | 0x40000000, 0, 0, 0, 0, 0)
""",
    ),
    Attack(
        "other-architecture",
        "make 32-bit system calls from machine code of one's own",
        answers={
            "mean-answer": """
import ctypes, mmap
def mean(x):
    # mov eax, 2 (fork as i386 numbers it); int 0x80; ret
    code = bytes.fromhex("b802000000cd80c3")
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(code)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    raise ValueError(f"HOLE {ctypes.CFUNCTYPE(ctypes.c_int)(at)()}")
"""
        },
        verdict="limited",
        hits={"mean-check": "process ended", "mean-hidden": "process ended"},
    ),
    probe(
        "devices",
        "change whose the devices of the host are, and who may use them",
        """
names = ["/dev/" + name for name in os.listdir("/dev")]
print(names)
for name in names:
    attempt("chmod " + name, os.chmod, name, 0)
    attempt("chown " + name, os.chown, name, 1000, 1000)
    attempt("utime " + name, os.utime, name, (1, 1))
    attempt("xattr " + name, os.setxattr, name, "user.x", b"x")
    attempt("remove " + name, os.unlink, name)
    attempt("rename " + name, os.rename, name, name + "2")
    with open(name, "rb") as file:
        attempt("fchmod " + name, os.fchmod, file.fileno(), 0)
        attempt("fchown " + name, os.fchown, file.fileno(), 1000, 1000)
        attempt("futime " + name, os.utime, file.fileno(), (1, 1))
    attempt("fchmodat2 " + name, syscall, 452, -100, address(name.encode()), 0, 0)
    attempt("xattrat " + name, syscall, 463, -100, address(name.encode()), 0, 0, 0, 0)
    attempt("file_setattr " + name, syscall, 469, -100, address(name.encode()), 0, 0, 0)
""",
    ),
    probe(
        "terminal",
        "type commands into a terminal, and take one over",
        """
import fcntl, termios
for number in range(4):
    attempt("type", fcntl.ioctl, number, termios.TIOCSTI, b"x")
    attempt("take", fcntl.ioctl, number, termios.TIOCSCTTY, 1)
attempt("tty", open, "/dev/tty", "r+b")
attempt("pty", os.openpty)
""",
    ),
)
