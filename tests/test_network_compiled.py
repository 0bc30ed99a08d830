"""Compiled passes over batches of a network: the same numbers as in NumPy, to rounding."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from threadpoolctl import threadpool_limits
from tolerances import arithmetic

from skgrad import MLPClassifier
from skgrad.losses import CrossEntropy, Huber, Logistic, Multinomial, Poisson, SquaredError
from skgrad.models.network import Network, get_activation, get_normalization
from skgrad.models.network.activations import Identity, LeakyReLU, ReLU
from skgrad.network_compiled import CompiledPasses
from skgrad.network_objective import NetworkObjective
from skgrad.penalties import NoPenalty
from skgrad.solvers import SOLVERS, StochasticSolver, _training

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, P = 61, 5
# Solvers of networks whose updates are compiled.
COMPILED = [
    name
    for name, solver in SOLVERS.items()
    if issubclass(solver, StochasticSolver) and solver().compiled_update() is not None
]
LOSSES = [SquaredError(), Huber(0.7), Logistic(), Multinomial(), Poisson()]
RECTIFIERS = {
    "none": (),
    "one": (ReLU(),),
    "leaky": (ReLU(), LeakyReLU(0.3)),
    "linear": (LeakyReLU(0.2), Identity(), ReLU()),
}


@pytest.fixture
def calls(monkeypatch):
    """Rows of each part of a batch that compiled loops walked over."""
    seen, walk = [], CompiledPasses.walk

    def counted(self, w, batch, *arguments):
        seen.append(len(batch.y))
        return walk(self, w, batch, *arguments)

    monkeypatch.setattr(CompiledPasses, "walk", counted)
    return seen


def targets(loss, n_outputs):
    rng = np.random.default_rng(3)
    if isinstance(loss, Multinomial):
        return rng.integers(n_outputs, size=N)
    if isinstance(loss, CrossEntropy):
        return rng.dirichlet(np.ones(n_outputs), size=N)
    if isinstance(loss, Logistic):
        return rng.integers(2, size=(N, n_outputs)).astype(float)
    if isinstance(loss, Poisson):
        return rng.poisson(2.0, size=(N, n_outputs)).astype(float)
    return rng.normal(size=(N, n_outputs))


def build(loss=None, n_outputs=1, activations=RECTIFIERS["one"], *, X=None, weight=None,
          dtype=np.float64, **options):  # fmt: skip
    """An objective, and parameters at which about half of the units are active."""
    rng, loss = np.random.default_rng(0), loss or SquaredError()
    X = rng.normal(size=(N, P)) if X is None else X
    network = Network((P, *(7, 4, 4)[: len(activations)], n_outputs), activations, **options)
    objective = NetworkObjective(
        network, loss, NoPenalty(), X, targets(loss, n_outputs), weight, dtype=dtype
    )
    return objective, 0.5 * rng.normal(size=objective.n_params).astype(dtype)


def passes(objective, w, *, shuffle=True, batch_size=N):
    """Value and gradient of each batch, in NumPy and compiled."""
    for batch in objective.batches(batch_size, np.random.default_rng(1), shuffle=shuffle):
        value, gradient = objective.loss_and_gradient(w, batch)
        expected = value, gradient.copy()
        value, gradient = objective.loss_and_gradient(w, batch, compiled=True)
        yield expected, (value, gradient.copy())


def assert_equal(expected, found, dtype):
    value, gradient = found
    assert gradient.dtype == dtype
    assert value == pytest.approx(expected[0], rel=arithmetic(dtype))
    error = np.abs(gradient - expected[1]).max()
    assert error < arithmetic(dtype) * np.abs(expected[1]).max()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("layers", RECTIFIERS)
def test_values_and_gradients_are_those_of_numpy(loss, layers, calls):
    variants = product([1, 3], ["none", "rows", "outputs"], [np.float64, np.float32])
    for n_outputs, weighted, dtype in variants:
        if isinstance(loss, Multinomial) and (n_outputs == 1 or weighted == "outputs"):
            continue
        weight = np.random.default_rng(2).uniform(0.1, 3.0, size=(N, n_outputs))
        weight = {"none": None, "rows": weight[:, :1], "outputs": weight}[weighted]
        objective, w = build(loss, n_outputs, RECTIFIERS[layers], weight=weight, dtype=dtype)
        calls.clear()
        for expected, found in passes(objective, w, batch_size=25):
            assert_equal(expected, found, dtype)
        assert calls == [25, 25, 11]


@pytest.mark.parametrize("layout", ["fortran", "strided", "float32"])
def test_rows_in_any_layout(layout):
    X = np.random.default_rng(0).normal(size=(N, 2 * P)).astype(np.float32)
    X = {
        "fortran": np.asfortranarray(X[:, ::2], np.float64),
        "strided": X.astype(np.float64)[:, ::2],
        "float32": np.ascontiguousarray(X[:, ::2]),
    }[layout]
    objective, w = build(X=X)
    for shuffle in (True, False):
        for expected, found in passes(objective, w, shuffle=shuffle):
            assert_equal(expected, found, np.float64)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_halved_batches_are_whole_ones(n_threads, calls, monkeypatch):
    monkeypatch.setattr("skgrad._threads.n_threads", lambda: n_threads)
    objective, w = build(activations=RECTIFIERS["linear"])
    whole = [found for _, found in passes(objective, w, batch_size=30)]
    assert calls == [30, 30, 1]
    monkeypatch.setattr("skgrad.network_passes.COMPILED_HALVED_WORK", 1)
    halved = [found for _, found in passes(objective, w, batch_size=30)]
    for one, other in zip(whole, halved, strict=True):
        assert_equal(one, other, np.float64)
    assert sorted(calls[3:]) == [1, 15, 15, 15, 15]


class Twice(ReLU):
    """A rectifier that compiled loops must not take for its base."""

    def value(self, z, out):
        super().value(z, out)
        out *= 2.0


@pytest.mark.parametrize(
    "case",
    [
        {"activations": (get_activation("tanh"),)},
        {"activations": (Twice(),)},
        {"loss": CrossEntropy(), "n_outputs": 3},
        {"X": sparse.csr_array(np.random.default_rng(0).normal(size=(N, P)))},
        {"input_scale": True},
        {"normalization": get_normalization("layer")},
        {"dropout": 0.5},
        {"residual": True, "activations": (ReLU(),) * 3},
    ],
    ids=lambda case: next(iter(case)),
)
def test_what_loops_do_not_know_numpy_does(case, calls):
    objective, w = build(**case)
    (batch,) = objective.batches(N, np.random.default_rng(1), shuffle=False)
    found = []
    for compiled in (False, True):
        again = batch._replace(rng=np.random.default_rng(2))
        value, gradient = objective.loss_and_gradient(w, again, compiled=compiled)
        found.append((value, gradient.copy()))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert not calls


def test_a_nan_is_not_lost():
    objective, w = build()
    w[0] = np.nan
    for _, (value, gradient) in passes(objective, w):
        assert np.isnan(value)
        assert np.isnan(gradient).any()


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_training_ends_where_numpy_does(name, calls, monkeypatch):
    options = {"sgd": {"momentum": 0.5}, "adamw": {"weight_decay": 0.5}}.get(name, {})
    solver = SOLVERS[name](0.02, **options)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    clf = MLPClassifier(
        (8, 5), solver=solver, batch_size=50, max_iter=5, dtype="float64", random_state=0
    )
    expected = clone(clf).fit(X, y)
    assert not calls
    monkeypatch.setattr(_training, "COMPILED_ELEMENTS", 1)
    found = clone(clf).fit(X, y)
    assert len(calls) == 5 * 8
    for one, other in zip(expected.coefs_, found.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_large_data_give_one_network_whatever_the_number_of_threads(calls):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(34_000, 30)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    clf = MLPClassifier((64, 64), batch_size=1024, max_iter=1, random_state=0)
    with threadpool_limits(1):
        one = clone(clf).fit(X, y)
    assert set(calls[:-1]) == {512}
    many = clone(clf).fit(X, y)
    for a, b in zip(one.coefs_, many.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_size_alone_decides_about_the_compiler():
    script = """
import sys
import numpy as np
from skgrad import MLPClassifier
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 6))
y = X[:, 0] > 0
clf = MLPClassifier((8,), batch_size=50, max_iter=3, random_state=0)
before = clf.fit(X, y).coefs_[0]
assert "numba" not in sys.modules
import numba
assert (clf.fit(X, y).coefs_[0] == before).all()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
