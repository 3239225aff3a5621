"""Words of memory that several threads read and write at once, in compiled code."""

from typing import Any

from tinygrad_rnn.kernels.simd import INDEX, Value, intrinsic, types


def _changing(operation: str, document: str) -> Any:
    """`change(address, number)` by one of LLVM's operations on a word; returns what it was."""

    def change(typing_context: Any, address: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            pointer = builder.inttoptr(values[0], INDEX.as_pointer())
            return builder.atomic_rmw(operation, pointer, values[1], "seq_cst")

        return types.intp(types.intp, types.intp), generate

    change.__name__ = f"atomic_{operation}"
    change.__doc__ = document
    return intrinsic(change)


atomic_add = _changing("add", "Add to a word that other threads see, and return what it was.")
atomic_exchange = _changing("xchg", "Put a number into such a word, and return what it was.")


@intrinsic
def atomic_load(typing_context: Any, address: Any) -> Any:
    """Read a word, and with it all that was written before it was stored."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        pointer = builder.inttoptr(values[0], INDEX.as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.intp(types.intp), generate


@intrinsic
def atomic_store(typing_context: Any, address: Any, number: Any) -> Any:
    """Write a word after all that was written before."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        pointer = builder.inttoptr(values[0], INDEX.as_pointer())
        builder.store_atomic(values[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate
