"""The workload `lookup`: wide rows read by key, handed out in chunks, delivered in the order of the keys."""
