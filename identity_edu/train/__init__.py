"""Training: one step, passes over a data set, and runs that survive being killed.

`epochs` trains any net on arrays in memory. `start.begin` and `start.resume` train the
nets of the recipes, in a folder that holds the log, the telemetry and the checkpoints;
`trainer.Trainer` is such a run without a folder.
"""

from identity_edu.train.loop import Epoch, epochs

__all__ = ["Epoch", "epochs"]
