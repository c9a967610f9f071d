"""What ships trained, and where it lies.

Size: at most 80 lines of code.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
