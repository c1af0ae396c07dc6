"""What a person writes: one model per section of a spec, and how a file becomes one."""
