"""Whether this machine can run stages, found out by trying, and how to mend what cannot."""
