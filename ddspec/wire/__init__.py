"""The contract between planner and runners: works, the schedule, jobs, events and results."""
