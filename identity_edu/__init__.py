"""Why deep networks are built around the identity map, as code that runs.

The package behind the book *Around the Identity*. Importing it loads nothing
heavy: no CuPy, no matplotlib, no notebook machinery. Import the module of the
chapter that you are reading, for example ``from identity_edu import linear``.
"""

__version__ = "0.1.0"
