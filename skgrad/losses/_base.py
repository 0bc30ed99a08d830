"""The contract of a loss."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np

from skgrad._kernels.formulas import CompiledLoss
from skgrad._parameters import Parameterized
from skgrad._typing import Array, FloatArray, IntArray

Target: TypeAlias = Literal["continuous", "binary01", "sign", "class_index", "probabilities"]


class Loss(Parameterized, ABC):
    """The cost of one sample as a convex function of its raw (link-space) prediction.

    A loss is a value: it holds hyper-parameters, stored as given, and no data. All methods are
    unweighted and per sample; sums, weights and penalties belong to the objective.

    Everywhere `raw` has shape (n_samples, n_outputs) and so has `y`, unless it holds class codes,
    of shape (n_samples,). The arrays hold float32 or float64, alike
    in `y` and `raw`; results keep that dtype, and inputs are never modified.

    Attributes
    ----------
    name : str
        Name in `LOSSES`.
    smooth : bool
        Whether the gradient is continuous.
    coupled : bool
        Whether the outputs of a sample interact, so that its curvature is a full matrix.
    quadratic : bool
        Whether the curvature is constant, so that one Newton step is exact.
    has_prox : bool
        Whether `prox` has a closed form.
    piecewise_linear : bool
        Whether the loss is a sum of `hinges`.
    separated_below : float
        Value below which a row's own class has the largest raw prediction, for losses of (hard)
        classes whose infimum, 0, is at infinity; 0 for the others.
    equivariant : bool
        Whether the minimiser of a scaled and shifted target is scaled and shifted likewise.
    continuous_curvature : bool
        Whether the curvature has no jumps, so that near the optimum it tells how far that is.
    target : {"continuous", "binary01", "sign", "class_index", "probabilities"}
        What `y` holds: real numbers; numbers in [0, 1], which are 0 or 1 for hard labels;
        -1 or +1; integers from 0 to n_outputs - 1; rows of probabilities, which sum to 1.
    repeats_target : bool
        Whether several columns of raw predict the same target, so that `y` is what
        `repeat_target` makes of the targets.

    Notes
    -----
    The default of `value_and_gradient`, `inverse_link`, `prox`, `formula`, `check_target`,
    `repeat_target` and, for coupled losses, of the methods that begin at `curvature_state` is meant
    to be replaced where a loss has something better or different.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool]
    target: ClassVar[Target]
    equivariant: ClassVar[bool] = False
    coupled: ClassVar[bool] = False
    quadratic: ClassVar[bool] = False
    has_prox: ClassVar[bool] = False
    continuous_curvature: ClassVar[bool] = True
    separated_below: ClassVar[float] = 0.0
    piecewise_linear: ClassVar[bool] = False
    repeats_target: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Forget an inherited `formula` where the value or the gradient is another one."""
        super().__init_subclass__(**options)
        own = vars(cls)
        if "formula" not in own and not own.keys().isdisjoint(("value", "gradient")):
            cls.formula = Loss.formula  # type: ignore[method-assign]

    @property
    def formula(self) -> CompiledLoss | None:
        """Formula that compiled loops know the loss by; None where they don't know it."""
        return None

    @property
    @abstractmethod
    def max_curvature(self) -> float:
        """Lipschitz constant of the gradient with respect to `raw`; inf where there is none."""

    @abstractmethod
    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        """Loss of each sample and output, of raw's shape; (n_samples, 1) for a coupled loss."""

    @abstractmethod
    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        """Return the derivative in `raw`; at a kink a subgradient, 0 where 0 is one."""

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both at once, for losses where they share work."""
        return self.value(y, raw), self.gradient(y, raw)

    @abstractmethod
    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        """Second derivative, almost everywhere; (n_samples, K, K) for a coupled loss."""

    def curvature_state(self, y: Array, raw: FloatArray) -> FloatArray:
        """Compute what the four methods below need of each sample: its curvature, unless coupled.

        An array of raw's shape, so that many products at one point share the work.
        """
        return self.curvature(y, raw)

    def curvature_product(self, state: FloatArray, direction: FloatArray) -> FloatArray:
        """Curvature of each sample times its row of `direction`, an array of raw's shape."""
        return state * direction

    def curvature_root(self, state: FloatArray, direction: FloatArray) -> FloatArray:
        """Multiply by some square root R of each sample's curvature, which is RR'."""
        return np.sqrt(state) * direction

    def total_curvature(self, state: FloatArray, weight: FloatArray) -> FloatArray:
        """Weighted sum of the samples' curvatures, shape (n_outputs, n_outputs), in float64.

        `weight` broadcasts with raw.
        """
        return np.diag(np.add.reduce(state * weight, axis=0, dtype=np.float64))

    def rank_one_terms(self, state: FloatArray) -> FloatArray:
        """Write each sample's curvature as sum_j strength_j v_j v_j'; return the strengths."""
        return state

    def rank_one_directions(self, state: FloatArray, terms: IntArray) -> FloatArray:
        """Directions v_j of one term of `rank_one_terms` for each row of `state`."""
        return np.eye(state.shape[1], dtype=state.dtype)[terms]

    def inverse_link(self, raw: FloatArray) -> FloatArray:
        """Map `raw` to the expected target; the identity, unless the loss has a link."""
        return raw

    def repeat_target(self, y: Array) -> Array:
        """Repeat columns of targets, (n_samples, n_targets), so that each column of raw has one."""
        return y

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Write a piecewise linear loss as sum_k cost_k max(sign_k z - offset_k, 0).

        Returns
        -------
        sign, offset, cost : ndarrays that broadcast to (n_hinges, n_samples, n_outputs)
            Signs are -1 or +1, costs positive.
        """
        raise NotImplementedError(f"The {self.name} loss is not piecewise linear.")

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        """Move dual points that rounding took out of the domain of `conjugate` to its border."""
        return dual

    @abstractmethod
    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        """Convex conjugate in `raw`, sup_z dual z - value(y, z), of value's shape.

        It is inf outside its domain. A few rounding errors beyond the border count as inside:
        a dual point is computed, and often lies on the border.
        """

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Proximal step, argmin_z step_size value(y, z) + (z - raw)^2 / 2, elementwise.

        Parameters
        ----------
        y, raw : ndarray of shape (n_samples, n_outputs)
        step_size : float or ndarray broadcastable with raw
            Non-negative.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
        """
        raise NotImplementedError(
            f"The {self.name} loss has no closed-form proximal operator; "
            "choose a solver that needs its gradient only."
        )

    @final
    def constant(
        self, y: Array, sample_weight: Array | None = None, *, n_outputs: int | None = None
    ) -> FloatArray:
        """Raw prediction, the same for all samples, that minimises the weighted loss, or nearly.

        It is always finite, also where the minimiser is not: frequencies are kept off 0 and 1.

        Parameters
        ----------
        y : ndarray
            Targets, as for `value`.
        sample_weight : ndarray of shape (n_samples,), optional
            Not all 0; a sample of weight 0 counts as absent.
        n_outputs : int, optional
            Number of classes. Only a coupled loss needs it, and by default counts up to the
            largest code in `y`.

        Returns
        -------
        ndarray of shape (n_outputs,)
        """
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        best = self._constant(y, weights, n_outputs)
        return best.astype(np.result_type(y, np.float32), copy=False)

    @abstractmethod
    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        """`constant` in float64, with float64 weights."""

    def check_target(self, y: Array) -> None:
        """Raise a ValueError that names the loss and the value, if `y` is out of its range."""
        return


def border_tolerance(dual: FloatArray) -> float:
    """How far outside its domain a computed dual point may lie: 8 units of rounding."""
    return 8.0 * float(np.finfo(dual.dtype).eps)


def two_sided(
    y: Array, width: float, cost_above: float, cost_below: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Build the `hinges` of a loss that costs once raw leaves the tube y +- width."""
    sign = np.array([1.0, -1.0], dtype=y.dtype)[:, None, None]
    cost = np.array([cost_above, cost_below], dtype=y.dtype)[:, None, None]
    return sign, sign * y + width, cost
