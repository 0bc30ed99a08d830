"""Methods of attribution by gradients."""

from skgrad.inspection.methods._base import Explained, Method, Task
from skgrad.inspection.methods.additive import Expected, GradientTimesInput, Integrated
from skgrad.inspection.methods.slopes import Gradient, Loss, Smooth

METHODS: dict[str, type[Method]] = {
    cls.name: cls for cls in (Gradient, GradientTimesInput, Integrated, Expected, Smooth, Loss)
}

__all__ = ["METHODS", "Explained", "Method", "Task"]
