"""A projection that an optimiser calls back: kernels return to the nearest isometry."""

from dataclasses import dataclass

from identity_edu.backend import array_namespace, one_blas_thread
from identity_edu.procrustes.kernels import project_kernel


@dataclass(frozen=True)
class Projection:
    """Project kernels of a net after every so many steps, for `optim.SGD`.

    Attributes
    ----------
    sizes : dict of str to tuple of int
        The kernels by name, with height and width of the images that they see.
    every : int >= 1
        Steps between two projections.

    Raises
    ------
    ValueError
        If `every` is less than 1.

    References
    ----------
    Zaeemzadeh et al. (2021); their published code projects after every step with
    probability one half. Every second step costs the same, and needs no generator in a
    checkpoint.
    """

    sizes: dict
    every: int = 2

    def __post_init__(self):
        """Refuse a schedule that has no next step."""
        if self.every < 1:
            raise ValueError(f"every must be at least 1; got {self.every}.")

    def __call__(self, params, n_steps):
        """Project the kernels in place, if it is time.

        Parameters
        ----------
        params : dict of str to array
        n_steps : int >= 0
            Steps done.
        """
        if n_steps % self.every == 0:
            self.project(params)

    def project(self, params, *, n_rounds=1):
        """Project the kernels in place.

        Parameters
        ----------
        params : dict of str to array
        n_rounds : int >= 1
            Alternations for a kernel wider than one pixel (`project_kernel`). One is
            enough in training, where the next projection goes on.
        """
        # More threads than one wait for each other on matrices as small as these: on
        # two busy cores a hundred times as long as it takes to compute.
        with one_blas_thread():
            for name, size in self.sizes.items():
                W = params[name]
                # One that has overflowed stays as it is: the next loss will say so.
                if array_namespace(W).isfinite(W).all():
                    W[...] = project_kernel(W, size, n_rounds=n_rounds)


def projection_of(architecture, *, every=2):
    """Return the projection of a net's first convolution and of its transitions.

    Parameters
    ----------
    architecture : identity_edu.allconv.Architecture
    every : int >= 1

    Returns
    -------
    Projection
    """
    rows = [
        row
        for part in architecture.parts()
        if part.kind != "residual"
        for row in part.convolutions
    ]
    return Projection({row.name: row.size for row in rows}, every)
