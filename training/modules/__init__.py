"""Lightning modules: one for each kind of network. Nothing of a network's own lies here."""
