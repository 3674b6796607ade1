"""What `benchmarks/peers.py` is made of: the corpus, the meter, how each tool is called, what it wrote."""
