"""A training step on a device is the step that NumPy makes, kernel by kernel."""

import numpy as np
import pytest
from emulator import EmulatedDevice
from kernels.devices import make_device, needs_compiler, on_each_device
from kernels.nets import NETS, SMALL, STATISTICS
from kernels.numbers import FLOAT, exact, nearest_bf16
from kernels.training import (
    BATCH,
    NumpySteps,
    device_step,
    distance,
    problem,
    saved,
)

from identity_edu import nets
from identity_edu.data import augment
from identity_edu.launch import BF16
from identity_edu.ops import softmax_cross_entropy_backward
from identity_edu.train.telemetry import Telemetry

both_types = pytest.mark.parametrize("dtype", [FLOAT, BF16], ids=["float", "bf16"])


@on_each_device
def device(request):
    return make_device(request.param)


def all_steps(step, made):
    """Take all steps of a problem on a device; return what each one counted."""
    for _ in made.plan:
        step.replay()
    return np.transpose(step.history(len(made.plan)))


@pytest.mark.parametrize("name", NETS)
def test_in_float32_twenty_steps_are_those_of_numpy(device, name):
    made = problem(NETS[name], n_steps=20 if name == "residual" else 5)
    step, numpy_steps = device_step(device, made, FLOAT), NumpySteps(made)
    there, here = all_steps(step, made), [numpy_steps.step()[:2] for _ in made.plan]
    # Sums in another order; each step changes what the next one sees by as much.
    np.testing.assert_allclose(there, here, rtol=1e-5)
    end = saved(step, made)
    assert distance(end["params"], numpy_steps.params) < 1e-5
    assert distance(end["velocity"], numpy_steps.sgd.velocity) < 1e-5


def test_in_bf16_twenty_losses_stay_close_to_those_of_numpy(device):
    # Numbers of bf16 are 0.8 % apart. Where sums in another order are rounded to the
    # neighbour, the next steps see it: after twenty no bits agree, yet the curve does.
    made = problem(SMALL, n_steps=20)
    step = device_step(device, made, BF16)
    there, end = all_steps(step, made)[:, 0], saved(step, made)
    for is_rounded in (False, True):
        numpy_steps = NumpySteps(made, is_rounded)
        here = [numpy_steps.step()[0] for _ in made.plan]
        np.testing.assert_allclose(there, here, rtol=0.02)
        assert distance(end["params"], numpy_steps.params) < 0.02


@pytest.mark.parametrize("name", NETS)
def test_in_bf16_a_step_rounds_where_the_device_stores(device, name):
    made = problem(NETS[name], n_steps=3)
    step, numpy_steps = device_step(device, made, BF16), NumpySteps(made, True)
    for i in range(3):
        numpy_steps.take_over(**saved(step, made))
        step.replay()
        loss, _, states, _ = numpy_steps.step()
        assert step.history(3)[0][i] == pytest.approx(loss, rel=1e-3)
        # One that falls on the other side of a middle moves those after it a little.
        for there, here in zip(step.net.states, states[1:-1:2], strict=True):
            stored = exact(device.download(there))[..., : here.shape[-1]]
            assert np.mean(stored == here) > 0.8
            assert np.linalg.norm(stored - here) < 2e-3 * np.linalg.norm(here)
        assert distance(saved(step, made)["velocity"], numpy_steps.sgd.velocity) < 0.01


def test_without_the_roundings_numpy_would_store_other_numbers(device):
    # What the test above would miss if it compared less closely.
    made = problem(SMALL, n_steps=1)
    step, numpy_steps = device_step(device, made, BF16), NumpySteps(made)
    step.replay()
    _, _, states, _ = numpy_steps.step()
    stored = exact(device.download(step.net.states[-1]))
    assert np.mean(stored == exact(nearest_bf16(states[-2].astype(float)))) < 0.6


@both_types
def test_the_rounded_kernels_are_those_of_the_parameters(device, dtype):
    made = problem(SMALL, n_steps=2)
    step = device_step(device, made, dtype)
    for _ in range(2):
        step.replay()
        for w in step.net.weights.values():
            master = device.download(w.master).astype(float)
            stored = device.download(w.stored)
            expected = exact(nearest_bf16(master)) if dtype == BF16 else master
            np.testing.assert_array_equal(exact(stored), expected)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("residual", FLOAT), ("plain", BF16), ("1 x 1 transitions", BF16)],
)
def test_an_observed_step_and_a_list_that_is_run_leave_the_same_bits(
    device, name, dtype
):
    made = problem(NETS[name], n_steps=2)
    ends = []
    for way in ("replayed", "observed", "run"):
        step = device_step(device, made, dtype)
        for _ in range(2):
            if way == "run":
                device.run(step.launches)
            else:
                step.replay(is_observed=way == "observed")
        history = np.array(step.history(2))
        ends.append((history, *saved(step, made).values()))
    for other in ends[1:]:
        np.testing.assert_equal(other, ends[0])


@needs_compiler
@both_types
def test_a_step_has_the_same_bits_in_every_order(dtype):
    made, ends = problem(SMALL, n_steps=1), []
    for knobs in ({}, {"order": "backward"}, {"order": "shuffled", "copies": "early"}):
        step = device_step(EmulatedDevice(**knobs), made, dtype)
        step.replay(is_observed=True)
        ends.append((step.norms(), *saved(step, made).values()))
    for other in ends[1:]:
        np.testing.assert_equal(other, ends[0])


