"""What `spark-submit` runs: the `moviegen` command."""

import sys

from moviegen.cli import main

if __name__ == "__main__":
    sys.exit(main())
