"""A Dask cluster grades as one machine does, also when it loses a worker."""

import json
import os
import signal
import threading
import time

import pytest
from courses import NAME, PAIRS, copy_course, hand_in, small

from identity_edu.grading.batch import grade_assignment
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.marking import Options
from identity_edu.grading.store import results_folder

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

LEVEL = "rlimits" if isolation_problem("bubblewrap") else "bubblewrap"
N_STUDENTS = 12


@pytest.fixture
def cluster():
    """Start two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster


def kill_one_when_it_works(cluster, folder, killed):
    """Kill a worker after the first result, while it grades the next."""
    end = time.monotonic() + 300
    while not list(folder.glob("*/*.json")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    worker = next(iter(cluster.workers.values()))
    os.kill(worker.pid, signal.SIGKILL)
    killed.append(worker.pid)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Dask, about its own workers
def test_a_cluster_that_loses_a_worker_grades_everything_once(cluster, tmp_path):
    course = copy_course(tmp_path)
    for i in range(N_STUDENTS):
        source = f"import time\ntime.sleep(1)\na = {i % 2}"
        cells = [released for _, released in PAIRS]
        cells = [
            c | {"source": source} if c["id"] == "one-answer" else c for c in cells
        ]
        hand_in(course, f"s{i:02}", json.dumps(small.notebook(cells)))
    killed = []
    arguments = (cluster, results_folder(course, NAME), killed)
    thread = threading.Thread(target=kill_one_when_it_works, args=arguments)
    thread.start()
    options = Options(scheduler=cluster.scheduler_address, isolation=LEVEL)
    tallies = []
    graded = grade_assignment(
        course, NAME, options=options, report=lambda t: tallies.append(t.n_done)
    )
    thread.join()
    assert killed
    assert tallies[-1] == N_STUDENTS
    assert graded.is_complete, graded.failed
    totals = {record.student: record.total for record in graded.records}
    assert totals == {f"s{i:02}": 3.0 * (i % 2) for i in range(N_STUDENTS)}
    assert len(list(results_folder(course, NAME).glob("*/*.json"))) == N_STUDENTS
    assert {result.isolation for result in graded.results.values()} == {LEVEL}
    assert grade_assignment(course, NAME).changed == []