@pytest.mark.parametrize("name", ["residual", "plain", "1 x 1 transitions"])
def test_norms_are_those_of_telemetry(device, name):
    made = problem(NETS[name], n_steps=2)
    step, numpy_steps = device_step(device, made, FLOAT), NumpySteps(made)
    step.replay()
    step.replay(is_observed=True)
    numpy_steps.step()
    net, (x, _) = numpy_steps.net(), made.batch(1)
    telemetry = Telemetry(net, x, np.random.default_rng(0))
    # The distances of the blocks need the parameters from before the step.
    states, grad = _gradient(numpy_steps, telemetry)
    expected, norms = telemetry.measure(states, grad), step.norms()
    names = telemetry.names
    found = {
        "distance": _ratios(names, norms["branches"], norms["states"]),
        "state_ratio": _ratios(names, _shifted(norms["states"]), norms["states"]),
        "gradient_ratio": _ratios(
            names, norms["gradients"], _shifted(norms["gradients"])
        ),
        "gradient_norm": norms["weights"],
    }
    expected["gradient_ratio"].pop(names[0])  # nobody needs the gradient at the images
    for kind, numbers in found.items():
        assert numbers == pytest.approx(expected[kind], rel=1e-5), kind


def _gradient(numpy_steps, telemetry):
    """Return states and gradient of the next step, which is not made."""
    made, net = numpy_steps.made, numpy_steps.net()
    x, labels = made.batch(numpy_steps.sgd.n_steps)
    scores, cache = nets.forward(net, x)
    delta = softmax_cross_entropy_backward(scores, labels)
    grad = nets.backward(net, cache, delta, telemetry.watch)
    return nets.block_states(scores, cache), grad


def _shifted(numbers):
    return {i - 1: number for i, number in numbers.items()}


def _ratios(names, above, below):
    return {
        name: above[i] / below[i]
        for i, name in enumerate(names)
        if i in above and i in below
    }


@both_types
@pytest.mark.parametrize("name", ["residual", "odd channels", "stem with a stride"])
def test_what_is_loaded_is_saved_again(device, rng, dtype, name):
    made = problem(NETS[name], n_steps=2)
    step = device_step(device, made, dtype)
    velocity = {
        n: rng.standard_normal(p.shape).astype(np.float32)
        for n, p in made.net.params.items()
    }
    step.net.load(made.net.params, velocity)
    found = saved(step, made)
    np.testing.assert_equal(found["params"], dict(made.net.params))
    np.testing.assert_equal(found["velocity"], velocity)


def test_channels_that_fill_up_the_images_never_learn(device):
    made = problem(SMALL, n_steps=2)
    step = device_step(device, made, BF16)
    for _ in range(2):
        step.replay()
    stem = step.net.weights["stem.W"]
    for array in (stem.master, stem.velocity, stem.stored):
        full = device.download(array)
        assert full.shape == (3, 3, 8, 8)
        assert full[:, :, :3].any()
        assert not full[:, :, 3:].any()


def test_a_step_goes_on_where_another_one_stopped(device):
    made = problem(SMALL, n_steps=4)
    through, first = (device_step(device, made, BF16) for _ in range(2))
    for _ in range(4):
        through.replay()
    for _ in range(2):
        first.replay()
    second = device_step(device, made, BF16)
    second.net.load(**saved(first, made))
    for step in (first, second):  # the same object, set out anew, and another one
        step.begin(made.plan[2:], made.rates[2:])
        for _ in range(2):
            step.replay()
        np.testing.assert_equal(saved(step, made), saved(through, made))
        for end, whole in zip(step.history(2), through.history(4), strict=True):
            np.testing.assert_array_equal(end, whole[2:])


@both_types
@pytest.mark.parametrize("name", NETS)
def test_held_out_images_have_the_scores_of_numpy(device, dtype, name):
    made = problem(NETS[name], n_steps=1)
    step = device_step(device, made, dtype)
    numpy_steps = NumpySteps(made, is_rounded=dtype == BF16)
    for chosen in (np.arange(BATCH), np.array([7, 3])):  # a whole batch, and a part
        x = augment.standardise(made.held_out[0][chosen], *STATISTICS)
        x = x.astype(numpy_steps.params["stem.W"].dtype)
        expected, got = nets.evaluate(numpy_steps.net(), x), step.scores(chosen)
        assert got.shape == (len(chosen), made.net.architecture.n_classes)
        rtol = 1e-5 if dtype == FLOAT else 5e-3
        assert np.linalg.norm(got - expected) < rtol * np.linalg.norm(expected)


def test_scores_between_steps_see_what_was_learned_and_change_nothing(device):
    made = problem(SMALL, n_steps=2)
    step, numpy_steps = device_step(device, made, FLOAT), NumpySteps(made)
    step.replay()
    numpy_steps.step()
    before, chosen = saved(step, made), np.array([8, 0])
    x = augment.standardise(made.held_out[0][chosen], *STATISTICS)
    expected = nets.evaluate(numpy_steps.net(), x)
    np.testing.assert_allclose(step.scores(chosen), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_equal(saved(step, made), before)
    step.begin(made.plan[1:], made.rates[1:])
    step.replay()
    loss, n_right, *_ = numpy_steps.step()
    assert step.history(1)[0][0] == pytest.approx(loss, rel=1e-5)
    assert step.history(1)[1][0] == n_right
