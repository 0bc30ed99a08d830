"""Rules of kernel machines and Gaussian processes against central differences."""

import numpy as np
import pytest
from responses import TARGETS, X, assert_close, assert_response, assert_responses, gradients
from scipy import sparse
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from skgrad.inspection import FiniteDifferenceWarning, NonDifferentiableError, input_gradients
from skgrad.inspection.models import parts
from skgrad.inspection.models.support_vectors import fitted_gamma

MACHINE_KERNELS = ["linear", "poly", "rbf", "sigmoid"]
SCALES = [1.0, 2.0, 0.5, 3.0]
PROCESS_KERNELS = [
    RBF(SCALES), Matern(1.3, nu=0.5), Matern(SCALES, nu=1.5), Matern(nu=2.5), Matern(nu=np.inf),
    Matern(1.4, nu=0.9), Matern(nu=3.3), RationalQuadratic(1.2, alpha=0.7), DotProduct(0.5),
    ConstantKernel(2.0) * RBF() + WhiteKernel(0.1), DotProduct(1.5) ** 2,
    ExpSineSquared(2.0, 30.0) * RBF(), PairwiseKernel(metric="laplacian", gamma=0.4),
    PairwiseKernel(metric="poly", gamma=0.2), RBF() + DotProduct() * Matern(),
]  # fmt: skip


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.3])
@pytest.mark.parametrize("kernel", MACHINE_KERNELS)
def test_support_vector_regression(kernel, gamma):
    for machine in (SVR, NuSVR):
        estimator = machine(kernel=kernel, gamma=gamma, coef0=0.5)
        assert_responses(estimator, "numbers")


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
@pytest.mark.parametrize("target", ["two", "three"])
@pytest.mark.parametrize("kernel", MACHINE_KERNELS)
def test_support_vector_classification(kernel, target, shape):
    settings = {"kernel": kernel, "coef0": 0.5, "decision_function_shape": shape}
    assert_responses(SVC(**settings), target)
    assert_responses(NuSVC(nu=0.2, gamma=0.4, **settings), target)


def test_four_classes_have_the_margins_of_six_pairs():
    target = np.digitize(X[:, 0] + X[:, 1] ** 2, [-0.3, 0.8, 1.7])
    for shape in ("ovr", "ovo"):
        estimator = SVC(decision_function_shape=shape).fit(X, target)
        assert_response(estimator, X[:15], "decision_function")


def test_pairs_of_three_classes_are_no_classes():
    estimator = make_pipeline(SVC(decision_function_shape="ovo")).fit(X, TARGETS["three"])
    with pytest.raises(ValueError, match=r"one of the outputs \[0, 1, 2\]"):
        input_gradients(estimator, X, target="a")
    every = gradients(estimator, X, "decision_function")
    one = gradients(estimator, X, "decision_function", target=1)
    np.testing.assert_array_equal(one[:, :, 0], every[:, :, 1])


def test_gamma_is_that_of_the_decision_function():
    for gamma in ("scale", "auto"):
        estimator = SVR(gamma=gamma).fit(X, TARGETS["numbers"])
        kernel = rbf_kernel(X, estimator.support_vectors_, gamma=fitted_gamma(estimator))
        expected = kernel @ estimator.dual_coef_[0] + estimator.intercept_
        np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize("kernel", ["rbf", "sigmoid", "poly"])
def test_scores_of_outliers(kernel):
    estimator = OneClassSVM(kernel=kernel, coef0=1.0).fit(X)
    assert_response(estimator, X[:15], "decision_function")


@pytest.mark.parametrize("kernel", MACHINE_KERNELS)
def test_sparse_support_vectors(kernel):
    target = TARGETS["three"]
    expected = gradients(SVC(kernel=kernel, gamma=0.3).fit(X, target), X, "decision_function")
    data = sparse.csr_matrix(X)
    found = gradients(SVC(kernel=kernel, gamma=0.3).fit(data, target), data, "decision_function")
    assert_close(found, expected, 1e-4)  # libsvm's two solvers stop at other places


