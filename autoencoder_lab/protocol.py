"""The few sentences by which notebooks, checks, `check` and `grade` know what is still untouched.

They are written into notebooks and read back out of them, so each stands here once. This module imports nothing: the
sandbox and the commands that start without torch read it too.
"""

NOT_DONE = "not done yet"
"""What a check prints, among other words, for a stub that returns None."""

CODE_STUB = "...  # your code here"
"""What stands in place of a solution in code."""

TEXT_STUB = "*Your answer here.*"
"""What stands in place of a model answer in a text cell."""

PLACEHOLDER = "your-id"
"""The id in a lab that no student has put an own one for."""
