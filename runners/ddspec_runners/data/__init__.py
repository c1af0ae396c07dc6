"""Datasets: readers, prepared splits, batch queues."""
