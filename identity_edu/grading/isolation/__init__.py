"""Execute one submission and grade it, without trusting a byte of it.

Three kinds of process. A *launcher*, warmed up and ignorant, forks the other two. An
*examiner* reads one task, runs the given, check and hidden cells, and calls the
student's functions by proxies. A *student* process joins the namespaces that
bubblewrap made, gives up every right, and runs the student's cells; it knows nothing
but the released notebook and the arguments of the calls. Between examiner and student
pass frames of plain data.

Modules: `wire` (the frames), `sandbox` (bubblewrap's namespaces), `confine` and
`seccomp` (what a student process gives up), `cell` (run one cell, keep what it shows),
`student` (the loop inside), `session` (the same from outside, with restarts),
`examiner`, `merge` (a submission laid over the released notebook), `launcher`,
`task` and `grade_one` (the door).
"""
