"""Execute one submission and grade it, without trusting a byte of it.

Three kinds of process. A *launcher*, warmed up and ignorant, forks the other two. An
*examiner* reads one task, runs the given, check and hidden cells, and calls the
student's functions by proxies. A *student* process joins the namespaces that
bubblewrap made, gives up every right, and runs the student's cells; it knows nothing
but the released notebook and the arguments of the calls. Between examiner and student
pass frames of plain data.

Inside: `sandbox` (bubblewrap's namespaces), `confine` and `seccomp` (what a student
process gives up), `student` (its loop). Outside: `session` (that process, with
restarts), `proxies` (its functions), `examiner`, `verdict` (points and reasons),
`notebook` (what people may read of it). For both: `wire` (the frames), `source` and
`cell` (one cell as Jupyter runs it). Before all of it, `reading` and `merge` lay a
submission over the released notebook. `task` and `grade_one` are the door, `launcher`
what stands behind it.
"""
