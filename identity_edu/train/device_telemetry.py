"""Telemetry of a step that a device took: the same numbers, from norms alone."""

from dataclasses import replace

from identity_edu.train.telemetry import Telemetry


class DeviceTelemetry(Telemetry):
    """Measure a net whose step has measured itself.

    Parameters
    ----------
    net : identity_edu.nets.Net
        Its parameters are copied: `see` renews the copy.
    *rest, **options
        As `identity_edu.train.telemetry.Telemetry` takes them.
    """

    def __init__(self, net, *rest, **options):
        copies = {name: array.copy() for name, array in net.params.items()}
        super().__init__(replace(net, params=copies), *rest, **options)

    def see(self, params):
        """Copy the parameters that the next norms are of.

        Parameters
        ----------
        params : dict of str to numpy.ndarray
        """
        for name, array in self.net.params.items():
            array[...] = params[name]

    def measure_norms(self, norms):
        """Measure every block and every weight array.

        Parameters
        ----------
        norms : dict
            As `identity_edu.allconv.device_norms.Norms` reads them.

        Returns
        -------
        dict of str to dict
            As `identity_edu.train.telemetry.Telemetry.measure` returns it.
        """
        sizes, gradients = norms["states"], norms["gradients"]
        return {
            "distance": self._ratios(norms["branches"], sizes),
            "state_ratio": self._ratios(_one_before(sizes), sizes),
            "gradient_ratio": self._ratios(gradients, _one_before(gradients)),
            "gradient_norm": {name: norms["weights"][name] for name in self.maps},
            "spectral_norm": self._spectral_norms(),
        }


def _one_before(sizes):
    """Return what lies after each block by the number of the block."""
    return {i - 1: size for i, size in sizes.items()}
