"""How fast the queue is, beside stock arq on the same servers in the same run."""
