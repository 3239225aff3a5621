"""The same training step and the same sampling by each contender, one module a library.

`train_step` and `sampler` return `Work` for a worker of `benchmarks._workers`.
"""
