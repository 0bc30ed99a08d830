"""Rules of transformers, against central differences in all forms of input that they take."""

import numpy as np
import pytest
from derivatives import FORMS, assert_jacobian, differences
from scipy import special
from sklearn.base import clone
from sklearn.cluster import Birch, BisectingKMeans, FeatureAgglomeration, KMeans, MiniBatchKMeans
from sklearn.cross_decomposition import CCA, PLSSVD, PLSRegression
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from tolerances import FINITE_DIFFERENCE, coefficients

from skgrad.inspection import input_jacobian
from skgrad.inspection.chain import Walk

SPARSE_TOO = {
    "max abs": MaxAbsScaler(),
    "scaler": StandardScaler(with_mean=False),
    "robust": RobustScaler(with_centering=False),
    "svd": TruncatedSVD(2, random_state=0),
    "gaussian projection": GaussianRandomProjection(3, random_state=0),
    "sparse projection": SparseRandomProjection(3, random_state=0),
    "pca, arpack": PCA(2, svd_solver="arpack", random_state=0),
    "best": SelectKBest(k=2),
    "variance": VarianceThreshold(0.1),
    "from model": SelectFromModel(LogisticRegression(), threshold="median"),
    "elimination": RFE(LogisticRegression(), n_features_to_select=2),
    "quadratic": PolynomialFeatures(2),
    "cubic, no bias": PolynomialFeatures(3, include_bias=False),
    "interactions": PolynomialFeatures(3, interaction_only=True),
    "interactions of two or three": PolynomialFeatures((2, 3), interaction_only=True),
    "linear": PolynomialFeatures(1),
    "normalizer": Normalizer(),
    "normalizer l1": Normalizer("l1"),
    "normalizer max": Normalizer("max"),
    "tfidf": TfidfTransformer(),
    "tf": TfidfTransformer(norm="l1", use_idf=False),
    "idf": TfidfTransformer(norm=None),
    "k-means": KMeans(3, n_init=1, random_state=0),
    "mini-batch k-means": MiniBatchKMeans(3, n_init=1, random_state=0),
    "bisecting k-means": BisectingKMeans(3, random_state=0),
    "birch": Birch(threshold=2.0),
    "waves": RBFSampler(gamma=0.3, n_components=7, random_state=0),
    "boltzmann": BernoulliRBM(3, learning_rate=1e-3, n_iter=2, random_state=0),
    "nystroem": Nystroem(n_components=9, random_state=0),
    "nystroem, gamma": Nystroem(gamma=0.3, n_components=9, random_state=0),
    "nystroem, linear": Nystroem("linear", n_components=3, random_state=0),
    "nystroem, poly": Nystroem("poly", n_components=9, degree=2, coef0=0.5, random_state=0),
    "nystroem, params": Nystroem("poly", kernel_params={"gamma": 0.2}, n_components=9),
    "nystroem, sigmoid": Nystroem("sigmoid", gamma=0.1, coef0=0.2, n_components=5),
    "nystroem, cosine": Nystroem("cosine", n_components=3, random_state=0),
    "kernel pca": KernelPCA(3, kernel="rbf", gamma=0.2),
    "kernel pca, default gamma": KernelPCA(3, kernel="rbf"),
    "kernel pca, poly": KernelPCA(3, kernel="poly"),
    "kernel pca, linear": KernelPCA(2, kernel="linear"),
    "kernel pca, sigmoid": KernelPCA(3, kernel="sigmoid", gamma=0.1),
    "kernel pca, cosine": KernelPCA(2, kernel="cosine"),
    "log1p": FunctionTransformer(np.log1p),
    "identity": FunctionTransformer(),
}
DENSE = {
    "standard": StandardScaler(),
    "min max": MinMaxScaler((-1, 2)),
    "pca": PCA(2),
    "pca, whitened": PCA(2, whiten=True),
    "incremental pca": IncrementalPCA(2, whiten=True),
    "ica": FastICA(3, random_state=0, max_iter=1000),
    "neighbourhood": NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=10),
    "factors": FactorAnalysis(2),
    "sparse pca": SparsePCA(2, alpha=0.1, ridge_alpha=0.5, random_state=0),
    "mini-batch sparse pca": MiniBatchSparsePCA(2, alpha=0.1, random_state=0),
    "discriminants": LinearDiscriminantAnalysis(),
    "discriminants, eigen": LinearDiscriminantAnalysis(n_components=1, solver="eigen"),
    "pls": PLSRegression(2),
    "cca": CCA(1),
    "pls svd": PLSSVD(1),
    "agglomeration": FeatureAgglomeration(2),
    "agglomeration by sums": FeatureAgglomeration(2, pooling_func=np.sum),
    "splines": SplineTransformer(4),
    "splines, quantiles": SplineTransformer(4, knots="quantile", include_bias=False),
    "splines, linear": SplineTransformer(4, degree=2, extrapolation="linear"),
    "splines, lines": SplineTransformer(5, degree=1, extrapolation="linear"),
    "splines, continued": SplineTransformer(4, extrapolation="continue"),
    "splines, periodic": SplineTransformer(5, extrapolation="periodic"),
    "splines, sparse": SplineTransformer(4, sparse_output=True, extrapolation="continue"),
    "box-cox": PowerTransformer("box-cox"),
    "box-cox, raw": PowerTransformer("box-cox", standardize=False),
    "yeo-johnson": PowerTransformer(),
    "yeo-johnson, raw": PowerTransformer(standardize=False),
    "quantiles": QuantileTransformer(n_quantiles=20),
    "quantiles, normal": QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    "chi2 waves": SkewedChi2Sampler(skewedness=0.5, n_components=7, random_state=0),
    "additive chi2": AdditiveChi2Sampler(sample_steps=1),
    "additive chi2, steps": AdditiveChi2Sampler(sample_steps=3),
    "additive chi2, interval": AdditiveChi2Sampler(sample_interval=0.7),
    "nystroem, laplacian": Nystroem("laplacian", gamma=0.3, n_components=9, random_state=0),
    "nystroem, chi2": Nystroem("chi2", n_components=9, random_state=0),
    "nystroem, chi2 gamma": Nystroem("chi2", gamma=0.3, n_components=9, random_state=0),
    "nystroem, additive chi2": Nystroem("additive_chi2", n_components=4, random_state=0),
    "affine function": FunctionTransformer(lambda X: 3.0 * X - 1.0),
}
ALL = {**SPARSE_TOO, **DENSE}
KINKED_AT_ZERO = {"normalizer l1", "tf"}
FUNCTIONS = [
    np.log, np.log1p, np.log2, np.log10, np.exp, np.exp2, np.expm1, np.sqrt, np.cbrt, np.square,
    np.reciprocal, np.sin, np.cos, np.tan, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh,
    np.abs, np.fabs, special.expit, np.negative, np.deg2rad,
]  # fmt: skip


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.lognormal(0.3, 0.6, size=(80, 4))
    X[:, 1] *= 3.0
    y = np.digitize(X[:, 0] + X[:, 2], [2.0, 4.0])
    return X, y, X.mean(axis=0) * rng.uniform(0.3, 1.7, size=(7, 4))


