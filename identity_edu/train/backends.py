"""What computes a run: NumPy on the host, or our kernels on a device."""

from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace

from identity_edu.device import CudaDevice
from identity_edu.train.device_run import DeviceRun
from identity_edu.train.device_trainer import PRECISIONS, DeviceTrainer
from identity_edu.train.files import RunError
from identity_edu.train.run import Run
from identity_edu.train.trainer import Trainer

NAMES = ("numpy", "cupy")
LONGER = 8  # a device makes its steps so much faster that looking would take its time


@dataclass(frozen=True)
class Backend:
    """A library, and the numbers that it stores.

    Attributes
    ----------
    name : {"numpy", "cupy"}
    precision : {"bf16", "fp32"}
        Of activations and their gradients; NumPy has ``"fp32"`` alone.

    Raises
    ------
    ValueError
        If either is unknown, or they do not go together.
    """

    name: str = "numpy"
    precision: str = "fp32"

    def __post_init__(self):
        """Refuse what there is not."""
        if self.name not in NAMES:
            raise ValueError(
                f"backend must be one of {', '.join(NAMES)}; got {self.name!r}."
            )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(PRECISIONS)}; "
                f"got {self.precision!r}."
            )
        if self.name == "numpy" and self.precision != "fp32":
            raise ValueError(
                f"backend 'numpy' has precision fp32 alone; got {self.precision!r}."
            )

    def require(self):
        """Refuse a backend that cannot compute here, before anything is read for it.

        Raises
        ------
        RunError
            If there is no device; the message says why.
        """
        if self.name != "numpy":
            with _device_errors():
                CudaDevice()

    def run(self, folder, recipe, examples, *, seed, threads):
        """Make a run that computes so.

        Parameters
        ----------
        folder : identity_edu.train.folder.RunFolder
        recipe : identity_edu.train.recipes.Recipe
        examples : identity_edu.train.examples.DataSet
        seed : int >= 0
        threads : int >= 1
            Of the host.

        Returns
        -------
        identity_edu.train.run.Run

        Raises
        ------
        RunError
            If there is no device, it has too little memory, or the kernels do not
            compile for it.
        """
        if self.name == "numpy":
            trainer = Trainer(recipe, examples, seed=seed, threads=threads)
            return Run(folder, trainer, threads=threads)
        with _device_errors():
            trainer = DeviceTrainer(
                CudaDevice(), recipe, examples, seed=seed, precision=self.precision
            )
            trainer.on_device.prepare()  # before there is a folder, or a clock runs
        return DeviceRun(folder, trainer, threads=threads)

    def environment(self, run):
        """Describe what the bits depend on here beside the host.

        Parameters
        ----------
        run : identity_edu.train.run.Run
            Of this backend.

        Returns
        -------
        dict of str to str
        """
        return {} if self.name == "numpy" else {"device": run.trainer.device.name}

    def to_plain(self):
        """Return what JSON can hold.

        Returns
        -------
        dict
        """
        return asdict(self)


def from_plain(record):
    """Return the backend of a run's settings.

    Parameters
    ----------
    record : dict, optional
        From `Backend.to_plain`; None in runs that were begun before there was a choice.

    Returns
    -------
    Backend

    Raises
    ------
    ValueError
        If a field is missing, or is none of a backend's, or has an unknown value.
    """
    record = Backend().to_plain() if record is None else record
    names = {field.name for field in fields(Backend)}
    if not isinstance(record, dict) or record.keys() != names:
        raise ValueError(
            f"a backend must have exactly {sorted(names)}; got {record!r}."
        )
    return Backend(**record)


def at_a_devices_pace(recipe):
    """Look less often: telemetry and checkpoints every so many more steps.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe

    Returns
    -------
    Recipe
    """
    return replace(
        recipe,
        telemetry_every=LONGER * recipe.telemetry_every,
        checkpoint_every=LONGER * recipe.checkpoint_every,
    )


@contextmanager
def _device_errors():
    """Pass on what a device has to say, its first line, as what a run needs."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(str(error).partition("\n")[0]) from error
