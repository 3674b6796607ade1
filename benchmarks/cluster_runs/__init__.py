"""What `benchmarks/cluster.py` is made of besides the command typed by hand."""
