"""What average marginal effects come as."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.utils import Bunch

from skgrad._typing import FloatArray


class MarginalEffects(Bunch):
    """Average marginal effects with their uncertainty: see `average_marginal_effects`."""

    def to_frame(self) -> Any:
        """Write one row for each effect, as a DataFrame."""
        import pandas as pd

        n_terms, n_targets = len(self.feature_names), len(self.targets)
        columns: dict[str, Any] = {"feature": np.repeat(self.feature_names, n_targets)}
        if any(self.strata):
            columns["stratum"] = np.repeat(self.strata, n_targets)
        if n_targets > 1:
            columns["target"] = self.targets * n_terms
        columns["effect"] = self.effects.ravel()
        columns["standard_error"] = self.standard_errors.ravel()
        columns["z"], columns["p_value"] = self.z.ravel(), self.p_values.ravel()
        columns["lower"], columns["upper"] = self.conf_int.reshape(-1, 2).T
        return pd.DataFrame(columns)


def with_tests(
    effects: FloatArray, covariance: FloatArray, confidence_level: float, **facts: Any
) -> MarginalEffects:
    """Add standard errors, z, p-values of effects of 0, and confidence intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(np.diag(covariance)).reshape(effects.shape)
        z = effects / errors
    half = ndtri(0.5 * (1.0 + confidence_level)) * errors
    return MarginalEffects(
        effects=effects, standard_errors=errors, z=z, p_values=2.0 * ndtr(-np.abs(z)),
        conf_int=np.stack([effects - half, effects + half], axis=-1), covariance=covariance,
        confidence_level=confidence_level, **facts,
    )  # fmt: skip
