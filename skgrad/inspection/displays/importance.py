"""Importances as bars."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection.displays._canvas import (
    BLUE,
    GREY,
    ORANGE,
    axis_label,
    largest,
    name_lines,
    new_axes,
)
from skgrad.inspection.importance import gradient_importance

# Half the width of a 95 per cent interval, in standard errors.
NORMAL_QUANTILE = 1.959963984540054


class FeatureImportanceDisplay:
    """Bars of feature importances, the largest on top.

    Build it with `from_estimator` or `from_result`, which draw it as well; `plot` draws it again.

    Parameters
    ----------
    result : Bunch
        What `gradient_importance` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure that they belong to.
    bars_ : matplotlib BarContainer
        The bars, from top to bottom.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import FeatureImportanceDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> display = FeatureImportanceDisplay.from_estimator(model, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any
    bars_: Any

    def __init__(self, result: Any) -> None:
        self.result = result

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None,
        max_features: int | None = 20,
        error_bars: Literal["confidence", "std"] | None = "confidence", **options: Any,
    ) -> Self:  # fmt: skip
        """Compute importances, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
            Rows to average over.
        y : array of shape (n_samples,), default=None
            Targets; ``method="loss"`` needs them.
        ax, max_features, error_bars
            As in `plot`.
        **options : dict
            Further arguments of `gradient_importance`.

        Returns
        -------
        FeatureImportanceDisplay
        """
        result = gradient_importance(estimator, X, y, **options)
        return cls.from_result(result, ax=ax, max_features=max_features, error_bars=error_bars)

    @classmethod
    def from_result(
        cls, result: Any, *, ax: Any = None, max_features: int | None = 20,
        error_bars: Literal["confidence", "std"] | None = "confidence",
    ) -> Self:  # fmt: skip
        """Draw importances that are known already.

        Parameters
        ----------
        result : Bunch
            What `gradient_importance` returned.
        ax, max_features, error_bars
            As in `plot`.

        Returns
        -------
        FeatureImportanceDisplay
        """
        return cls(result).plot(ax, max_features=max_features, error_bars=error_bars)

    def plot(
        self, ax: Any = None, *, max_features: int | None = 20,
        error_bars: Literal["confidence", "std"] | None = "confidence",
    ) -> Self:  # fmt: skip
        """Draw the bars.

        Signed importances (``aggregation="mean"``) have two colours: those that raise the response
        and those that lower it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        max_features : int or None, default=20
            Bars to draw; all others are put together in one more, by their sum, or by the largest
            of them where importances do not add up (``aggregation`` "rms" and "max").
        error_bars : {"confidence", "std"} or None, default="confidence"
            Intervals that hold the mean over rows with a probability of 95 %, for the model as it
            is; or a standard deviation over rows to both sides.

        Returns
        -------
        FeatureImportanceDisplay
        """
        errors = self._errors(error_bars)
        values, names = np.asarray(self.result.importances_mean), list(self.result.feature_names)
        shown, others = largest(values, max_features)
        heights, labels, spread = values[shown], [names[j] for j in shown], errors[shown]
        if len(others):
            height, label = self._joined(values[others])
            heights, labels = np.append(heights, height), [*labels, label]
            spread = np.append(spread, np.nan)
        ax = new_axes(type(self).__name__, ax, len(heights))
        signed = self._is_signed
        colors = (
            np.where(signed & (heights < 0.0), BLUE, ORANGE) if signed else [BLUE] * len(labels)
        )
        colors = [*colors[: len(shown)], GREY][: len(labels)]
        lines = np.arange(len(heights))
        self.bars_ = ax.barh(lines, np.nan_to_num(heights), height=0.7, color=colors)
        if error_bars is not None:
            ax.errorbar(
                heights, lines, xerr=spread, fmt="none", ecolor="#333333", elinewidth=1.0,
                capsize=2.0,
            )  # fmt: skip
        self._label(ax, labels, heights, error_bars)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @property
    def _is_signed(self) -> bool:
        return bool(self.result.get("aggregation") == "mean")

    def _errors(self, error_bars: str | None) -> FloatArray:
        errors: dict[str | None, FloatArray] = {
            "confidence": NORMAL_QUANTILE * np.asarray(self.result.standard_error),
            "std": np.asarray(self.result.importances_std),
            None: np.zeros(len(self.result.importances_mean)),
        }
        if error_bars not in errors:
            raise ValueError(f'error_bars must be "confidence", "std" or None, got {error_bars!r}.')
        return errors[error_bars]

    def _joined(self, values: FloatArray) -> tuple[float, str]:
        """Put the features that are not shown together."""
        if self.result.get("aggregation") in ("rms", "max"):
            return float(np.nanmax(values)), f"largest of {len(values)} others"
        return float(np.nansum(values)), f"sum of {len(values)} others"

    def _label(self, ax: Any, labels: list[Any], heights: FloatArray, error_bars: Any) -> None:
        name_lines(ax, labels)
        note = {
            "confidence": "lines: 95 % interval of the mean over rows",
            "std": "lines: one standard deviation over rows",
            None: "",
        }[error_bars]
        ax.set_xlabel(axis_label(self.result.unit, note))
        if self._is_signed:
            ax.axvline(0.0, color="#333333", linewidth=0.8)
            from matplotlib.patches import Patch

            handles = [Patch(color=ORANGE, label="raises"), Patch(color=BLUE, label="lowers")]
            ax.legend(handles=handles, frameon=False, loc="best")
        else:
            ax.set_xlim(left=0.0)
        for line in np.flatnonzero(np.isnan(heights)):
            ax.text(0.0, line, " categories: no signed mean", va="center", color="#666666")
