"""The loops of distillation: draws, one step, one outer loop, and the parts they are made of."""
