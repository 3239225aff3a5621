"""Bad input of layers, losses, attention, containers and what modules offer."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import nn
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    OutOfRangeError,
    ShapeError,
    StateDictError,
    TinygradRnnError,
    UnsupportedError,
)
from tinygrad_rnn.nn import functional


def floats(*shape: int) -> tg.Tensor:
    return tg.ones(*(shape or (2, 3)))


def double(*shape: int) -> tg.Tensor:
    return tg.ones(*(shape or (2, 3)), dtype=tg.float64)


def whole(*shape: int) -> tg.Tensor:
    return tg.zeros(*(shape or (2, 3)), dtype=tg.int64)


def truths(*shape: int) -> tg.Tensor:
    return tg.ones(*(shape or (2, 3)), dtype=tg.bool)


def hooked(hook: Callable[..., Any], **settings: Any) -> Any:
    module = nn.Linear(3, 1)
    module.register_forward_pre_hook(hook, **settings)
    return module(floats())


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    return model


# What takes a prediction and a target of one shape, and a way to say "reduction".
PAIRS: dict[str, Callable[..., Any]] = {
    "mse_loss": functional.mse_loss,
    "l1_loss": functional.l1_loss,
    "huber_loss": functional.huber_loss,
    "smooth_l1_loss": functional.smooth_l1_loss,
    "binary_cross_entropy": functional.binary_cross_entropy,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "kl_div": functional.kl_div,
}


def of_pairs(name: str) -> list[Mistake]:
    loss = PAIRS[name]
    return [
        Mistake(name, "integers", lambda: loss(whole(), floats()), DtypeError, ("int64", name)),
        Mistake(
            name,
            "integer targets",
            lambda: loss(floats(), whole()),
            DtypeError,
            ("int64", ".float"),
        ),
        Mistake(name, "booleans", lambda: loss(floats(), truths()), DtypeError, ("bool",)),
        Mistake(
            name, "an array", lambda: loss(floats(), np.ones((2, 3))), DtypeError, ("ndarray",)
        ),
        Mistake(
            name,
            "two shapes",
            lambda: loss(floats(), floats(3)),
            ShapeError,
            ("(2, 3)", "(3,)", "reshape"),
        ),
        Mistake(
            name, "two types", lambda: loss(floats(), double()), DtypeError, ("float32", "float64")
        ),
        Mistake(
            name,
            "an unknown reduction",
            lambda: loss(floats(), floats(), reduction="max"),
            ArgumentError,
            ("'mean'", "'max'"),
        ),
    ]


ACTIVATIONS = [
    Mistake(f"functional.{name}", "integers", lambda f=f: f(whole()), DtypeError, ("int64",))
    for name, f in (
        ("softplus", functional.softplus),
        ("logsigmoid", functional.logsigmoid),
        ("gelu", functional.gelu),
        ("silu", functional.silu),
        ("leaky_relu", functional.leaky_relu),
        ("elu", functional.elu),
        ("hardtanh", functional.hardtanh),
        ("normalize", functional.normalize),
    )
]

LOSSES = [
    *[mistake for name in PAIRS for mistake in of_pairs(name)],
    Mistake(
        "huber_loss",
        "delta 0",
        lambda: functional.huber_loss(floats(), floats(), delta=0),
        ArgumentError,
        ("delta", "0"),
    ),
    Mistake(
        "smooth_l1_loss",
        "beta below 0",
        lambda: functional.smooth_l1_loss(floats(), floats(), beta=-1.0),
        ArgumentError,
        ("beta", "-1"),
    ),
    Mistake(
        "binary_cross_entropy",
        "numbers that are no probabilities",
        lambda: functional.binary_cross_entropy(floats() * 1.5, floats()),
        ArgumentError,
        ("1.5", "with_logits"),
    ),
    Mistake(
        "binary_cross_entropy",
        "a weight of another shape",
        lambda: functional.binary_cross_entropy(floats(), floats(), floats(2, 2, 3)),
        ShapeError,
        ("weight", "(2, 2, 3)", "(2, 3)"),
    ),
    Mistake(
        "binary_cross_entropy",
        "a number as weight",
        lambda: functional.binary_cross_entropy(floats(), floats(), 2.0),
        DtypeError,
        ("weight", "float"),
    ),
    Mistake(
        "binary_cross_entropy_with_logits",
        "a list as pos_weight",
        lambda: functional.binary_cross_entropy_with_logits(floats(), floats(), pos_weight=[1.0]),
        DtypeError,
        ("pos_weight", "list"),
    ),
    Mistake(
        "binary_cross_entropy_with_logits",
        "a pos_weight of another shape",
        lambda: functional.binary_cross_entropy_with_logits(
            floats(), floats(), pos_weight=floats(2)
        ),
        ShapeError,
        ("(2, 3)", "(2,)"),
    ),
    Mistake(
        "nll_loss",
        "integers",
        lambda: functional.nll_loss(whole(), whole(2)),
        DtypeError,
        ("int64",),
    ),
    Mistake(
        "nll_loss",
        "an array",
        lambda: functional.nll_loss(np.ones((2, 3)), whole(2)),
        DtypeError,
        ("ndarray",),
    ),
    Mistake(
        "nll_loss",
        "targets that are probabilities",
        lambda: functional.nll_loss(floats(), floats()),
        ShapeError,
        ("(2,)", "(2, 3)"),
    ),
    Mistake(
        "cross_entropy",
        "integer logits",
        lambda: functional.cross_entropy(whole(), whole(2)),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake(
        "cross_entropy",
        "a number",
        lambda: functional.cross_entropy(floats(1).sum(), whole(1).sum()),
        ShapeError,
        ("(N, C)",),
    ),
    Mistake(
        "cross_entropy",
        "boolean targets",
        lambda: functional.cross_entropy(floats(), truths(2)),
        DtypeError,
        ("bool", ".long()"),
    ),
    Mistake(
        "cross_entropy",
        "a list as weight",
        lambda: functional.cross_entropy(floats(), whole(2), [1.0] * 3),
        DtypeError,
        ("weight", "list"),
    ),
    Mistake(
        "cross_entropy",
        "an ignored probability",
        lambda: functional.cross_entropy(floats(), floats(), ignore_index=1),
        ArgumentError,
        ("ignore_index 1", "probabilities"),
    ),
    Mistake(
        "cross_entropy",
        "probabilities of another type",
        lambda: functional.cross_entropy(floats(), double()),
        DtypeError,
        ("float32", "float64"),
    ),
    Mistake(
        "cross_entropy",
        "no integer to ignore",
        lambda: functional.cross_entropy(floats(), whole(2), ignore_index=None),
        ArgumentError,
        ("ignore_index", "None"),
    ),
    Mistake(
        "cross_entropy",
        "text as smoothing",
        lambda: functional.cross_entropy(floats(), whole(2), label_smoothing="a"),
        ArgumentError,
        ("label_smoothing", "'a'"),
    ),
    Mistake(
        "cosine_embedding_loss",
        "one target for all",
        lambda: functional.cosine_embedding_loss(floats(), floats(), whole(1)),
        ShapeError,
        ("(2,)", "(1,)"),
    ),
    Mistake(
        "cosine_embedding_loss",
        "vectors of two lengths",
        lambda: functional.cosine_embedding_loss(floats(2, 3), floats(2, 4), whole(2)),
        ShapeError,
        ("(2, 3)", "(2, 4)"),
    ),
    Mistake(
        "triplet_margin_loss",
        "another shape",
        lambda: functional.triplet_margin_loss(floats(), floats(), floats(2, 4)),
        ShapeError,
        ("(2, 3)", "(2, 4)"),
    ),
    Mistake(
        "triplet_margin_loss",
        "integers",
        lambda: functional.triplet_margin_loss(floats(), whole(), floats()),
        DtypeError,
        ("int64",),
    ),
    *[
        Mistake(
            kind.__name__,
            "an unknown reduction",
            lambda kind=kind: kind(reduction="max"),
            ArgumentError,
            ("'mean'", "'max'"),
        )
        for kind in (
            nn.CrossEntropyLoss,
            nn.NLLLoss,
            nn.MSELoss,
            nn.L1Loss,
            nn.HuberLoss,
            nn.SmoothL1Loss,
            nn.BCELoss,
            nn.BCEWithLogitsLoss,
            nn.KLDivLoss,
            nn.CosineEmbeddingLoss,
            nn.TripletMarginLoss,
        )
    ],
    Mistake(
        "MSELoss",
        "the old size_average",
        lambda: nn.MSELoss(False),
        ArgumentError,
        ("'sum'", "False"),
    ),
    Mistake(
        "CrossEntropyLoss",
        "a list as weight",
        lambda: nn.CrossEntropyLoss([1.0]),
        ArgumentError,
        ("weight", "list"),
    ),
]

FUNCTIONS = [
    *ACTIVATIONS,
    Mistake(
        "functional.softplus",
        "beta 0",
        lambda: functional.softplus(floats(), 0.0),
        ArgumentError,
        ("beta",),
    ),
    Mistake(
        "functional.softplus",
        "text",
        lambda: functional.softplus(floats(), "a"),
        ArgumentError,
        ("beta", "'a'"),
    ),
    Mistake(
        "functional.hardtanh",
        "limits in the wrong order",
        lambda: functional.hardtanh(floats(), 1.0, -1.0),
        ArgumentError,
        ("1.0", "-1.0"),
    ),
    Mistake(
        "functional.leaky_relu",
        "a tensor as slope",
        lambda: functional.leaky_relu(floats(), floats()),
        ArgumentError,
        ("negative_slope",),
    ),
    Mistake(
        "functional.elu", "an array", lambda: functional.elu(np.ones(2)), DtypeError, ("ndarray",)
    ),
    Mistake(
        "functional.cosine_similarity",
        "integers",
        lambda: functional.cosine_similarity(whole(), whole()),
        DtypeError,
        ("int64",),
    ),
    Mistake(
        "functional.cosine_similarity",
        "an axis that is not there",
        lambda: functional.cosine_similarity(floats(2), floats(2)),
        OutOfRangeError,
        ("1",),
    ),
    Mistake(
        "functional.pairwise_distance",
        "two types",
        lambda: functional.pairwise_distance(floats(), double()),
        DtypeError,
        ("float32", "float64"),
    ),
    Mistake(
        "functional.pairwise_distance",
        "shapes that do not broadcast",
        lambda: functional.pairwise_distance(floats(2, 3), floats(2, 4)),
        ShapeError,
        ("(2, 3)", "(2, 4)"),
    ),
    Mistake(
        "functional.layer_norm",
        "another shape",
        lambda: functional.layer_norm(floats(), 4),
        ShapeError,
        ("(..., 4)", "(2, 3)"),
    ),
    Mistake(
        "functional.layer_norm",
        "no axes",
        lambda: functional.layer_norm(floats(), ()),
        ShapeError,
        ("()",),
    ),
    Mistake(
        "functional.layer_norm",
        "text as shape",
        lambda: functional.layer_norm(floats(), "ab"),
        TinygradRnnError,
    ),
    Mistake(
        "functional.layer_norm",
        "integers",
        lambda: functional.layer_norm(whole(), 3),
        DtypeError,
        ("int64",),
    ),
    Mistake(
        "functional.layer_norm",
        "a gain of another shape",
        lambda: functional.layer_norm(floats(), 3, floats(2)),
        ShapeError,
        ("weight", "(3,)", "(2,)"),
    ),
    Mistake(
        "functional.layer_norm",
        "a bias of another type",
        lambda: functional.layer_norm(floats(), 3, None, double(3)),
        DtypeError,
        ("bias", "float64"),
    ),
    Mistake(
        "functional.layer_norm",
        "eps below 0",
        lambda: functional.layer_norm(floats(), 3, eps=-1.0),
        ArgumentError,
        ("eps",),
    ),
    Mistake("LayerNorm", "no length", lambda: nn.LayerNorm(0), ArgumentError, ("0",)),
    Mistake("LayerNorm", "no axes", lambda: nn.LayerNorm(()), ArgumentError, ("()",)),
    Mistake("LayerNorm", "half a length", lambda: nn.LayerNorm(1.5), ArgumentError, ("1.5",)),
    Mistake(
        "LayerNorm", "another length", lambda: nn.LayerNorm(4)(floats()), ShapeError, ("(2, 3)",)
    ),
    Mistake(
        "LayerNorm",
        "another type",
        lambda: nn.LayerNorm(3)(double()),
        DtypeError,
        ("float64", ".to("),
    ),
    Mistake(
        "functional.linear",
        "an array",
        lambda: functional.linear(np.ones((2, 3)), floats()),
        DtypeError,
        ("ndarray",),
    ),
    Mistake(
        "functional.dropout",
        "an array",
        lambda: functional.dropout(np.ones(2)),
        DtypeError,
        ("ndarray",),
    ),
    Mistake(
        "functional.pad",
        "another mode",
        lambda: functional.pad(floats(), (1, 1), "reflect"),
        UnsupportedError,
        ("'reflect'", "cat"),
    ),
    Mistake(
        "functional.pad",
        "text as value",
        lambda: functional.pad(floats(), (1, 1), value="a"),
        ArgumentError,
        ("value",),
    ),
    Mistake(
        "functional.embedding",
        "a vector as table",
        lambda: functional.embedding(whole(), floats(3)),
        ShapeError,
        ("(3,)",),
    ),
    Mistake(
        "functional.embedding",
        "padding that is no row",
        lambda: functional.embedding(whole(), floats(), 7),
        ArgumentError,
        ("7", "2"),
    ),
    Mistake(
        "functional.embedding",
        "max_norm",
        lambda: functional.embedding(whole(), floats(), max_norm=1.0),
        UnsupportedError,
        ("max_norm", "no_grad"),
    ),
    Mistake(
        "Embedding",
        "max_norm",
        lambda: nn.Embedding(2, 3, max_norm=1.0),
        UnsupportedError,
        ("max_norm",),
    ),
    Mistake(
        "Embedding",
        "scale_grad_by_freq",
        lambda: nn.Embedding(2, 3, scale_grad_by_freq=True),
        UnsupportedError,
        ("scale_grad_by_freq",),
    ),
    Mistake(
        "Embedding",
        "sparse gradients",
        lambda: nn.Embedding(2, 3, sparse=True),
        UnsupportedError,
        ("dense",),
    ),
    Mistake(
        "Embedding.from_pretrained",
        "integers",
        lambda: nn.Embedding.from_pretrained(whole()),
        DtypeError,
        ("int64",),
    ),
    Mistake(
        "Embedding.from_pretrained",
        "a vector",
        lambda: nn.Embedding.from_pretrained(floats(3)),
        ShapeError,
        ("(3,)",),
    ),
    Mistake(
        "Embedding.from_pretrained",
        "an array",
        lambda: nn.Embedding.from_pretrained(np.ones((2, 3))),
        DtypeError,
        ("ndarray",),
    ),
    Mistake("Softmax", "no axis", lambda: nn.Softmax(), ArgumentError, ("dim=-1",)),
    Mistake("LogSoftmax", "no axis", lambda: nn.LogSoftmax(), ArgumentError, ("dim=-1",)),
    Mistake("Softmax", "integers", lambda: nn.Softmax(-1)(whole()), DtypeError, ("int64",)),
    Mistake(
        "functional.linear",
        "a list as weight",
        lambda: functional.linear(floats(), [1.0]),
        DtypeError,
        ("list",),
    ),
    Mistake(
        "functional.linear",
        "a list as bias",
        lambda: functional.linear(floats(), floats(), [1.0, 2.0]),
        DtypeError,
        ("list",),
    ),
    Mistake(
        "functional.embedding",
        "a list as table",
        lambda: functional.embedding(whole(), [[1.0]]),
        DtypeError,
        ("rows", "list"),
    ),
    Mistake(
        "functional.embedding",
        "text as padding",
        lambda: functional.embedding(whole(), floats(), "a"),
        ArgumentError,
        ("padding_idx", "'a'"),
    ),
    Mistake(
        "functional.layer_norm",
        "a list as gain",
        lambda: functional.layer_norm(floats(), 3, [1.0] * 3),
        DtypeError,
        ("list",),
    ),
    Mistake(
        "functional.pad",
        "text as width",
        lambda: functional.pad(floats(), (1, "a")),
        ArgumentError,
        ("'a'",),
    ),
    Mistake(
        "functional.one_hot",
        "no index and no number of classes",
        lambda: functional.one_hot(whole(0)),
        ArgumentError,
        ("num_classes",),
    ),
    Mistake(
        "functional.one_hot",
        "no classes",
        lambda: functional.one_hot(whole(), 0),
        ArgumentError,
        ("num_classes", "0"),
    ),
]

ATTENTION = [
    Mistake("DotAttention", "no size", lambda: nn.DotAttention(0), ArgumentError, ("0",)),
    Mistake(
        "GeneralAttention",
        "half a size",
        lambda: nn.GeneralAttention(2, 1.5),
        ArgumentError,
        ("memory_size", "1.5"),
    ),
    Mistake(
        "AdditiveAttention",
        "no hidden size",
        lambda: nn.AdditiveAttention(2, 2, 0),
        ArgumentError,
        ("0",),
    ),
    Mistake(
        "DotAttention",
        "a memory of other vectors",
        lambda: nn.DotAttention(3)(floats(2, 3), floats(2, 5, 4)),
        ShapeError,
        ("(B, S, 3)", "(2, 5, 4)"),
    ),
    Mistake(
        "DotAttention",
        "a memory without batch",
        lambda: nn.DotAttention(3)(floats(2, 3), floats(5, 3)),
        ShapeError,
        ("(5, 3)",),
    ),
    Mistake(
        "DotAttention",
        "a query of four axes",
        lambda: nn.DotAttention(3)(floats(1, 1, 2, 3), floats(1, 5, 3)),
        ShapeError,
        ("(1, 1, 2, 3)",),
    ),
    Mistake(
        "GeneralAttention",
        "two batches",
        lambda: nn.GeneralAttention(3, 3)(floats(2, 3), floats(4, 5, 3)),
        ShapeError,
        ("(2, 3)", "(4, 5, 3)"),
    ),
    Mistake(
        "DotAttention",
        "integers",
        lambda: nn.DotAttention(3)(whole(), floats(2, 5, 3)),
        DtypeError,
        ("query", "int64"),
    ),
    Mistake(
        "DotAttention",
        "an array",
        lambda: nn.DotAttention(3)(floats(), np.ones((2, 5, 3))),
        DtypeError,
        ("memory", "ndarray"),
    ),
    Mistake(
        "DotAttention",
        "two types",
        lambda: nn.DotAttention(3)(floats(), double(2, 5, 3)),
        DtypeError,
        ("float32", "float64"),
    ),
    Mistake(
        "AdditiveAttention",
        "another type than its own",
        lambda: nn.AdditiveAttention(3, 3, 2)(double(), double(2, 5, 3)),
        DtypeError,
        ("float64", "float32"),
    ),
    Mistake(
        "DotAttention",
        "a mask of numbers",
        lambda: nn.DotAttention(3)(floats(), floats(2, 5, 3), floats(2, 5)),
        DtypeError,
        ("mask", "float32", ".bool()"),
    ),
    Mistake(
        "DotAttention",
        "a mask in an array",
        lambda: nn.DotAttention(3)(floats(), floats(2, 5, 3), np.ones((2, 5), bool)),
        DtypeError,
        ("mask", "ndarray"),
    ),
    Mistake(
        "DotAttention",
        "a mask with time first",
        lambda: nn.DotAttention(3)(floats(), floats(2, 5, 3), truths(5, 2)),
        ShapeError,
        ("(2, 5)", "(5, 2)"),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "grouped queries",
        lambda: functional.scaled_dot_product_attention(
            floats(), floats(), floats(), enable_gqa=True
        ),
        UnsupportedError,
        ("enable_gqa", "repeat"),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "vectors of two lengths",
        lambda: functional.scaled_dot_product_attention(floats(), floats(2, 4), floats()),
        ShapeError,
        ("(2, 3)", "(2, 4)"),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "a vector",
        lambda: functional.scaled_dot_product_attention(floats(3), floats(), floats()),
        ShapeError,
        ("(3,)",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "integers",
        lambda: functional.scaled_dot_product_attention(whole(), whole(), whole()),
        DtypeError,
        ("int64",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "two types",
        lambda: functional.scaled_dot_product_attention(floats(), floats(), double()),
        DtypeError,
        ("float64",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "an integer mask",
        lambda: functional.scaled_dot_product_attention(floats(), floats(), floats(), whole(2, 2)),
        DtypeError,
        ("int64", ".bool()"),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "a list as mask",
        lambda: functional.scaled_dot_product_attention(
            floats(), floats(), floats(), [[True] * 2] * 2
        ),
        DtypeError,
        ("list",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "a mask of another shape",
        lambda: functional.scaled_dot_product_attention(floats(), floats(), floats(), truths(3, 3)),
        ShapeError,
        ("(3, 3)",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "a causal mask and another",
        lambda: functional.scaled_dot_product_attention(
            floats(), floats(), floats(), truths(2, 2), is_causal=True
        ),
        ArgumentError,
        ("is_causal",),
    ),
    Mistake(
        "scaled_dot_product_attention",
        "a probability above 1",
        lambda: functional.scaled_dot_product_attention(
            floats(), floats(), floats(), dropout_p=2.0
        ),
        ArgumentError,
        ("2.0",),
    ),
]

MODULES = [
    Mistake(
        "Module.to",
        "another device",
        lambda: nn.Linear(1, 1).to("cuda:0"),
        UnsupportedError,
        ("cuda:0", "CPU"),
    ),
    Mistake(
        "Module.to",
        "another device by name",
        lambda: nn.Linear(1, 1).to(device="mps"),
        UnsupportedError,
        ("mps", "CPU"),
    ),
    Mistake(
        "Module.cuda", "any device", lambda: nn.Linear(1, 1).cuda(), UnsupportedError, ("CPU",)
    ),
    Mistake(
        "Module.half",
        "no such type",
        lambda: nn.Linear(1, 1).half(),
        UnsupportedError,
        (".float()",),
    ),
    Mistake(
        "Module.type",
        "converting everything",
        lambda: nn.Linear(1, 1).type(tg.float64),
        UnsupportedError,
        (".to(dtype)",),
    ),
    Mistake(
        "register_forward_hook",
        "no function",
        lambda: nn.Linear(1, 1).register_forward_hook(5),
        ArgumentError,
        ("5",),
    ),
    Mistake(
        "register_forward_hook",
        "always_call",
        lambda: nn.Linear(1, 1).register_forward_hook(print, always_call=True),
        UnsupportedError,
        ("always_call",),
    ),
    Mistake(
        "register_forward_pre_hook",
        "arguments that are no pair",
        lambda: hooked(lambda m, a, k: a, with_kwargs=True),
        ArgumentError,
        ("(args, kwargs)",),
    ),
    Mistake(
        "register_full_backward_hook",
        "not supported",
        lambda: nn.Linear(1, 1).register_full_backward_hook(print),
        UnsupportedError,
        ("register_forward_hook", "register_hook"),
    ),
    Mistake(
        "get_submodule",
        "an unknown path",
        lambda: nn.Sequential(nn.Tanh()).get_submodule("0.x"),
        ArgumentError,
        ("'0.x'", "Tanh", "none"),
    ),
    Mistake(
        "get_parameter",
        "an unknown path",
        lambda: nn.Linear(1, 1).get_parameter("w"),
        ArgumentError,
        ("'w'", "weight, bias"),
    ),
    Mistake(
        "get_buffer",
        "an unknown path",
        lambda: nn.Linear(1, 1).get_buffer("w"),
        ArgumentError,
        ("'w'", "there are none"),
    ),
    Mistake(
        "named_modules",
        "a prefix in place of the memo",
        lambda: list(nn.Linear(1, 1).named_modules("x")),
        ArgumentError,
        ("'x'", "prefix="),
    ),
    Mistake(
        "load_state_dict",
        "assign",
        lambda: nn.Linear(1, 1).load_state_dict({}, assign=True),
        UnsupportedError,
        ("overwrites",),
    ),
    Mistake(
        "load_state_dict",
        "two numbers for one shared parameter",
        lambda: tied().load_state_dict({"0.weight": floats(1, 1), "1.weight": floats(1, 1) * 2}),
        StateDictError,
        ("0.weight", "1.weight", "one tensor"),
    ),
    Mistake("ModuleList", "a number", lambda: nn.ModuleList([5]), ArgumentError, ("int",)),
    Mistake("ModuleList", "no list", lambda: nn.ModuleList(5), ArgumentError, ("int",)),
    Mistake(
        "ModuleList[i]",
        "no such place",
        lambda: nn.ModuleList([nn.Tanh()])[1],
        OutOfRangeError,
        ("1",),
    ),
    Mistake(
        "ModuleList[i]", "text", lambda: nn.ModuleList([nn.Tanh()])["a"], ArgumentError, ("'a'",)
    ),
    Mistake(
        "ModuleDict[name]",
        "no such name",
        lambda: nn.ModuleDict({"a": nn.Tanh()})["b"],
        ArgumentError,
        ("'b'", "a"),
    ),
    Mistake(
        "ModuleDict",
        "a name that is a method",
        lambda: nn.ModuleDict({"keys": nn.Tanh()}),
        ArgumentError,
        ("'keys'",),
    ),
    Mistake("ModuleDict", "a number", lambda: nn.ModuleDict({"a": 5}), ArgumentError, ("int",)),
    Mistake(
        "ModuleDict", "no dictionary", lambda: nn.ModuleDict([nn.Tanh()]), ArgumentError, ("list",)
    ),
    Mistake("ParameterList", "a number", lambda: nn.ParameterList([5]), ArgumentError, ("int",)),
    Mistake(
        "ParameterList",
        "a tensor",
        lambda: nn.ParameterList(floats()),
        ArgumentError,
        ("Tensor",),
    ),
    Mistake(
        "ParameterDict", "a number", lambda: nn.ParameterDict({"a": 5}), ArgumentError, ("int",)
    ),
    Mistake("ParameterDict", "no dictionary", lambda: nn.ParameterDict(5), ArgumentError, ("int",)),
    Mistake(
        "ParameterDict[name]",
        "no such name",
        lambda: nn.ParameterDict()["w"],
        ArgumentError,
        ("'w'",),
    ),
    Mistake(
        "Sequential",
        "a mapping to numbers",
        lambda: nn.Sequential({"a": 5}),
        ArgumentError,
        ("'a'", "int"),
    ),
    Mistake(
        "Sequential",
        "a name with a dot",
        lambda: nn.Sequential({"a.b": nn.Tanh()}),
        ArgumentError,
        ("'a.b'",),
    ),
    Mistake(
        "Flatten",
        "axes that are not there",
        lambda: nn.Flatten(5)(floats()),
        TinygradRnnError,
        ("5",),
    ),
    Mistake(
        "register_buffer",
        "the name of a sub-module",
        lambda: nn.Sequential(nn.Tanh()).register_buffer("0", floats()),
        ArgumentError,
        ("Sequential", "'0'", "another name"),
    ),
    Mistake(
        "register_parameter",
        "the name of a method",
        lambda: nn.Tanh().register_parameter("forward", None),
        ArgumentError,
        ("Tanh", "'forward'"),
    ),
    Mistake(
        "add_module",
        "the name of a parameter",
        lambda: nn.Linear(1, 1).add_module("weight", nn.Tanh()),
        ArgumentError,
        ("Linear", "'weight'"),
    ),
    Mistake("Module.train", "a number", lambda: nn.Tanh().train(5), ArgumentError, ("5", "True")),
    Mistake(
        "ModuleList.insert",
        "no such place",
        lambda: nn.ModuleList([nn.Tanh()]).insert(3, nn.Tanh()),
        OutOfRangeError,
        ("3",),
    ),
    Mistake(
        "Sequential.insert",
        "a number",
        lambda: nn.Sequential().insert(0, 5),
        ArgumentError,
        ("'0'", "int"),
    ),
    Mistake(
        "del Sequential[i]",
        "no such place",
        lambda: nn.Sequential(nn.Tanh()).pop(1),
        OutOfRangeError,
        ("1",),
    ),
    Mistake(
        "ModuleDict.pop",
        "no such name",
        lambda: nn.ModuleDict({"a": nn.Tanh()}).pop("b"),
        ArgumentError,
        ("'b'", "a"),
    ),
    Mistake("Flatten", "an array", lambda: nn.Flatten()(np.ones((2, 3))), DtypeError, ("ndarray",)),
]

TABLE = {
    "Losses": LOSSES,
    "Functions between layers": FUNCTIONS,
    "Attention": ATTENTION,
    "Modules and containers": MODULES,
}
