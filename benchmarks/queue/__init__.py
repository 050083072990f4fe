"""The speed of the queue next to stock arq, on the same servers in the same run."""
