#!/usr/bin/env python3
"""Prints the GPUs of this machine as Spark's discovery scripts do: {"name": "gpu", "addresses": ["0", "1"]}.

A worker: SPARK_WORKER_OPTS="-Dspark.worker.resource.gpu.amount=2 -Dspark.worker.resource.gpu.discoveryScript=/path/find_gpus.py"
YARN, Kubernetes: --spark.options "{spark.executor.resource.gpu.discoveryScript: /path/find_gpus.py}"
"""

import json
import subprocess
import sys


def main() -> int:
    """Asks nvidia-smi; without one there is no GPU to offer, and Spark is to fail rather than to schedule on none."""
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"find_gpus: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"name": "gpu", "addresses": done.stdout.split()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
