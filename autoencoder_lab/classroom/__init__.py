"""What a notebook needs and a script does not: set-up, predictions that are kept, quizzes, hints, sound, source.

Everything here works without a front end too: in a script, under nbclient and under nbval nothing blocks or raises.

Size: at most 560 lines of code, 190 a file.
"""

from autoencoder_lab.classroom.exercise_help import hint, solution
from autoencoder_lab.classroom.lab_data import own_collection, own_images
from autoencoder_lab.classroom.prediction import Calibration, calibration, outcome, predict
from autoencoder_lab.classroom.questions import quiz
from autoencoder_lab.classroom.session import setup
from autoencoder_lab.classroom.sound import listen
from autoencoder_lab.classroom.source import show_source
from autoencoder_lab.classroom.statements import holds

__all__ = [
    "Calibration",
    "calibration",
    "hint",
    "holds",
    "listen",
    "outcome",
    "own_collection",
    "own_images",
    "predict",
    "quiz",
    "setup",
    "show_source",
    "solution",
]
