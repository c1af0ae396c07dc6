"""Which real images stand for a class: chosen by a network that was trained on all of them."""
