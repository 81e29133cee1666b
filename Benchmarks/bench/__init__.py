"""The parts of the benchmark: scenarios, the running stack, figures, counting, the report."""
