"""Graded labs: handing out, running untrusted notebooks, marking, feedback, export. Isolation needs Linux.

lab_source.py makes a lab's notebooks from its text; folders.py says where everything lies. submission.py finds what
students hand in, in folders and archives (class_folder.py, containers.py, names.py, manifest.py; reading.py opens a
file), and notebook_file.py reads its cells; assembling.py puts them into the release. sandbox.py runs it: walls.py
keeps it in, with control_group.py and step_down.py, inside/ runs in there, and running.py says which cells. judge.py
and first_weights.py are what judges are made of, grade.py grades one submission, whole_class.py a class with the
processes of workers.py; dependencies.py and project_names.py say what code a mark rests on. gradebook.py, totals.py,
feedback.py, pictures.py, export.py, notes.py and report.py take the results on; inert.py keeps students' text from
acting; platforms/ has the learning platforms' own forms.
commands/grading.py joins them for the command line.

Size: at most 3,900 lines of code, 300 a file.
"""
