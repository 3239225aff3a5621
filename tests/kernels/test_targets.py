"""The same kernels for other CPUs, and the instructions they become on this one."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from tinygrad_rnn import kernels
from tinygrad_rnn.kernels import activations
from tinygrad_rnn.kernels.gemm import gemm_task
from tinygrad_rnn.kernels.simd import host

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
AVX2 = "+avx,+avx2,+fma,+sse4.2,+sse4.1,+ssse3,+sse3,+popcnt,+bmi,+bmi2"
TARGETS = {
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "plain": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "generic": {"NUMBA_CPU_NAME": "generic"},
}
EXPECTED = {"AVX2": (256, True), "plain": (128, False), "generic": (128, False)}

NARROW = """
import sys
import numba
import numpy as np
from tinygrad_rnn import kernels
from tinygrad_rnn.kernels import gemm
from tinygrad_rnn.kernels.activations import map_task
from tinygrad_rnn.kernels.gemm import matmul_packed, pack
from tinygrad_rnn.kernels.simd import host
generator = np.random.default_rng(0)
gemm.THREADED_PRODUCTS = 1000
SHAPES = (1, 70, 65), (2, 33, 130), (7, 65, 29), (33, 127, 70), (40, 530, 33), (0, 3, 2)
for dtype, tolerance in ((np.float32, 1e-3), (np.float64, 1e-11)):
    for m, k, n in SHAPES:
        a = generator.standard_normal((m, k)).astype(dtype)
        for b in (generator.standard_normal((k, n)), generator.standard_normal((n, k)).T):
            b = b.astype(dtype, order="K")
            c = kernels.matmul(a, b)
            assert np.allclose(c, a @ b, rtol=tolerance, atol=tolerance)
            assert np.array_equal(kernels.matmul(np.asfortranarray(a), b), c)
            if m > 1 or b.flags.c_contiguous:
                assert np.array_equal(matmul_packed(a, pack(b)), c)
            if m and b.flags.c_contiguous:
                assert np.array_equal(kernels.matmul(a[-1:], b), c[-1:])
            before = kernels.get_num_threads()
            kernels.set_num_threads(1)
            assert np.array_equal(kernels.matmul(a, b), c)
            kernels.set_num_threads(before)
    x = np.concatenate([generator.uniform(-30, 30, 2001), [0, -0.0, np.inf, -np.inf, np.nan]])
    x = x.astype(dtype)
    wide = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        exact = {"exp": np.exp(wide), "tanh": np.tanh(wide), "sigmoid": 1 / (1 + np.exp(-wide))}
    for name, expected in exact.items():
        result = getattr(kernels, name)(x)
        expected = expected.astype(dtype)
        limit = 5 * np.finfo(dtype).eps
        assert np.allclose(result, expected, rtol=limit, atol=0, equal_nan=True), name
        assert np.array_equal(getattr(kernels, name)(x[1:]), result[1:], equal_nan=True)
    scores = kernels.softmax(x[:2000].reshape(40, 50), 1)
    assert np.allclose(scores.sum(1), 1)
    assert np.allclose(np.log(scores), kernels.log_softmax(x[:2000].reshape(40, 50), 1), atol=1e-4)
    out = np.empty(101, dtype)
    kernels.fill_uniform(out, 3, 4)
    print(out[-1])
kernel = map_task("tanh", "float32")
dispatcher = numba.njit(kernel._function)  # compiled here, as code from the cache shows no text
dispatcher.compile("void(intp, intp, intp)")
text = "".join(dispatcher.inspect_asm().values())
print(host().bits, host().has_fma, *(word in text for word in ("zmm", "ymm", "vfmadd", "fmaf")))
"""


@pytest.mark.skipif(not IS_X86, reason="these names are x86 targets")
@pytest.mark.parametrize("target", TARGETS)
def test_narrower_cpus(target):
    """Wrong if tiles, transposes or tails were right for this machine's vectors only."""
    environment = dict(os.environ, **TARGETS[target])
    if target == "AVX2" and host().bits < 256:
        pytest.skip("this CPU has no AVX2")
    run = subprocess.run(
        [sys.executable, "-c", NARROW], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    first, second, last = run.stdout.splitlines()
    bits, has_fma = EXPECTED[target]
    wide = target == "AVX2"
    assert last.split() == [str(v) for v in (bits, has_fma, False, wide, wide, False)]
    for text, dtype in ((first, np.float32), (second, np.float64)):
        out = np.empty(101, dtype)
        kernels.fill_uniform(out, 3, 4)
        assert dtype(text) == out[-1]


COMPILED_STEPS = ("test_fused.py", "test_random.py", "test_reductions.py", "test_rows.py")


@pytest.mark.skipif(not IS_X86, reason="these names are x86 targets")
@pytest.mark.parametrize("target", ["AVX2", "plain"])
def test_compiled_steps_on_narrower_cpus(target):
    """Wrong if the kernels of compiled steps were right for this machine's vectors only."""
    if target == "AVX2" and host().bits < 256:
        pytest.skip("this CPU has no AVX2")
    files = [str(Path(__file__).with_name(name)) for name in COMPILED_STEPS]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files],
        env=dict(os.environ, **TARGETS[target]),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def assembly_of(kernel):
    """The kernel's machine code as text, compiled here: code from the cache shows none."""
    dispatcher = numba.njit(**kernel._options)(kernel._function)
    dispatcher.compile("void(intp, intp, intp)")
    (text,) = dispatcher.inspect_asm().values()
    return text


def inner_loop(assembly, label):
    """The part of a function from its label to its end."""
    start = assembly.index(f"\n{label}:")
    return assembly[start : assembly.index(".Lfunc_end", start)]


@pytest.mark.skipif(not IS_X86 or host().bits < 256, reason="no wide vectors here")
def test_the_whole_vector_width_is_used():
    """Wrong if LLVM narrowed the vectors, spilled the sums, or called a library in a loop."""
    register = {512: "zmm", 256: "ymm"}[host().bits]
    tile = {512: "tile_float32_12x2x1", 256: "tile_float32_6x2x1"}[host().bits]
    body = inner_loop(assembly_of(gemm_task("float32")), tile)
    fused = re.findall(rf"vfmadd\w+\s.*%{register}", body)
    rows = int(tile.split("_")[2].split("x")[0])
    assert len(fused) >= 2 * rows
    assert not re.findall(rf"%{register}\d+, -?\d*\(%rsp", body)
    for name in ("tanh", "exp", "sigmoid"):
        assembly = assembly_of(activations.map_task(name, "float32"))
        assert re.search(rf"vfmadd\w+\s.*%{register}", assembly)
        assert not re.search(r"call\w*\s+.*(expf|tanhf|fmaf)", assembly)
