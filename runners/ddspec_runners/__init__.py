"""Dataset distillation as a reviewed plan."""
