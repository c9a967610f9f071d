"""Graded labs: handing out, running untrusted notebooks, marking, feedback, export. Isolation needs Linux.

lab_source.py makes a lab's notebooks from its text; folders.py says where everything lies. submission.py reads what
students hand in (reading.py opens it). sandbox.py runs it: walls.py keeps it in, with control_group.py and
step_down.py, and inside/ runs in there. judge.py and first_weights.py are what judges are made of, grade.py grades one
submission, and a class with the processes of workers.py. gradebook.py, feedback.py, export.py and report.py take the
results on; inert.py keeps students' text from acting. commands/grading.py joins them for the command line.

Size: at most 2,400 lines of code, 300 a file.
"""
