"""Rules of transformers, one kind in one file."""

from skgrad.inspection.transformers import encoders, imputers, scalers

__all__ = ["encoders", "imputers", "scalers"]
