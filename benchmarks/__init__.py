"""Measurements that take minutes: python -m benchmarks NAME. No tests, for they depend on the machine."""
