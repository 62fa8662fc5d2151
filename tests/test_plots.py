"""Every figure of the book has named axes, legible text and colours that differ."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from identity_edu import plots

SMALLEST_TEXT = 8  # points
NOT_FIGURES = {"COLOURS", "new_figure", "use_book_style"}

STEPS = np.array([1e-1, 1e-2, 1e-3])
LAYERS = np.array([4, 8, 16])
PATH = np.array([[0.0, 0.0], [0.2, 0.3], [0.5, 0.4]])
NORMS = {"residual": np.ones(4), "standard": np.arange(1.0, 5.0)}
LOG = [
    {"step": step, "loss": 1 / step, "accuracy": 0.5, "learning_rate": 0.1}
    for step in (1, 2, 3)
]
MAPS = ("distance", "gradient_ratio", "gradient_norm", "spectral_norm")
TELEMETRY = [
    {"step": step} | {key: {"first": 1 + step, "second": 0.0} for key in MAPS}
    for step in (0, 2)
]
LETTERS = np.stack([PATH, 0.9 * PATH, 0.8 * PATH])
SPREAD = np.array([[0.5, 0.4, 0.3], [1.0, 0.9, 0.8], [2.0, 1.9, 1.8]])

# One row for each function of `identity_edu.plots`: small arguments for one drawing.
FIGURES = {
    "layers_under_the_roof": (
        (989, 4.8),
        {"a": LAYERS},
        {"naive": 0.5},
        {"m": (LAYERS, LAYERS)},
    ),
    "changed_entries": ({"a": STEPS, "b": 2 * STEPS}, (2,)),
    "learning_in_bf16": (LAYERS, {"a": SPREAD}, STEPS, {"a": SPREAD}),
    "ratios_by_block": ({"start": {"a": STEPS, "b": 2 * STEPS}}, np.ones(3)),
    "shared_stretch": (
        LAYERS,
        {"measured": STEPS, "bound": 2 * STEPS},
        {"measured": np.transpose([STEPS, 2 * STEPS]), "bound": 1 / STEPS},
    ),
    "deviations_along_training": (LAYERS, {"a": {"3 blocks": SPREAD}}),
    "room_of_blocks": (LAYERS, STEPS, (1 - STEPS, 1 + STEPS), SPREAD),
    "regrets_by_horizon": (LAYERS, {"a": SPREAD, "b": SPREAD - 1}, 2 * LAYERS),
    "gaps_by_epsilon": (STEPS, {"a": STEPS, "b": 2 * STEPS}, 0.1, (0.1, 0.2)),
    "best_iterates": (LAYERS, {"a": SPREAD - 1, "b": -SPREAD}, 3 / LAYERS),
    "backward_lengths": ({"1 to 2": STEPS, "4 to 8": 2 * STEPS}, (0, 2)),
    "singular_value_paths": (SPREAD, STEPS, {"change": STEPS[:2]}),
    "spread_by_round": ({"3 to 64": STEPS}, 0.05),
    "transition_ratios": (44, {"a": np.stack([SPREAD, SPREAD + 1])}, [2, 1, 1]),
    "signal_lengths": ({"a": 1 / LAYERS}, {"a": 2 / LAYERS}, [2]),
    "loss_and_distances": (STEPS, LAYERS, SPREAD),
    "losses_by_rate": ([3], STEPS, {"a": [[[1.0], [2.0], [np.nan]]]}),
    "accuracy_by_depth": (LAYERS, {"a": SPREAD / 2}, STEPS, {"a": SPREAD / 3}, 0.1),
    "cosine_gaps": ({"plain": SPREAD, "residual": 2 * SPREAD}, STEPS),
    "digit_gallery": (np.eye(3, 64), ["3", "5", "5, is 9"], np.arange(3) == 2),
    "states_as_images": ({"input": np.eye(3, 64), "after": np.eye(3, 64, 1)},),
    "accuracy_dots": ({"a": [1.0], "b": [1.0]}, {"a": [0.1, 0.2], "b": [0.9]}, 0.1),
    "margin_costs": (LAYERS, STEPS, (LAYERS, STEPS / 2), STEPS, 1e-15 / STEPS),
    "moved_points": (
        [PATH, PATH[[0, 1, 0]]],
        LAYERS == 8,
        PATH[:2],
        [(PATH[2:], [0.3])],
    ),
    "width_and_size": (
        LAYERS,
        {"width": [[1], [2, 3], [4]], "parameters": [[8], [32], [64]]},
        {key: {"width": LAYERS, "parameters": 8 * LAYERS} for key in "ab"},
    ),
    "descent_runs": ({"zero": STEPS, "random": 2 * STEPS},),
    "eigenvalue_paths": (np.array([[1.0, 1.0], [0.5, 0.5 + 0.5j]]), np.array([0, 1j])),
    "escape_waits": ({"l": STEPS}, {"l": 1 / STEPS}, {"l": (STEPS, 2 / STEPS)}),
    "step_size_sweep": (STEPS, {"l = 8": STEPS, "l = 32": 2 * STEPS}),
    "cost_of_slopes": (LAYERS, np.array([3.0, 3.1, 2.9]), np.array([8.0, 17.0])),
    "cover_figure": (LAYERS, {"residual": SPREAD, "plain": SPREAD / 9}, LETTERS, 0.3),
    "difference_by_depth": ((10, 90), {"a": SPREAD[:2]}, {"a": SPREAD[:2, 1:] / 3}),
    "difference_errors": (STEPS, {"right": STEPS**2, "wrong": 0.1 + STEPS}),
    "digits_kept": (LAYERS, {"small part": STEPS, "whole": 10 * STEPS}),
    "gradient_by_layer": (NORMS, {"residual": 0.5, "standard": 0.1}),
    "first_wrong_layer": (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3) > 4),
    "kink_errors": (STEPS, {"1": STEPS, "64": 1 + STEPS}, {"1": 0.05, "64": 2e-3}),
    "losses_by_start": ([3], 22, {"a": [SPREAD], "b": [SPREAD / 2]}, 2.3),
    "distances_by_depth": (LAYERS, {"a": STEPS, "b": 2 * STEPS}, {"a": STEPS}),
    "losses_of_starts": ({"a": {"plain": STEPS, "residual": STEPS / 2}}, [0.01]),
    "slopes_towards_zero": (STEPS, {"a": {"measured": STEPS, "bound": STEPS / 2}}),
    "profile_above_linear": (STEPS, STEPS, 0.5, (0.1, 0.1)),
    "landscapes": ({"plain": [PATH], "residual": [PATH, -PATH]}, 2.0),
    "layer_norms": (LAYERS, {"polar": 3 / LAYERS}, 9 / LAYERS, 1 / LAYERS),
    "length_factors": ({"random": (STEPS, 1 - STEPS)},),
    "lengths_by_depth": ({"a": SPREAD}, {"a": SPREAD[:, ::-1]}, 0.5),
    "letter_through_layers": ({"polar": LETTERS, "svd": LETTERS[::-1]},),
    "polar_steps": ({"first": (PATH, np.eye(2)), "then": (-PATH, -np.eye(2))},),
    "shift_matrices": ({"a": np.eye(3), "b": np.eye(3, k=1)},),
    "slope_cloud": (STEPS, 2 * STEPS, np.array([0.1, 0.5, 0.9])),
    "small_pictures": ({"a": np.eye(3), "b": np.eye(4)},),
    "slopes_along_descent": (2 * STEPS, STEPS),
    "training_run": (LOG, TELEMETRY, LOG),
    "convolution_rates": (["a", "b"], {"one": [0.5, 0.9], "two": [1.5, 1.2]}),
    "point_choices": (
        (STEPS, STEPS),
        10 + 9 * np.eye(3),
        {"here": (0.1, 0.01)},
        {"4": (np.array([9.0, 30.0]), np.array([[1.0, 2.0], [3.0, 5.0]]))},
        0.2,
    ),
    "transform_costs": (
        ["a", "b"],
        {"in": [0.3, 0.2], "middle": [0.7, 0.8]},
        LAYERS,
        {"rival": STEPS},
    ),
}

drawn = [name for name in plots.__all__ if name not in NOT_FIGURES]


@pytest.fixture(autouse=True)
def _book_style():
    with plt.rc_context():
        plots.use_book_style()
        yield
    plt.close("all")


def make(name):
    """Call a function of the package with its row of the table."""
    assert name in FIGURES, (
        "tests/test_plots.py draws every function of identity_edu.plots, but has no "
        f"arguments for {name}: add the row {name!r}: (argument, ...) to FIGURES."
    )
    return getattr(plots, name)(*FIGURES[name])


@pytest.fixture(scope="module", params=drawn)
def figure(request):
    """Draw each figure once and completely, as a page of the book would."""
    with plt.rc_context():
        plots.use_book_style()
        fig = make(request.param)
        assert isinstance(fig, Figure), f"{request.param} must return a figure."
        fig.canvas.draw()
    yield fig
    plt.close(fig)


def missing_labels(fig):
    """Name the axes that a reader cannot read: no label, nor one on a shared side."""
    missing = []
    for number, ax in enumerate(fig.axes):
        if not (ax.get_visible() and ax.axison):
            continue
        labels = {
            "x": [a.get_xlabel() for a in ax.get_shared_x_axes().get_siblings(ax)],
            "y": [a.get_ylabel() for a in ax.get_shared_y_axes().get_siblings(ax)],
        }
        if ax.get_label() == "<colorbar>":
            labels = {"colour bar": labels["x"] + labels["y"]}
        missing += [
            f"{side} of {number}" for side, found in labels.items() if not any(found)
        ]
    return missing


def small_texts(fig):
    """Return the texts of a drawn figure that are below the smallest size."""
    texts = [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip()]
    assert texts
    return [t.get_text() for t in texts if t.get_fontsize() < SMALLEST_TEXT]


def test_every_row_of_the_table_is_a_function_of_the_package():
    assert set(FIGURES) <= set(drawn), "remove the rows of functions that are gone"
    assert set(plots.__all__) >= NOT_FIGURES


def test_every_axis_has_a_name(figure):
    assert not missing_labels(figure)


def test_text_is_legible(figure):
    assert not small_texts(figure)


def test_a_legend_tells_several_labelled_curves_apart(figure):
    for ax in figure.axes:
        if len(ax.get_legend_handles_labels()[1]) > 1:
            assert ax.get_legend() is not None or figure.legends


def test_the_ground_is_white_so_that_dark_pages_keep_the_contrast(figure):
    assert to_rgb(figure.get_facecolor()) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", drawn)
def test_a_function_opens_one_figure_and_changes_no_input(name):
    before, opened = repr(FIGURES.get(name)), set(plt.get_fignums())
    fig = make(name)
    assert set(plt.get_fignums()) - opened == {fig.number}
    assert repr(FIGURES[name]) == before


def test_the_label_and_size_tests_see_a_bad_figure():
    fig, (left, right) = plots.new_figure(2)
    left.set_xlabel("step")
    right.set(xlabel="step", ylabel="error")
    right.text(0, 0, "tiny", fontsize=7)
    assert missing_labels(fig) == ["y of 0"]
    assert small_texts(fig) == ["tiny"]


def test_a_shared_axis_needs_one_name_and_a_colour_bar_its_own():
    fig, (left, right) = plots.new_figure(2, sharey=True)
    left.set(xlabel="layer", ylabel="norm")
    right.set_xlabel("layer")
    bar = fig.colorbar(right.imshow(np.eye(2)), ax=right)
    assert missing_labels(fig) == ["colour bar of 2"]
    bar.set_label("value")
    assert not missing_labels(fig)


def test_new_figure_has_the_size_and_the_panels_that_are_asked_for():
    fig, ax = plots.new_figure(width=5.0, height=2.0)
    np.testing.assert_allclose(fig.get_size_inches(), [5.0, 2.0])
    assert fig.axes == [ax]
    assert plots.new_figure(3)[1].shape == (3,)


# Machado, Oliveira & Fernandes (2009): how linear RGB looks without one kind of cone.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
JUST_DISTINGUISHABLE = 2.3  # CIELAB, for two patches side by side


def linear_rgb(colour):
    """Undo the gamma of sRGB."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(colour, blindness):
    """Place a colour in CIELAB, as seen with one kind of colour blindness."""
    seen = np.clip(BLINDNESS[blindness] @ linear_rgb(colour), 0.0, 1.0)
    relative = (RGB_TO_XYZ @ seen) / RGB_TO_XYZ.sum(axis=1)
    f = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def smallest_distance(colours, blindness):
    places = [lab(colour, blindness) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2))


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colours_differ_for_colour_blind_readers(blindness):
    """Four times a just noticeable difference, since lines are thin and apart."""
    distance = smallest_distance(plots.COLOURS.values(), blindness)
    assert distance >= 4 * JUST_DISTINGUISHABLE


