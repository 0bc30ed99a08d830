"""Rules of predictors, one family in one file."""

from skgrad.inspection.models import (
    calibration,
    densities,
    ensembles,
    gaussian_processes,
    linear,
    multi_output,
    multiclass,
    networks,
    piecewise_constant,
    support_vectors,
    targets,
)

__all__ = [
    "calibration",
    "densities",
    "ensembles",
    "gaussian_processes",
    "linear",
    "multi_output",
    "multiclass",
    "networks",
    "piecewise_constant",
    "support_vectors",
    "targets",
]
