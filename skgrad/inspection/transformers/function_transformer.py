"""A function transformer that brings its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_array

from skgrad._typing import FloatArray


class DifferentiableFunctionTransformer(FunctionTransformer):
    r"""Transform by a function, and say what its derivative is.

    As `sklearn.preprocessing.FunctionTransformer`, with a derivative that the chain rule of
    `skgrad.inspection` goes through. A `FunctionTransformer` with a function that is affine, or one
    of NumPy's such as `numpy.log1p`, does not need it.

    Parameters
    ----------
    func : callable, default=None
        The function of X; None for the identity.
    jacobian : callable, default=None
        A function of the same X, and of ``kw_args``, that returns either

        - shape (n_samples, n_features): the derivative of each entry of the output with respect to
          the same entry of X, for a function that works entry by entry, or
        - shape (n_samples, n_outputs, n_features): :math:`J_{nkj} = \partial T_k(x_n) /
          \partial x_{nj}`.

        Needed wherever ``func`` is given.
    inverse_func : callable, default=None
        The inverse.
    validate : bool, default=False
        Turn X into an array before the functions see it.
    accept_sparse : bool, default=False
        Let X be sparse if it is validated.
    check_inverse : bool, default=True
        Check in `fit` that ``inverse_func`` is the inverse.
    feature_names_out : callable, "one-to-one" or None, default=None
        Names of the outputs.
    kw_args : dict, default=None
        Arguments of ``func`` and ``jacobian``.
    inv_kw_args : dict, default=None
        Arguments of ``inverse_func``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.inspection import DifferentiableFunctionTransformer, input_jacobian
    >>> def ratio(X):
    ...     return X[:, :1] / X[:, 1:]
    >>> def slopes(X):
    ...     return np.stack([1 / X[:, 1], -X[:, 0] / X[:, 1] ** 2], axis=1)[:, None, :]
    >>> X = np.array([[3.0, 2.0]])
    >>> step = DifferentiableFunctionTransformer(ratio, slopes).fit(X)
    >>> step.transform(X)
    array([[1.5]])
    >>> input_jacobian(step, X)
    array([[[ 0.5 , -0.75]]])
    """

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012  (as scikit-learn declares it)
        **FunctionTransformer._parameter_constraints,
        "jacobian": [callable, None],
    }

    def __init__(
        self, func: Callable[..., Any] | None = None, jacobian: Callable[..., Any] | None = None,
        inverse_func: Callable[..., Any] | None = None, *, validate: bool = False,
        accept_sparse: bool = False, check_inverse: bool = True, feature_names_out: Any = None,
        kw_args: dict[str, Any] | None = None, inv_kw_args: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            func,
            inverse_func,
            validate=validate,
            accept_sparse=accept_sparse,
            check_inverse=check_inverse,
            feature_names_out=feature_names_out,
            kw_args=kw_args,
            inv_kw_args=inv_kw_args,
        )
        self.jacobian = jacobian

    def fit(self, X: Any, y: Any = None) -> DifferentiableFunctionTransformer:
        """Check X, and that the function has its derivative with it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input of the function.
        y : ignored
            For pipelines.

        Returns
        -------
        self : DifferentiableFunctionTransformer
        """
        if (self.func is None) != (self.jacobian is None):
            raise ValueError("Give func and jacobian, or neither of them.")
        super().fit(X, y)
        return self

    def jacobian_at(self, X: Any) -> FloatArray:
        """Evaluate the derivative.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input of the function.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, n_outputs, n_features)
        """
        if self.jacobian is None:
            raise ValueError("There is no jacobian.")
        if self.validate:
            X = check_array(X, accept_sparse=self.accept_sparse)
        jacobian = np.asarray(self.jacobian(X, **(self.kw_args or {})), dtype=np.float64)
        if jacobian.ndim not in (2, 3) or (len(jacobian), jacobian.shape[-1]) != X.shape:
            n_samples, n_features = X.shape
            raise ValueError(
                f"jacobian must return an array of shape ({n_samples}, {n_features}) or"
                f" ({n_samples}, n_outputs, {n_features}), got {jacobian.shape}."
            )
        return jacobian
