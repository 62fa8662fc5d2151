"""What a student process cannot do: the filter by itself, and a look from inside."""

import errno
import json
import platform
import re
import struct
from pathlib import Path

import pytest
import small

from identity_edu.grading.isolation import confine, sandbox, seccomp
from identity_edu.grading.isolation.grade_one import grade_submission
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Limits

NO_BUBBLEWRAP = isolation_problem("bubblewrap")
in_bubblewrap = pytest.mark.skipif(
    bool(NO_BUBBLEWRAP), reason="bubblewrap is not installed"
)
MACHINES = sorted(seccomp.MACHINES)
REFUSED = seccomp.FAIL | errno.EPERM
UNKNOWN = seccomp.FAIL | errno.ENOSYS
HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
NEEDED = {  # what Python, NumPy and matplotlib live on: x86_64, aarch64
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigreturn": (15, 139),
    "ioctl": (16, 29),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "recvfrom": (45, 207),
    "exit": (60, 93),
    "getcwd": (79, 17),
    "setitimer": (38, 103),
    "futex": (202, 98),
    "exit_group": (231, 94),
    "clock_gettime": (228, 113),
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "getrandom": (318, 278),
}


def interpret(program, number, architecture):
    """Run a program of classic BPF, as the kernel does, on one system call."""
    assert len(program) % 8 == 0
    steps = list(struct.iter_unpack("=HBBI", program))
    assert len(steps) <= 4096
    data = struct.pack("=IIQ6Q", number, architecture, 0, *range(6))
    value, place = 0, 0
    for _ in steps:
        code, if_true, if_false, operand = steps[place]
        place += 1
        if code == 0x20:  # load a word
            (value,) = struct.unpack_from("=I", data, operand)
        elif code == 0x15:  # jump if equal
            place += if_true if value == operand else if_false
        elif code == 0x35:  # jump if at least
            place += if_true if value >= operand else if_false
        elif code == 0x06:  # return
            return operand
        else:
            raise AssertionError(f"an instruction {code:#x}")
    raise AssertionError("the program has no end")


def verdict_on(machine, number):
    program = seccomp.program(machine)
    return interpret(program, number, seccomp.MACHINES[machine][1])


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_is_allowed_or_refused_as_listed(machine):
    column, architecture = seccomp.MACHINES[machine]
    program = seccomp.program(machine)
    denied = {numbers[column] for numbers in seccomp.DENIED.values()}
    for number in range(seccomp.FIRST_UNKNOWN):
        expected = REFUSED if number in denied else seccomp.ALLOW
        if number == seccomp.CLONE3[column]:
            expected = UNKNOWN
        assert interpret(program, number, architecture) == expected, number


