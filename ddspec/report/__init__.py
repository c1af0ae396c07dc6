"""One self-contained page about an experiment: what was asked, what ran, what came out of it."""
