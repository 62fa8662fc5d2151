"""How each net is trained: every number of a run in one frozen record.

`CIFAR10` and `CIFAR100` are Hardt & Ma (2017), section 4: momentum 0.9, batches of
128, weight decay 1e-4 on the convolutions, a rate of 0.05 that falls tenfold after
30,000 and 50,000 steps. Ours where the paper is silent: 64,000 steps in all (its
accuracy peaks near 50,000), and augmentation by a 4-pixel crop and a flip. `DIGITS` is
the same family of nets on the bundled digits, in minutes.
"""

import math
from dataclasses import asdict, dataclass, fields, replace

from identity_edu import allconv
from identity_edu.optim import step_decay


@dataclass(frozen=True)
class Recipe:
    """A net, its start, its data and its schedule.

    Attributes
    ----------
    name : str
        Of the data set.
    architecture : identity_edu.allconv.Architecture
    init : str
        As `identity_edu.allconv.init_net` takes it.
    n_steps, batch_size : int >= 1
    learning_rate : float > 0
        Of the first step.
    drops : tuple of int
        Steps from which on the rate is `drop_factor` times what it was.
    drop_factor : float in (0, 1]
    momentum, weight_decay : float
        Of `identity_edu.optim.SGD`; the decay acts on all weights.
    project_every : int >= 0
        Steps between two projections of the kernels that
        `identity_edu.procrustes.projection_of` names, which also start projected; 0:
        never.
    pad : int >= 0
        Pixels of the random shift, up to this many each way.
    flip : bool
        Whether every other image, at random, is mirrored.
    log_every, telemetry_every, checkpoint_every, evaluate_every : int >= 1
        Steps between two lines, checkpoints, or measurements on the held-out part.
    """

    name: str
    architecture: allconv.Architecture
    n_steps: int
    drops: tuple[int, ...]
    init: str = "near_identity"
    batch_size: int = 128
    learning_rate: float = 0.05
    drop_factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    project_every: int = 0
    pad: int = 4
    flip: bool = True
    log_every: int = 20
    telemetry_every: int = 500
    checkpoint_every: int = 500
    evaluate_every: int = 4000

    def __post_init__(self):
        """Refuse numbers out of range."""
        for name, smallest in SMALLEST.items():
            if getattr(self, name) < smallest:
                got = getattr(self, name)
                raise ValueError(f"{name} must be at least {smallest}; got {got}.")
        if self.project_every and self.architecture.transition != "convolution":
            raise ValueError(
                "project_every needs an architecture whose transition is "
                f"'convolution'; got {self.project_every} and "
                f"{self.architecture.transition!r}."
            )
        if not 0 < self.learning_rate < math.inf:
            got = self.learning_rate
            raise ValueError(f"learning_rate must be positive and finite; got {got}.")

    def rate(self, step):
        """Return the learning rate of a step, counted from 0."""
        return step_decay(
            step,
            initial=self.learning_rate,
            drops=self.drops,
            factor=self.drop_factor,
        )


SMALLEST = {
    "n_steps": 1,
    "batch_size": 1,
    "project_every": 0,
    "pad": 0,
    "log_every": 1,
    "telemetry_every": 1,
    "checkpoint_every": 1,
    "evaluate_every": 1,
}

CIFAR10 = Recipe("cifar10", allconv.CIFAR10, n_steps=64_000, drops=(30_000, 50_000))
CIFAR100 = replace(CIFAR10, name="cifar100", architecture=allconv.CIFAR100)
DIGITS = Recipe(
    "digits",
    allconv.DIGITS,
    n_steps=2_200,
    drops=(1_320, 1_870),
    batch_size=32,
    learning_rate=0.03,
    weight_decay=1e-3,
    pad=1,
    flip=False,
    log_every=11,
    telemetry_every=44,
    checkpoint_every=220,
    evaluate_every=220,
)
RECIPES = {recipe.name: recipe for recipe in (DIGITS, CIFAR10, CIFAR100)}


# The published recipe projects after every step with probability one half.
PROJECT_EVERY = 2
NETS = ("residual", "plain", "procrustes")


def with_net(recipe, net):
    """Change the kind of net that a recipe trains, and nothing else.

    Parameters
    ----------
    recipe : Recipe
    net : {"residual", "plain", "procrustes"}
        The recipe's own; the same convolutions without skips, from He's start; stages
        that begin with a 1 x 1 convolution, which is projected.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If `net` is unknown.

    References
    ----------
    Zaeemzadeh et al. (2021) and their published code for the transitions.
    """
    if net not in NETS:
        raise ValueError(f"net must be one of {', '.join(NETS)}; got {net!r}.")
    table = recipe.architecture
    if net == "plain":
        return replace(recipe, architecture=replace(table, skip=False), init="he")
    if net == "procrustes":
        table = replace(table, transition="convolution")
        return replace(recipe, architecture=table, project_every=PROJECT_EVERY)
    return recipe


def adapted(recipe, *, width=None, n_blocks=None, n_steps=None, **changes):
    """Change a recipe, and with its length the steps at which the rate falls.

    Parameters
    ----------
    recipe : Recipe
    width : float > 0, optional
        Factor on the channels of every stage.
    n_blocks : int >= 1, optional
        Residual blocks of every stage.
    n_steps : int >= 1, optional
        The drops of the rate move in proportion.
    **changes
        Other fields of the recipe; None leaves one as it is.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    scales = {"width": width, "n_blocks": n_blocks}
    scales = {name: value for name, value in scales.items() if value is not None}
    if scales:
        changes["architecture"] = recipe.architecture.scaled(**scales)
    if n_steps is not None:
        share = n_steps / recipe.n_steps
        drops = tuple(round(share * drop) for drop in recipe.drops)
        changes |= {"n_steps": n_steps, "drops": drops}
    return replace(recipe, **changes)


def to_plain(recipe):
    """Return a recipe as what JSON can hold.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    dict
    """
    return asdict(recipe)


def from_plain(record):
    """Return the recipe that `to_plain` took apart, also after a way through JSON.

    Parameters
    ----------
    record : dict

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If a field is missing, but for one that older records do not have, or is none of
        a recipe's.
    """
    return _rebuilt(Recipe, record | {"architecture": _architecture(record)})


def _architecture(record):
    plain = record.get("architecture", {})
    stages = [_rebuilt(allconv.Stage, stage) for stage in plain.get("stages", ())]
    return _rebuilt(allconv.Architecture, plain | {"stages": stages})


# What fields stand for in a record that was written before there were any.
BEFORE = {
    "Recipe": {"project_every": 0},
    "Architecture": {"skip": True, "transition": "shortcut"},
}


def _rebuilt(kind, record):
    """Make a dataclass of a dict, lists into tuples, and refuse other fields."""
    record = BEFORE.get(kind.__name__, {}) | record
    names = {field.name for field in fields(kind)}
    if names != record.keys():
        wrong = sorted(names ^ record.keys())
        raise ValueError(
            f"a {kind.__name__} must have exactly its fields; see {wrong}."
        )
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
    return kind(**plain)
