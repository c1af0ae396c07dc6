"""The compiler; pure."""
