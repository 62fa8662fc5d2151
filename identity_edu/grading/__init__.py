"""Release, autograde and return the assignments of the course.

The one door to how a submission is executed is `executor.autograde_assignment`:
today it runs nbgrader as it is, and nothing else in the package knows. nbgrader is
imported by the modules that need it, never by ``import identity_edu``.

Modules: `release` (solutions/ to exercises/), `executor`, `feedback`, `records`
(scores out of the gradebook), `grade` (these three in one command), `demo` (all of it
on made-up students); `cells`, `runner` and `wrong_answers` serve the tests of the
assignments.
"""
