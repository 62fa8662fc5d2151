"""Release, grade and return the assignments of the course.

Students' code is executed by `isolation` alone. nbgrader is imported by the modules
that need it, never by ``import identity_edu``.

From a folder to marks: `submissions` finds what was handed in, `exam` holds what it is
graded by, `plan` says what is left to do, `pool` and `marking` grade many at once into
the result files of `store`, `register` writes them into the `gradebook`. `batch` is all
of that in one call, `regrade` the same with a look before anything changes.

Back to persons: `records` (scores and their table), `feedback` and `page` (what
students get), `handback`. Around it: `release` and `bundle` (solutions/ to what
students open), `secret`, `plugin` (nbgrader's own commands), `demo` (all of it on
made-up students); `cells`, `runner` and `wrong_answers` serve the tests of the
assignments.
"""
