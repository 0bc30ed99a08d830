"""Compiled loops over plain arrays.

Each module is imported inside the function that needs it, and only for large data: importing numba
costs half a second, compiling a loop as much again the first time on a machine.
"""
