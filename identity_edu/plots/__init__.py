"""Every figure of the book. The only part of the package that imports matplotlib.

A function here takes arrays that a chapter has measured and returns a figure; it
computes nothing. Colours are the Okabe-Ito palette, which colour-blind readers can
tell apart, and lines differ in dash or marker as well.
"""

from identity_edu.plots.allconv import (
    loss_and_distances,
    losses_by_rate,
    signal_lengths,
)
from identity_edu.plots.backprop import cost_of_slopes, kink_errors
from identity_edu.plots.convolution import (
    first_wrong_layer,
    shift_matrices,
    small_pictures,
)
from identity_edu.plots.cover import cover_figure
from identity_edu.plots.depth import (
    difference_by_depth,
    length_factors,
    lengths_by_depth,
)
from identity_edu.plots.descent import (
    descent_runs,
    eigenvalue_paths,
    escape_waits,
    step_size_sweep,
)
from identity_edu.plots.factorization import layer_norms, letter_through_layers
from identity_edu.plots.later import distances_by_depth, losses_by_start
from identity_edu.plots.linear import (
    difference_errors,
    gradient_by_layer,
    landscapes,
    slope_cloud,
    slopes_along_descent,
)
from identity_edu.plots.linear_baseline import (
    losses_of_starts,
    profile_above_linear,
    slopes_towards_zero,
)
from identity_edu.plots.memorization import (
    accuracy_dots,
    margin_costs,
    moved_points,
    width_and_size,
)
from identity_edu.plots.norms import (
    deviations_along_training,
    ratios_by_block,
    room_of_blocks,
    shared_stretch,
)
from identity_edu.plots.online import (
    best_iterates,
    gaps_by_epsilon,
    regrets_by_horizon,
)
from identity_edu.plots.procrustes import (
    backward_lengths,
    singular_value_paths,
    spread_by_round,
    transition_ratios,
)
from identity_edu.plots.relu import (
    accuracy_by_depth,
    cosine_gaps,
    digit_gallery,
    states_as_images,
)
from identity_edu.plots.roofline import (
    changed_entries,
    layers_under_the_roof,
    learning_in_bf16,
)
from identity_edu.plots.style import COLOURS, new_figure, use_book_style
from identity_edu.plots.toolbox import digits_kept, polar_steps
from identity_edu.plots.training import training_run
from identity_edu.plots.winograd import (
    convolution_rates,
    point_choices,
    transform_costs,
)

__all__ = [
    "COLOURS",
    "accuracy_by_depth",
    "accuracy_dots",
    "backward_lengths",
    "best_iterates",
    "changed_entries",
    "convolution_rates",
    "cosine_gaps",
    "cost_of_slopes",
    "cover_figure",
    "descent_runs",
    "deviations_along_training",
    "difference_by_depth",
    "difference_errors",
    "digit_gallery",
    "digits_kept",
    "distances_by_depth",
    "eigenvalue_paths",
    "escape_waits",
    "first_wrong_layer",
    "gaps_by_epsilon",
    "gradient_by_layer",
    "kink_errors",
    "landscapes",
    "layer_norms",
    "layers_under_the_roof",
    "learning_in_bf16",
    "length_factors",
    "lengths_by_depth",
    "letter_through_layers",
    "loss_and_distances",
    "losses_by_rate",
    "losses_by_start",
    "losses_of_starts",
    "margin_costs",
    "moved_points",
    "new_figure",
    "point_choices",
    "polar_steps",
    "profile_above_linear",
    "ratios_by_block",
    "regrets_by_horizon",
    "room_of_blocks",
    "shared_stretch",
    "shift_matrices",
    "signal_lengths",
    "singular_value_paths",
    "slope_cloud",
    "slopes_along_descent",
    "slopes_towards_zero",
    "small_pictures",
    "spread_by_round",
    "states_as_images",
    "step_size_sweep",
    "training_run",
    "transform_costs",
    "transition_ratios",
    "use_book_style",
    "width_and_size",
]
