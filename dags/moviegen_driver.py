"""What `spark-submit` runs: the `moviegen` command, for as long as `spark-submit` and the task that started it live."""

import os
import select
import signal
import sys
import threading

from moviegen.cli import main

TASK = "MOVIEGEN_TASK_PID"


def end_with(*processes: int) -> None:
    """From now on SIGTERM comes when one of these processes ends, however it ends: the command saves what it has, and the next try
    finds the lake free. Raises ProcessLookupError when one has ended already."""
    handles = [os.pidfd_open(process) for process in processes]

    def wait() -> None:
        select.select(handles, [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with(os.getppid(), int(os.environ[TASK]))
    sys.exit(main())
