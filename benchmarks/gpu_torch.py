"""The all-convolutional net and its training step in PyTorch, in each of its fast ways.

The net is written as a PyTorch user would: convolutions in channels last under bfloat16
autocast, average pooling and zero channels in the skip, the same fixed read-out. The
optimiser is PyTorch's fused SGD. Everything that follows differs in how that step is
compiled and launched only. The batch lies on the device, standardised and augmented:
PyTorch draws nothing in its step, ours draws its batch.
"""

import contextlib
import signal
from dataclasses import dataclass
from functools import partial

import torch
from gpu_setup import one_line
from torch import nn
from torch.nn import functional

WARM_STEPS = 3  # after the first, before a graph is recorded or a clock runs


class Residual(nn.Module):
    """The block h + C2 relu(C1 h), whose skip averages and appends zero channels.

    Parameters
    ----------
    first, second : identity_edu.allconv.Convolution
    """

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = _convolution(first), _convolution(second)
        self.stride, missing = first.stride, first.c_out - first.c_in
        self.margin = missing // 2, missing - missing // 2

    def forward(self, h):
        """Return the block's output."""
        branch = self.second(functional.relu(self.first(h), inplace=True))
        if self.stride > 1:
            h = functional.avg_pool2d(h, self.stride)
        if any(self.margin):
            h = functional.pad(h, (0, 0, 0, 0, *self.margin))
        return h + branch


class TorchNet(nn.Module):
    """A net of ours in PyTorch, with the same weights.

    Parameters
    ----------
    net : identity_edu.allconv.AllConvNet
        With shortcuts, and images whose sides its strides divide.
    """

    def __init__(self, net):
        super().__init__()
        stem, *blocks = [part.convolutions for part in net.architecture.parts()]
        self.stem = _convolution(*stem)
        self.blocks = nn.Sequential(*(Residual(*rows) for rows in blocks))
        self.register_buffer("readout", torch.tensor(net.readout))
        with torch.no_grad():
            for mine, W in zip(self.parameters(), net.params.values(), strict=True):
                mine.copy_(torch.tensor(W.transpose(3, 2, 0, 1).copy()))

    def forward(self, x):
        """Return the scores of images, channels last in memory."""
        return self.blocks(self.stem(x)).mean((2, 3)) @ self.readout.T


def _convolution(row):
    return nn.Conv2d(
        row.c_in,
        row.c_out,
        row.kernel,
        stride=row.stride,
        padding=row.kernel // 2,
        bias=False,
    )


@dataclass(frozen=True)
class Problem:
    """What is trained, on which device.

    Attributes
    ----------
    net : identity_edu.allconv.AllConvNet
    x, labels : numpy.ndarray, shapes (n, height, width, channels) and (n,)
        One batch, as the net takes it.
    rate, momentum, weight_decay : float
    device : str
        As PyTorch names it.
    autocast : bool
        Whether to compute in bfloat16 where PyTorch thinks it safe.
    """

    net: object
    x: object
    labels: object
    rate: float
    momentum: float
    weight_decay: float
    device: str = "cuda"
    autocast: bool = True

    def step(self, compiled=lambda loss: loss):
        """Make a training step.

        Parameters
        ----------
        compiled : callable
            What to make of the function that returns the loss.

        Returns
        -------
        callable
            Takes a step, and returns the loss before it as a tensor.
        """
        where = {"device": self.device, "memory_format": torch.channels_last}
        net = TorchNet(self.net).to(**where)
        x = torch.tensor(self.x).permute(0, 3, 1, 2).to(**where)
        labels = torch.tensor(self.labels, device=self.device)
        optimiser = torch.optim.SGD(
            net.parameters(),
            self.rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )

        def loss_of_batch():
            with torch.autocast(self.device, torch.bfloat16, enabled=self.autocast):
                scores = net(x)
            return functional.cross_entropy(scores.float(), labels)

        forward = compiled(loss_of_batch)

        def step():
            optimiser.zero_grad(set_to_none=True)
            torch.compiler.cudagraph_mark_step_begin()
            loss = forward()
            loss.backward()
            optimiser.step()
            return loss.detach()

        return step


def _compile(**options):
    return partial(torch.compile, dynamic=False, fullgraph=True, **options)


def _with(compiled):
    return lambda problem: _warmed(problem.step(compiled))


def _in_a_graph(compiled):
    return lambda problem: _recorded(*_warmed(problem.step(compiled)))


def _warmed(step):
    """Take the first steps; return the step, and the loss before all of them."""
    first = float(step())
    for _ in range(WARM_STEPS):
        step()
    return step, first


def _recorded(step, first):
    """Record one whole step, the optimiser's too, as a CUDA graph of our own."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay, first


def _as_it_is(loss):
    return loss


# In the order in which they are built; what takes longest comes before what is less
# likely to be the best.
WAYS = {
    "torch eager": _with(_as_it_is),
    "torch cuda graph": _in_a_graph(_as_it_is),
    "torch compile max-autotune": _with(_compile(mode="max-autotune")),
    "torch compile default": _with(_compile()),
    "torch compile default, cuda graph": _in_a_graph(_compile()),
    "torch compile reduce-overhead": _with(_compile(mode="reduce-overhead")),
}


@contextlib.contextmanager
def at_most(seconds):
    """Raise TimeoutError in a ``with`` block that takes longer.

    Parameters
    ----------
    seconds : float > 0

    Yields
    ------
    None
    """

    def stop(_number, _frame):
        raise TimeoutError(f"not ready after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Built:
    """One way to take the step, ready to run; or why it is not.

    Attributes
    ----------
    who : str
    start : callable or None
        Starts a step, and need not wait for it.
    first_loss : float or None
        Before the first step.
    megabytes : float or None
        Most memory at once, beyond what others had.
    error : str or None
        One line.
    """

    who: str
    start: object = None
    first_loss: float | None = None
    megabytes: float | None = None
    error: str | None = None


def build(who, problem, seconds):
    """Make one way to take the step.

    Parameters
    ----------
    who : str
        Of `WAYS`.
    problem : Problem
    seconds : float > 0
        How long that may take.

    Returns
    -------
    Built
        Whatever went wrong is in it, not raised.
    """
    is_cuda, before, used = problem.device == "cuda", 0, None
    if is_cuda:
        torch.backends.cudnn.benchmark = True
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    try:
        with at_most(seconds):
            start, first = WAYS[who](problem)
    except Exception as error:  # of a compiler, or a library: anything
        return Built(who, error=one_line(error))
    if is_cuda:
        torch.cuda.synchronize()
        used = (torch.cuda.max_memory_allocated() - before) / 1e6
    return Built(who, start, first, used)
