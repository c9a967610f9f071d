"""Grading untrusted notebooks: probe in a sandbox, judge outside. Linux only where it isolates.

sandbox.py starts and proves the isolation, inside/ is what runs in there, submission.py reads what students hand in.
"""
