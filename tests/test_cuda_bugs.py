"""Bugs that are put into the CUDA kernels fail the checks that the kernels pass."""

import pytest
from emulator import KernelError
from kernels import bugs_in_convolutions, bugs_in_plain_ones, bugs_in_steps
from kernels.bugs import Bug, EditedDevice, edited
from kernels.cases import KERNELS
from kernels.devices import needs_compiler
from kernels.numbers import FLOAT

AT_LEAST = 3  # bugs of each kernel; so many run by default, of those for tensor cores
ON_TENSOR_CORES = ("conv3x3", "tensor")
BUGS = {
    "conv3x3_forward": bugs_in_convolutions.FORWARD,
    "conv3x3_input_gradient": bugs_in_convolutions.INPUT_GRADIENT,
    "conv3x3_weight_gradient": bugs_in_convolutions.WEIGHT_GRADIENT,
    "plain_forward": bugs_in_plain_ones.PLAIN_FORWARD,
    "plain_input_gradient": bugs_in_plain_ones.PLAIN_INPUT_GRADIENT,
    "plain_weight_gradient": bugs_in_plain_ones.PLAIN_WEIGHT_GRADIENT,
    "naive_forward": bugs_in_plain_ones.NAIVE_LADDER,
    "tensor_forward": bugs_in_convolutions.TENSOR_LADDER,
    "descend": bugs_in_plain_ones.DESCEND,
    "draw_batch": bugs_in_steps.DRAW_BATCH,
    "shortcut_forward": bugs_in_steps.SHORTCUT_FORWARD,
    "shortcut_backward": bugs_in_steps.SHORTCUT_BACKWARD,
    "classify": bugs_in_steps.CLASSIFY,
    "end_step": bugs_in_steps.END_STEP,
    "sum_squares": bugs_in_steps.SUM_SQUARES,
}


def rows():
    """Yield every bug of every kernel, with its marks."""
    for name, bugs in BUGS.items():
        n_default = AT_LEAST if name.startswith(ON_TENSOR_CORES) else 0
        for i, bug in enumerate(bugs):
            marks = [] if i < n_default else pytest.mark.slow
            yield pytest.param(name, bug, id=f"{name}-{bug.name}", marks=marks)


def stores_float(case):
    """Tell whether a case stores float32; order by it, and little is compiled."""
    return getattr(case, "out", FLOAT) == FLOAT


def check_all(kernel, device):
    """Go through the cases of a kernel."""
    for case in sorted(kernel.cases, key=stores_float, reverse=True):
        kernel.check(device, case)


@needs_compiler
@pytest.mark.parametrize(("name", "bug"), list(rows()))
def test_a_bug_is_found(tmp_path, name, bug):
    kernel = KERNELS[name]
    edited(kernel.source, tmp_path, bug)
    with pytest.raises((AssertionError, KernelError)):
        check_all(kernel, EditedDevice(tmp_path))


def test_every_kernel_has_bugs_enough():
    assert BUGS.keys() == KERNELS.keys()
    for name, bugs in BUGS.items():
        assert len({bug.name for bug in bugs}) == len(bugs) >= AT_LEAST, name


@pytest.mark.parametrize(("old", "n"), [("no such text", 0), ("int", "2[0-9]|[3-9]")])
def test_a_bug_that_fits_no_single_place_is_no_bug(tmp_path, old, n):
    bug = Bug("it", old, "")
    with pytest.raises(LookupError, match=rf"it: '{old}' is {n}\d* times in plain.cu"):
        edited(KERNELS["plain_forward"].source, tmp_path, bug)


@needs_compiler
def test_an_edit_that_changes_nothing_passes(tmp_path):
    kernel = KERNELS["conv3x3_forward"]
    edited(kernel.source, tmp_path, Bug("none", "// y = x * W:", "// y is x * W:"))
    for case in kernel.cases[::10]:
        kernel.check(EditedDevice(tmp_path), case)
