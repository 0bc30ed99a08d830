"""Effects of columns on the response, and of parameters on the loss."""

from skgrad.inspection.effects.loss import loss_sensitivity
from skgrad.inspection.effects.marginal import average_marginal_effects

__all__ = ["average_marginal_effects", "loss_sensitivity"]