def fitted(step, data, form):
    X, y, _ = data
    target = np.column_stack([y, X[:, 3]]) if isinstance(step, PLSSVD) else y
    return clone(step).fit(form(X), target)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name in ALL
        for form in ("array", "column-major", "frame")
        # scikit-learn's kernel does not take the read-only array in a frame
        if not (form == "frame" and "nystroem" in name and "chi2" in name)
    ],
)
def test_jacobian_of_transformer_matches_differences(name, form, data):
    step = fitted(ALL[name], data, FORMS[form])
    found = input_jacobian(step, FORMS[form](data[2]))
    assert_jacobian(found, differences(step, data[2], FORMS[form]), rtol=FINITE_DIFFERENCE)


@pytest.mark.parametrize("name", ALL)
def test_jacobian_at_single_precision_is_that_at_double(name, data):
    rows = data[2].astype(np.float32)
    step = fitted(ALL[name], data, FORMS["float32"])
    expected = input_jacobian(step, rows.astype(np.float64))
    assert_jacobian(input_jacobian(step, rows), expected, rtol=coefficients("float32"))


@pytest.mark.parametrize("name", SPARSE_TOO)
def test_jacobian_at_sparse_input_matches_differences(name, data):
    X, y, rows = data
    X, rows = (np.where(x < 0.7 * data[0].mean(axis=0), 0.0, x) for x in (X, rows))
    step = fitted(SPARSE_TOO[name], (X, y, rows), FORMS["sparse"])
    found, expected = (
        input_jacobian(step, FORMS["sparse"](rows)),
        differences(step, rows, FORMS["sparse"]),
    )
    # At a kink, such as that of |x| in a norm, central differences are of the first order only.
    assert_jacobian(found, expected, rtol=1e-4 if name in KINKED_AT_ZERO else FINITE_DIFFERENCE)


def test_sources_of_selected_columns(data):
    X, y, _ = data
    step = SelectKBest(k=2).fit(X[:, [1, 0, 3, 2]], y)
    local = Walk(np.arange(4), list("abcd")).transform(step, X)
    assert local.sources.tolist() == [1, 3]
    assert local.affine


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_slopes_of_functions_match_differences(function, data):
    X = data[2] - (0.0 if function in (np.log, np.log2, np.log10, np.sqrt) else 1.3)
    step = FunctionTransformer(function).fit(X)
    assert_jacobian(input_jacobian(step, X), differences(step, X), rtol=FINITE_DIFFERENCE)


def test_slope_of_logit_matches_differences():
    X = np.linspace(0.05, 0.95, 6)[:, None]
    step = FunctionTransformer(special.logit).fit(X)
    assert_jacobian(input_jacobian(step, X), differences(step, X), rtol=FINITE_DIFFERENCE)
