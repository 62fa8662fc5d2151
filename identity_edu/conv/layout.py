r"""Images as Winograd's algorithm wants them: position first, with a border of zeros.

NHWC keeps an image together; here all pixels at one *position* are together, the array
is (height, width, n c). A linear combination of neighbouring pixels, for every image
and channel at once, is then a product of a small matrix with rows that lie at equal
distances in memory: BLAS runs it in place, and no tile is ever copied.
"""

import numpy as np

TILE = 4  # outputs of a tile, per axis
WINDOW = 6  # the inputs that they depend on: TILE + 3 taps - 1


class PaddedImages:
    """A batch of float32 images, position first, with room for whole tiles.

    Parameters
    ----------
    n, height, width, channels : int >= 1

    Attributes
    ----------
    array : array, shape (4 ceil(h / 4) + 2, 4 ceil(w / 4) + 2, n, c)
        Zero outside `interior`; whoever writes there clears it again.
    interior : view, shape (h, w, n, c)
    windows : view, shape (rows, column tiles, 6, n c)
        ``windows[i, t]`` are the pixels 4t ... 4t + 5 of padded row i. Read only.
    tiles : view, shape (rows, column tiles, 4, n c)
        The same for the pixels that are computed: tiles do not overlap.
    """

    def __init__(self, n, height, width, channels):
        self.n, self.height, self.width, self.channels = n, height, width, channels
        self.n_tile_rows, self.n_tile_columns = -(-height // TILE), -(-width // TILE)
        padded = (TILE * self.n_tile_rows + 2, TILE * self.n_tile_columns + 2)
        self.array = np.zeros((*padded, n, channels), np.float32)
        self.interior = self.array[1 : 1 + height, 1 : 1 + width]
        flat = self.array.reshape(*padded, n * channels)
        self.windows = self._column_groups(flat, WINDOW)
        self.windows.flags.writeable = False
        self.tiles = self._column_groups(flat[1:-1, 1:-1], TILE)

    def load(self, x):
        """Copy NHWC images in.

        Parameters
        ----------
        x : array, shape (n, h, w, c)

        Returns
        -------
        PaddedImages
            Itself.
        """
        self.interior[...] = x.transpose(1, 2, 0, 3)
        return self

    def images(self):
        """Return the images as an NHWC view.

        Returns
        -------
        view, shape (n, h, w, c)
        """
        return self.interior.transpose(2, 0, 1, 3)

    def clear_border(self):
        """Set to zero what whole tiles have written beyond the image."""
        self.array[1 + self.height :] = 0
        self.array[:, 1 + self.width :] = 0

    def _column_groups(self, flat, size):
        """View rows of pixels as groups of `size` that start TILE pixels apart."""
        n_rows, _, run = flat.shape
        row, pixel, item = flat.strides
        return np.lib.stride_tricks.as_strided(
            flat,
            (n_rows, self.n_tile_columns, size, run),
            (row, TILE * pixel, pixel, item),
        )
