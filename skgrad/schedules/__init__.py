"""Schedules: how the learning rate changes as training goes on."""

from numbers import Real

from skgrad._parameters import unknown_name
from skgrad.schedules._base import Rate, Schedule
from skgrad.schedules.decays import Constant, Exponential, InverseScaling, StepDecay
from skgrad.schedules.reduce_on_plateau import ReduceOnPlateau
from skgrad.schedules.waves import Cosine, CosLog, OneCycle, WarmRestarts

__all__ = [
    "SCHEDULES",
    "Constant",
    "CosLog",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "WarmRestarts",
    "get_schedule",
]


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "inverse_scaling": InverseScaling,
    "step_decay": StepDecay,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "warm_restarts": WarmRestarts,
    "coslog": CosLog,
    "reduce_on_plateau": ReduceOnPlateau,
}


def get_schedule(schedule: Rate | Schedule) -> Schedule:
    """Turn a number or a name into a schedule; a schedule object is checked and kept.

    Parameters
    ----------
    schedule : float, str or Schedule
        A constant rate; "auto", for a constant rate that the solver finds; a key of
        `SCHEDULES`, with its default parameters; or an object.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        If the name is unknown, with the known ones and the closest match, or a parameter is
        out of range.

    Examples
    --------
    >>> from skgrad.schedules import get_schedule
    >>> get_schedule(0.1)
    Constant(initial=0.1)
    >>> get_schedule("cosine")
    Cosine()
    """
    result: Schedule
    if isinstance(schedule, Schedule):
        result = schedule
    elif isinstance(schedule, str) and schedule in SCHEDULES:
        result = SCHEDULES[schedule]()
    elif schedule == "auto" or (isinstance(schedule, Real) and not isinstance(schedule, bool)):
        result = Constant(schedule)
    else:
        alternatives = "a number, 'auto', a Schedule object"
        raise unknown_name("learning rate schedule", schedule, SCHEDULES, alternatives)
    result.validate()
    return result
