"""The container engine of a machine: what it can do, its images, and the GPUs it may hand out."""