def test_the_distance_sees_a_palette_that_fails_some_readers():
    red_and_green = ["#b3372c", "#676b00"]
    assert smallest_distance(red_and_green, "none") > 40
    assert smallest_distance(red_and_green, "deuteranopia") < 4 * JUST_DISTINGUISHABLE


@pytest.mark.parametrize("name", plots.COLOURS)
def test_every_colour_stands_out_on_white(name):
    """Relative luminance contrast of at least 2, as for thick graphical marks."""
    luminance = RGB_TO_XYZ[1] @ linear_rgb(plots.COLOURS[name])
    assert 1.05 / (luminance + 0.05) >= 2.0


def test_a_map_is_left_out_without_numbers_and_white_where_a_line_lacks_one():
    old = [
        {k: v for k, v in line.items() if k != "gradient_ratio"} for line in TELEMETRY
    ]
    n_axes = {
        name: len(plots.training_run(LOG, lines).axes)
        for name, lines in {"none": (), "old": old, "new": TELEMETRY}.items()
    }
    assert n_axes == {"none": 3, "old": 9, "new": 11}  # each map has its colour bar
    bare = {"step": 4, "distance": {"second": 1.0}, "gradient_ratio": {}}
    lines = [{"step": 0, "gradient_ratio": {}}, *TELEMETRY[1:], bare]
    figure = plots.training_run(LOG, lines)
    drawn = figure.axes[3].collections[0].get_array()
    assert drawn.mask.tolist() == [[True, False, True], [True, True, False]]
    assert len(figure.axes) == 11