@pytest.mark.parametrize("machine", MACHINES)
def test_newer_calls_and_other_numberings_are_refused(machine):
    for number in (seccomp.FIRST_UNKNOWN, 1000, seccomp.X32_BIT - 1):
        assert verdict_on(machine, number) == UNKNOWN
    for number in (0, 56, 57, 59, 2**31 - 1):
        assert verdict_on(machine, seccomp.X32_BIT + number) == REFUSED
    assert verdict_on(machine, 2**32 - 1) == REFUSED


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_of_another_architecture_ends_the_process(machine):
    i386, arm = 0x40000003, 0x40000028
    for architecture in (i386, arm, 0):
        for number in (0, 1, 11, 120):
            found = interpret(seccomp.program(machine), number, architecture)
            assert found == seccomp.KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_what_honest_code_needs_is_allowed(machine):
    column = seccomp.MACHINES[machine][0]
    for numbers in NEEDED.values():
        assert verdict_on(machine, numbers[column]) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(machine):
    if not Path(HEADERS[machine]).exists():
        pytest.skip("the kernel's headers are not installed")
    text = Path(HEADERS[machine]).read_text(encoding="utf-8")
    pattern = re.compile(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\n")
    kernels = {name: int(number) for name, number in pattern.findall(text)}
    column = seccomp.MACHINES[machine][0]
    listed = seccomp.DENIED | NEEDED | {"clone3": seccomp.CLONE3}
    for name, numbers in listed.items():
        if name in kernels:
            assert numbers[column] == kernels[name], name


def test_another_machine_has_no_filter():
    with pytest.raises(ValueError, match=r"the filter knows .* this is riscv64"):
        seccomp.program("riscv64")


def test_the_command_shows_nothing_of_the_host_but_the_system():
    line = sandbox.command(Limits(scratch_mb=7), info_fd=5)
    for option in ("user", "pid", "ipc", "uts", "net"):
        assert f"--unshare-{option}" in line
    assert "--proc" not in line
    bound = [line[k + 1] for k, word in enumerate(line) if word == "--bind"]
    assert bound == []
    shown = {line[k + 2] for k, word in enumerate(line) if word.startswith("--ro-bind")}
    assert not shown & {"/", "/home", "/root", "/etc", "/tmp", "/var", "/proc", "/sys"}
    assert line[line.index("--size") + 1] == str(7 << 20)


def test_the_environment_of_a_student_is_made_of_nothing():
    assert set(confine.ENVIRONMENT) <= {
        "HOME", "LANG", "MPLBACKEND", "PATH", "TMPDIR",
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    }  # fmt: skip


LOOK = r'''
import ctypes, json, os, pathlib, resource, signal, socket, sys, threading

libc = ctypes.CDLL(None, use_errno=True)


def attempt(action, *arguments):
    """Say what became of it: an error's number or kind, or that it worked."""
    try:
        result = action(*arguments)
    except OSError as error:
        return error.errno
    except BaseException as error:
        return type(error).__name__
    return "worked"


def flags(path):
    return os.statvfs(path).f_flag


def capabilities():
    header, words = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, words) == 0
    return list(words)


def open_files():
    found = []
    for number in range(256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found


def write(path):
    with open(path, "w") as file:
        file.write("x")


def fork():
    if os.fork() == 0:
        os._exit(0)


def fill(folder):
    for k in range(20):
        with open(f"{folder}/{k}", "wb") as file:
            file.write(bytes(8 << 20))


package = sys.modules["identity_edu"].__path__[0]
kinds = ("CORE", "NOFILE", "FSIZE", "CPU", "AS", "MEMLOCK", "MSGQUEUE", "SIGPENDING")
found = {
    "root": sorted(os.listdir("/")),
    "dev": sorted(os.listdir("/dev")),
    "here": [os.getcwd(), os.listdir(".")],
    "ids": [os.getuid(), os.geteuid(), os.getgid()],
    "name": os.uname().nodename,
    "pid": os.getpid(),
    "environment": dict(os.environ),
    "capabilities": capabilities(),
    "bounding": [libc.prctl(23, k, 0, 0, 0) for k in range(41)],
    "no_new_privs": libc.prctl(39, 0, 0, 0, 0),
    "open files": open_files(),
    "limits": {k: resource.getrlimit(getattr(resource, "RLIMIT_" + k)) for k in kinds},
    "raise": attempt(resource.setrlimit, resource.RLIMIT_NOFILE, (4096, 4096)),
    "writes": {
        p: attempt(write, p + "/x")
        for p in ("/", "/usr", "/dev", "/dev/shm", "/tmp", package, sys.prefix, ".")
    },
    "reads": {
        p: attempt(os.listdir, p)
        for p in ("/proc", "/sys", "/home", "/root", "/etc", "/tmp", "/var", "/mnt")
    },
    "socket": attempt(socket.socket),
    "unix": attempt(socket.socketpair),
    "fork": attempt(fork),
    "spawn": attempt(os.posix_spawn, "/bin/cat", ["cat"], {}),
    "exec": attempt(os.execv, "/bin/cat", ["cat"]),
    "thread": attempt(threading.Thread(target=int).start),
    "chmod": attempt(os.chmod, "/dev/null", 0o600),
    "link": attempt(os.symlink, "/usr", "link"),
    "init": attempt(os.kill, 1, 0),
    "host": attempt(os.kill, 99999, 0),
    "big": attempt(fill, "."),
    "memory": attempt(bytearray, 3 << 30),
}
print(json.dumps(found))


def f(x):
    return x
'''


@pytest.fixture(scope="module")
def found():
    """Have a submission look around."""
    if NO_BUBBLEWRAP:
        pytest.skip("bubblewrap is not installed")
    pairs = [
        small.answer("f-answer", "def f(x):\n    return x"),
        small.visible("f-check", "assert f(1) == 1"),
    ]
    files = {"data.txt": b"1"}
    task = small.task(
        pairs,
        {"f-answer": LOOK},
        files=files,
        secret="canary",
        limits=Limits(scratch_mb=32),
    )
    result = grade_submission(task)
    answer = result.notebook["cells"][0]["outputs"]
    assert [test.points for test in result.tests] == [1.0], answer
    return json.loads(answer[0]["text"])


def test_nothing_but_the_system_is_there(found):
    allowed = {
        "bin",
        "dev",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "sbin",
        "scratch",
        "usr",
    }
    outside = {p.parts[1] for p in map(Path, sandbox._environment())} | {"etc", "nix"}
    assert set(found["root"]) <= allowed | outside
    assert found["dev"] == sorted(sandbox.DEVICES)
    assert found["here"] == ["/scratch", ["data.txt"]]
    assert found["reads"]["/proc"] == errno.ENOENT
    for path, said in found["reads"].items():
        assert said == errno.ENOENT or path[1:] in outside, path


def test_nothing_can_be_written_but_the_scratch_folder(found):
    writes = found["writes"]
    assert writes.pop(".") == "worked"
    assert set(writes.values()) <= {errno.EROFS, errno.ENOENT, errno.EACCES}
    assert found["big"] == errno.ENOSPC


def test_there_are_no_rights(found):
    assert found["capabilities"] == [0] * 6
    assert set(found["bounding"]) <= {0, -1}
    assert found["no_new_privs"] == -1  # prctl itself is refused, for good
    assert found["ids"] == [1000, 1000, 1000]


@pytest.mark.skipif(
    platform.machine() not in seccomp.MACHINES, reason="no filter for this machine"
)
def test_calls_are_filtered(found):
    for what in ("socket", "unix", "fork", "spawn", "exec", "chmod"):
        assert found[what] == errno.EPERM, what
    assert found["thread"] == "RuntimeError"


def test_limits_are_set_and_stay(found):
    limits = {kind: soft for kind, (soft, _) in found["limits"].items()}
    assert limits["CORE"] == limits["MEMLOCK"] == limits["MSGQUEUE"] == 0
    assert limits["NOFILE"] == Limits().open_files
    assert limits["FSIZE"] == Limits().file_mb << 20
    assert limits["CPU"] == int(Limits().total_seconds) + 1
    assert Limits().memory_mb << 20 < limits["AS"] < (Limits().memory_mb + 4096) << 20
    assert all(soft == hard for soft, hard in found["limits"].values())
    assert found["raise"] in ("ValueError", errno.EPERM)
    assert found["memory"] == "MemoryError"


def test_no_other_process_and_no_name_of_the_host_is_seen(found):
    assert found["pid"] < 10
    assert found["init"] == found["host"] == errno.EPERM  # nobody can be signalled
    assert found["name"] == "grading"


def test_nothing_is_left_open_but_the_channel(found):
    assert found["open files"] == [0, 1, 2, 3]


def test_the_environment_holds_nothing_of_the_grader(found):
    assert set(found["environment"]) == set(confine.ENVIRONMENT)
    assert "canary" not in json.dumps(found)


@in_bubblewrap
def test_a_failure_of_bubblewrap_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(
        sandbox, "command", lambda limits, info_fd: ["bwrap", "--no-such-option"]
    )
    problem = isolation_problem("bubblewrap")
    assert problem.startswith("bubblewrap failed: ")
    assert "no-such-option" in problem
    assert "\n" not in problem


def test_a_missing_bubblewrap_is_said_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(sandbox, "command", lambda limits, info_fd: ["/nowhere/bwrap"])
    problem = isolation_problem("bubblewrap")
    if platform.system() == "Linux":
        assert "apt install bubblewrap" in problem
    assert "\n" not in problem
