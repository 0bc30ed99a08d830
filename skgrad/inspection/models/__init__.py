"""Rules of predictors, one family in one file."""

from skgrad.inspection.models import linear

__all__ = ["linear"]
