"""Adam's relatives: PyTorch's numbers, decay, and the steps that tell them from Adam."""

import numpy as np
import pytest
from problems import Variant, make_objective
from sklearn.datasets import load_iris
from tolerances import arithmetic

from skgrad import LogisticRegression, MLPClassifier
from skgrad._kernels.formulas import nesterov_shares
from skgrad.losses import Logistic
from skgrad.penalties import L2
from skgrad.solvers import (
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    IncompatibleSolverError,
    Nadam,
)

START = np.array([0.3, -0.2, 0.1])
GRADIENTS = np.array([[1.0, -2.0, 0.5], [-3.0, 1.0, 0.25], [0.5, 0.5, -4.0]])
MEMORY = {"beta_1": 0.6, "beta_2": 0.7, "epsilon": 0.01}
# Parameters after steps of length 0.1 along these gradients, by torch.optim 2.13 in float64 with
# the same hyper-parameters.
TORCH = [
    (
        Adadelta(rho=0.7, epsilon=0.01),
        [
            [0.2820394697973225, -0.18181818181818182, 0.08285014148574912],
            [0.3066666052789959, -0.1949785159529319, 0.07081700473382539],
            [0.300248019627616, -0.20289547965498117, 0.09680901983667227],
        ],
    ),
    (
        Adamax(**MEMORY),
        [
            [0.20099009900990097, -0.10049751243781094, 0.001960784313725497],
            [0.25082398605309036, -0.09161336176261549, -0.09432773109243699],
            [0.2735858197851594, -0.11129836034322349, -0.047633242823313875],
        ],
    ),
    (
        Nadam(**MEMORY, momentum_decay=0.3),
        [
            [0.18756928073329227, -0.08700992392102008, -0.011328457313112553],
            [0.2959352806207425, -0.13607118133861504, -0.07944933020087805],
            [0.2828676589093787, -0.1707398342185654, 0.04173863055556459],
        ],
    ),
    (
        AMSGrad(**MEMORY),
        [
            [0.20099009900990097, -0.10049751243781094, 0.001960784313725497],
            [0.2635240006481161, -0.09240129034186856, -0.08540015419599753],
            [0.28620432616865904, -0.1066415507691895, -0.016735714643048474],
        ],
    ),
    (
        AdamW(**MEMORY, weight_decay=0.2),
        [
            [0.19499009900990097, -0.09649751243781093, -3.921568627450467e-05],
            [0.2536241986679181, -0.08626241101970053, -0.08960972668032667],
            [0.27515234847134745, -0.10121162282512489, -0.019153092593771084],
        ],
    ),
]


@pytest.mark.parametrize(("solver", "expected"), TORCH, ids=lambda value: type(value).__name__)
def test_updates_are_those_of_torch(solver, expected):
    w, moments = START, solver.init_moments(START)
    for t, (gradient, point) in enumerate(zip(GRADIENTS, expected, strict=True), 1):
        w = w * (1.0 - 0.1 * solver.weight_decay)
        displacement, _, moments = solver.update(gradient, moments, t, 0.1)
        w = w + displacement
        np.testing.assert_allclose(w, point, rtol=arithmetic("float64"))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_the_product_of_momenta_is_cut_where_it_no_longer_counts(beta):
    momenta = beta * (1.0 - 0.5 * 0.96 ** (0.004 * np.arange(1, 5002)))
    products = np.cumprod(momenta)
    for t in [1, 2, 30, 46, 47, 300, 5000]:
        own, ahead = nesterov_shares(beta, 0.004, t)
        assert own == pytest.approx((1 - momenta[t - 1]) / (1 - products[t - 1]), rel=1e-14)
        assert ahead == pytest.approx(momenta[t] / (1 - products[t]), rel=1e-14)


def test_amsgrad_converges_where_adam_runs_the_wrong_way():
    # Reddi et al., section 3: f_t(w) = C w for t mod 3 = 1, else -w, on [-1, 1]; the best is -1.
    ends = []
    for kind in [Adam, AMSGrad]:
        C = 4.0
        solver = kind(beta_1=0.0, beta_2=1.0 / (1.0 + C**2), epsilon=1e-12)
        w = np.zeros(1)
        moments = solver.init_moments(w)
        for t in range(1, 6001):
            gradient = np.array([C if t % 3 == 1 else -1.0])
            displacement, _, moments = solver.update(gradient, moments, t, 0.5 / np.sqrt(t))
            w = np.clip(w + displacement, -1.0, 1.0)
        ends.append(float(w[0]))
    assert ends[0] > 0.9
    assert ends[1] < -0.9


def test_adamax_takes_no_step_longer_than_its_rate_without_momentum(rng):
    solver = Adamax(beta_1=0.0)
    moments = solver.init_moments(np.zeros(5))
    for t in range(1, 50):
        gradient = rng.standard_t(1, size=5)
        displacement, _, moments = solver.update(gradient, moments, t, 0.1)
        assert np.abs(displacement).max() <= 0.1


def test_adadelta_does_not_care_about_the_unit_of_the_loss(rng):
    # Up to epsilon: gradients a thousand times as large give the same steps.
    gradients = rng.normal(size=(20, 3)) + 1.0
    steps = []
    for unit in [1.0, 1e3]:
        solver = Adadelta(epsilon=1e-12)
        moments, total = solver.init_moments(np.zeros(3)), np.zeros(3)
        for t, gradient in enumerate(gradients, 1):
            displacement, _, moments = solver.update(unit * gradient, moments, t, 1.0)
            total += displacement
        steps.append(total)
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_adamw_is_adam_with_decay():
    X, y = load_iris(return_X_y=True)
    fits = [
        MLPClassifier((8,), solver=solver, max_iter=5, random_state=0, dtype="float64").fit(X, y)
        for solver in [AdamW(0.01), Adam(0.01, weight_decay=0.01), Adam(0.01)]
    ]
    for one, other, without in zip(*(fit.coefs_ for fit in fits), strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one != without).any()


def test_adamw_refuses_linear_models_in_a_sentence():
    objective = make_objective(Logistic(), L2(0.1), Variant())
    with pytest.raises(IncompatibleSolverError, match=r"a network of layers.*Use .*Adam,"):
        AdamW().run(objective, objective.start())
    with pytest.raises(ValueError, match=r"AdamW needs a network.*the model is linear"):
        LogisticRegression(solver="adamw").fit(*load_iris(return_X_y=True))
