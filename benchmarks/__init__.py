"""Measurements that a claim about speed rests on."""
