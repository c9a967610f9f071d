"""Images to learn from: splits that never change, their sources, and what is done to them on the way."""
