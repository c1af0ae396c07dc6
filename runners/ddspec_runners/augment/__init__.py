"""Augmentation: draws are explicit, application is pure and differentiable."""
