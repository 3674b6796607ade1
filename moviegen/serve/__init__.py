"""The web page of the products: the same code as the commands, behind a queue, on this machine alone."""
