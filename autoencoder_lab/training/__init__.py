"""Training: one loop for every model, and what it needs. It knows nothing about any model or plot.

Size: at most 970 lines of code, 200 a file.
"""

from autoencoder_lab.training.device import pick_device
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.first_weights import draw_weights, is_fresh
from autoencoder_lab.training.history import History, TrainingDiverged
from autoencoder_lab.training.loop import fit
from autoencoder_lab.training.number_format import NumberFormat

__all__ = ["History", "NumberFormat", "TrainingDiverged", "draw_weights", "evaluate", "fit", "is_fresh", "pick_device"]