def test_far_from_the_origin_nothing_cancels():
    near = SVR(gamma=0.3).fit(X, TARGETS["numbers"])
    far = SVR(gamma=0.3).fit(X, TARGETS["numbers"])
    far.support_vectors_ = near.support_vectors_ + 2.0**20
    assert_close(gradients(far, X + 2.0**20, "predict"), gradients(near, X, "predict"), 1e-8)


@pytest.mark.parametrize(
    "kernel", ["linear", "poly", "polynomial", "rbf", "sigmoid", "laplacian", "cosine"]
)
@pytest.mark.parametrize("gamma", [None, 0.2])
def test_kernel_ridge(kernel, gamma):
    for target in ("numbers", "pairs"):
        assert_responses(KernelRidge(alpha=50.0, kernel=kernel, gamma=gamma, degree=2), target)


def test_kernel_ridge_of_a_kernel_object_and_of_counts():
    assert_responses(KernelRidge(kernel=RBF(2.0)), "numbers")
    assert_responses(KernelRidge(kernel="chi2", gamma=0.7), "numbers", np.abs(X))


@pytest.mark.parametrize("kernel", PROCESS_KERNELS, ids=str)
def test_gaussian_process_regression(kernel):
    for target, normalize_y in (("numbers", False), ("numbers", True), ("pairs", True)):
        process = GaussianProcessRegressor(
            kernel, alpha=0.1, normalize_y=normalize_y, optimizer=None
        )
        assert_responses(process, target)


@pytest.mark.parametrize("kernel", [PROCESS_KERNELS[k] for k in (0, 3, 8, 10, 14)], ids=str)
@pytest.mark.parametrize("target", ["two", "three"])
def test_gaussian_process_classification(kernel, target):
    process = GaussianProcessClassifier(kernel, optimizer=None).fit(X, TARGETS[target])
    assert_response(process, X[:15], "predict_proba")


class OwnKernel(RBF):
    """Might be something else than its base."""


@pytest.mark.parametrize("kept", [0, 2**30])
def test_blocks_of_rows_make_no_difference(monkeypatch, kept):
    many = np.tile(X, (4, 1))
    for estimator in (SVC(), GaussianProcessClassifier(DotProduct() + RBF(), optimizer=None)):
        estimator.fit(X, TARGETS["two"])
        method = "decision_function" if isinstance(estimator, SVC) else "predict_proba"
        whole = gradients(estimator, many, method)
        with monkeypatch.context() as patch:
            patch.setattr(parts, "BLOCK_BYTES", 1)
            patch.setattr(parts, "KEPT_BYTES", kept)
            assert_close(gradients(estimator, many, method), whole, 1e-9)


def test_unknown_kernels_are_refused_or_differenced():
    y = TARGETS["numbers"]
    for estimator in (SVR(kernel=rbf_kernel), KernelRidge(kernel=lambda x, s: x @ s)):
        with pytest.raises(NonDifferentiableError, match=r"kernel=<function.*not known"):
            input_gradients(estimator.fit(X, y), X)
    process = GaussianProcessRegressor(OwnKernel(), optimizer=None).fit(X, y)
    with pytest.raises(NonDifferentiableError, match="kernel whose derivative is not known"):
        input_gradients(process, X)
    with pytest.warns(FiniteDifferenceWarning, match="KernelRidge"):
        found = input_gradients(estimator, X, fallback="difference")
    assert np.isfinite(found).all()


def test_deprecated_probabilities_are_refused():
    with pytest.warns(FutureWarning, match="probability"):
        estimator = SVC(probability=True, random_state=0).fit(X, TARGETS["two"])
    with pytest.raises(NonDifferentiableError, match=r"Platt.*CalibratedClassifierCV"):
        input_gradients(estimator, X, response_method="predict_proba")
