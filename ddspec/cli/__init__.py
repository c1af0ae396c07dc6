"""One module per verb; one error boundary."""
