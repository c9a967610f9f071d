"""nbgrader's settings for this course: run `jupyter lab` or `nbgrader` in this folder and they are used."""

from autoencoder_lab.grading.inert import configure

c = get_config()  # noqa: F821  # nbgrader puts it there
c.CourseDirectory.course_id = "autoencoder_lab"
configure(c)
