"""What the linear classifiers share: labels, class weights, and the classes of a stream."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

from sklearn.base import _fit_context
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from skgrad._estimators import check_classes, class_codes, encode_labels
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.linear_model._stream import StreamingEstimator


class LinearClassifier(LinearClassifierMixin, StreamingEstimator):
    """Base of the linear classifiers."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **StreamingEstimator._parameter_constraints,
        "C": [Interval(Real, 0, None, closed="right")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    classes_: Array

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Make one pass over a chunk of data, continuing where the last call ended.

        With the same data, k calls are k iterations of `fit`: the solver's state and the random
        stream go on. Columns are standardised by the first chunk. Needs a stochastic solver;
        ``solver="auto"`` is SGD here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of data.
        y : array-like of shape (n_samples,)
            Its labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; needed in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The estimator.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced': the frequencies of classes "
                "in the whole stream are unknown. Pass a dict of weights instead."
            )
        check_classes(self.classes_ if self.__sklearn_is_fitted__() else None, classes)
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def __sklearn_tags__(self) -> Tags:
        """Declare that more than two classes are welcome."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags

    def _labels(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, *, first: bool
    ) -> tuple[Matrix, IntArray, FloatArray | None, FloatArray | None]:
        """Validate data; return X, integer codes of y, and the weights of rows and of classes."""
        X, y, weight = self._validate(X, y, sample_weight, first=first)
        codes: IntArray
        if first and classes is None:
            found, codes = encode_labels(y)
        else:
            found = unique_labels(classes) if first else self.classes_
            codes = class_codes(found, y)
        if found.dtype.kind in "fO":  # integers, booleans and strings are always labels
            check_classification_targets(found)
        self.classes_ = found
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in y, but there is "
                f"only one class: {self.classes_.tolist()[0]!r}"
            )
        class_weight = None
        if self.class_weight is not None:
            class_weight = compute_class_weight(
                self.class_weight, classes=self.classes_, y=y, sample_weight=weight
            )
        return X, codes, weight, class_weight
