"""What the CUDA kernels must do: checks, cases with every edge, and bugs to be found.

A check takes a device and a case, runs one kernel, compares what it stored with the
definition in float64, and returns it. So the same checks serve the sources, sources
with a bug, every order of threads on the emulated device, and a GPU.
"""
