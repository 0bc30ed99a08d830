"""Hyper-parameters: what all objects that have them share."""

import pytest
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression
from skgrad.augmentation import AUGMENTATIONS
from skgrad.losses import LOSSES, Huber, get_loss
from skgrad.models.network import ACTIVATIONS, INITIALIZERS
from skgrad.penalties import L1, L2, ElasticNet, NonNegative, NoPenalty
from skgrad.schedules import SCHEDULES
from skgrad.solvers import SOLVERS, Adam, get_solver

ESTIMATORS = [LinearRegression, LogisticRegression, LinearSVC, LinearSVR]
PENALTIES = [L1, L2, ElasticNet, NonNegative, NoPenalty]
REGISTRIES = [LOSSES, SCHEDULES, SOLVERS, ACTIVATIONS, INITIALIZERS, AUGMENTATIONS]
ALL = [*ESTIMATORS, *PENALTIES, *(kind for registry in REGISTRIES for kind in registry.values())]


@pytest.mark.parametrize("kind", ALL)
def test_defaults_are_valid_and_every_parameter_has_a_constraint(kind):
    params = kind().get_params(deep=False)
    constraints = kind._all_constraints()
    assert constraints.keys() >= params.keys()
    validate_parameter_constraints(constraints, params, kind.__name__)


def test_nested_objects_are_validated():
    with pytest.raises(InvalidParameterError, match="'beta_1' parameter of Adam"):
        LinearRegression(solver=Adam(beta_1=2.0)).validate()
    with pytest.raises(InvalidParameterError, match="'delta' parameter of Huber"):
        LinearRegression(loss=Huber(delta=-1.0)).validate()


def test_a_changed_default_is_validated():
    adam = Adam()
    adam.validate()
    with pytest.raises(InvalidParameterError, match="'epsilon' parameter of Adam"):
        adam.set_params(epsilon=0.0).validate()


def test_names_that_other_packages_register_are_known(tmp_path, monkeypatch):
    """An installed package's metadata are a folder beside it on the path."""
    (tmp_path / "plugged.py").write_text(
        "from skgrad.solvers import LBFGS\n"
        "from skgrad.losses import Huber\n"
        "class Slow(LBFGS):\n    name = 'slow'\n"
        "class Robust(Huber):\n    name = 'robust'\n"
    )
    metadata = tmp_path / "plugged-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: plugged\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[skgrad.solvers]\nslow = plugged:Slow\n[skgrad.losses]\nrobust = plugged:Robust\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert type(get_solver("slow")).__name__ == "Slow"
    assert type(get_loss("robust")).__name__ == "Robust"
    with pytest.raises(ValueError, match="slower"):
        get_solver("slower")
