"""Merge methods as pure functions on the tensors of one parameter: float32 inside, one rounding at the end.

`table.METHODS` names them. Each is written once, in terms of a few passes over memory (`passes.Passes`), which exist
twice: compiled for CPUs (`cpu.py`, numba) and as torch operations for any device (`device.py`).
"""
