"""Solvers side by side: suboptimality against passes over the data and against seconds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skgrad.inspection.displays._canvas import MARKERS, PALETTE, literal, shortened
from skgrad.inspection.solver_comparison import compare_solvers

# Below this, suboptimality is rounding: a logarithmic axis ends here.
SMALLEST = 1e-12


class SolverComparisonDisplay:
    """How far each solver is above the minimum, after how many passes and how long.

    Build it with `from_estimator` or `from_result`, which draw it as well; `plot` draws it again.

    Parameters
    ----------
    result : DataFrame
        What `compare_solvers` returned.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Against passes, and against seconds.
    figure_ : matplotlib Figure
        The figure that they belong to.
    lines_ : dict of str to list of matplotlib Line2D
        The lines of each solver, one on each axes.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import SolverComparisonDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> display = SolverComparisonDisplay.from_estimator(
    ...     LogisticRegression(), X, y, solvers=["newton", "lbfgs", "adam"]
    ... )  # doctest: +SKIP
    """

    axes_: Any
    figure_: Any
    lines_: dict[str, list[Any]]

    def __init__(self, result: Any) -> None:
        self.result = result

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, axes: Any = None, **options: Any
    ) -> Self:
        """Compare solvers, and draw them.

        Parameters
        ----------
        estimator : estimator of skgrad, or a pipeline that ends in one
            The problem.
        X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
            Data.
        y : array of shape (n_samples,)
            Targets.
        axes : pair of matplotlib Axes, default=None
            As in `plot`.
        **options : dict
            Further arguments of `compare_solvers`.

        Returns
        -------
        SolverComparisonDisplay
        """
        return cls.from_result(compare_solvers(estimator, X, y, **options), axes=axes)

    @classmethod
    def from_result(cls, result: Any, *, axes: Any = None) -> Self:
        """Draw a comparison that is known already.

        Parameters
        ----------
        result : DataFrame
            What `compare_solvers` returned.
        axes : pair of matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        SolverComparisonDisplay
        """
        return cls(result).plot(axes)

    def plot(self, axes: Any = None) -> Self:
        """Draw a line for each solver, the one that ends first in front.

        Parameters
        ----------
        axes : pair of matplotlib Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        SolverComparisonDisplay
        """
        axes = self._new_axes() if axes is None else np.asarray(axes, dtype=object).ravel()
        if len(axes) != 2:
            raise ValueError(f"axes must be a pair of Axes, got {len(axes)}.")
        self.lines_ = {}
        names = list(dict.fromkeys(self.result["solver"]))
        for k, name in enumerate(names):
            rows = self.result[self.result["solver"] == name]
            height = np.maximum(rows["suboptimality"].to_numpy(), SMALLEST)
            self.lines_[name] = [
                ax.plot(
                    rows[column], height, color=PALETTE[k % len(PALETTE)],
                    linestyle="-" if k < len(PALETTE) else "--", marker=MARKERS[k % len(MARKERS)],
                    markersize=3.5, markevery=max(1, len(rows) // 12), linewidth=1.4,
                    label=literal(shortened(name)),
                )[0]
                for ax, column in zip(axes, ("passes", "seconds"), strict=True)
            ]  # fmt: skip
        for ax, label in zip(axes, ("Passes over the data", "Seconds"), strict=True):
            ax.set(xscale="log", yscale="log", xlabel=label)
            ax.grid(color="#e6e6e6")
            ax.set_axisbelow(True)
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        axes[0].set_ylabel("Relative suboptimality")
        axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _new_axes(self) -> Any:
        from sklearn.utils._optional_dependencies import check_matplotlib_support

        check_matplotlib_support(type(self).__name__)
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(1, 2, figsize=(10.0, 4.0), sharey=True, layout="constrained")
        return axes
