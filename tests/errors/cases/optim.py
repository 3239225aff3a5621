"""Bad input of optimizers, schedules and the windows of truncated backpropagation."""

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    OutOfRangeError,
    RecordingError,
    ShapeError,
    StateDictError,
    UnsupportedError,
)
from tinygrad_rnn.optim import lr_scheduler


def parameter() -> nn.Parameter:
    return nn.Parameter(tg.ones(2))


def sgd(**settings: Any) -> optim.SGD:
    return optim.SGD([parameter()], lr=0.1, **settings)


def lbfgs(**settings: Any) -> optim.LBFGS:
    return optim.LBFGS([parameter()], **settings)


def recorded_step(schedule: Any, *arguments: Any) -> None:
    tg.jit(lambda: schedule.step(*arguments))()


def grown(kind: Any) -> None:
    optimizer = sgd()
    schedule = kind(optimizer)
    optimizer.add_param_group({"params": [parameter()]})
    schedule.step()


def steps(schedule: Any, count: int) -> None:
    for _ in range(count):
        schedule.step()


def no_rate() -> optim.Optimizer:
    return optim.Optimizer([parameter()], {})


def plateau(**settings: Any) -> Any:
    return lr_scheduler.ReduceLROnPlateau(sgd(), **settings)


def sequence(count: int, milestones: Any, **settings: Any) -> Any:
    optimizer = sgd()
    schedules = [lr_scheduler.ExponentialLR(optimizer, 0.5) for _ in range(count)]
    return lr_scheduler.SequentialLR(optimizer, schedules, milestones, **settings)


def nested() -> Any:
    optimizer = sgd()
    inner = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 2)])
    return lr_scheduler.SequentialLR(optimizer, [inner], [])


def window(k1: int = 2, k2: int | None = None, number: int = 0, **settings: Any) -> Any:
    return list(nn.truncated_windows(tg.ones(6, 2, 3), k1, k2, **settings))[number]


OPTIMIZERS = [
    Mistake(
        "SGD",
        "a misspelt setting",
        lambda: optim.SGD([parameter()], learning_rate=0.1),
        ArgumentError,
        ("learning_rate", "lr", "momentum"),
    ),
    Mistake(
        "SGD",
        "fused",
        lambda: sgd(fused=True),
        UnsupportedError,
        ("SGD", "fused=True", "jit"),
    ),
    Mistake("Adam", "foreach", lambda: optim.Adam([parameter()], foreach=True), UnsupportedError),
    Mistake(
        "AdamW",
        "capturable",
        lambda: optim.AdamW([parameter()], capturable=True),
        UnsupportedError,
        ("AdamW", "capturable", "CUDA"),
    ),
    Mistake(
        "RMSprop",
        "differentiable",
        lambda: optim.RMSprop([parameter()], differentiable=True),
        UnsupportedError,
        ("differentiable", "create_graph"),
    ),
    Mistake(
        "Adagrad",
        "differentiable in a group",
        lambda: optim.Adagrad([{"params": [parameter()], "differentiable": True}]),
        UnsupportedError,
        ("differentiable",),
    ),
    Mistake(
        "AdamW",
        "decay that is not decoupled",
        lambda: optim.AdamW([{"params": [parameter()], "decoupled_weight_decay": False}]),
        ArgumentError,
        ("AdamW", "use Adam"),
    ),
    Mistake(
        "SGD",
        "named parameters",
        lambda: optim.SGD(nn.Linear(2, 2).named_parameters()),
        UnsupportedError,
        ("model.parameters()",),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "state of an optimizer that is differentiable",
        lambda: sgd().load_state_dict(
            {"state": {}, "param_groups": [{"params": [0], "differentiable": True}]}
        ),
        UnsupportedError,
        ("differentiable",),
    ),
    Mistake(
        "optim.Adadelta",
        "an optimizer that there is not",
        lambda: optim.Adadelta,
        UnsupportedError,
        ("optim.Adadelta", "Adam"),
    ),
    Mistake(
        "optim.swa_utils",
        "averaged models",
        lambda: optim.swa_utils,
        UnsupportedError,
        ("average.assign",),
    ),
    Mistake(
        "LBFGS",
        "two groups",
        lambda: optim.LBFGS([{"params": [parameter()]}, {"params": [parameter()]}]),
        ArgumentError,
        ("one parameter group",),
    ),
    Mistake("LBFGS", "no iterations", lambda: lbfgs(max_iter=0), ArgumentError, ("max_iter", "0")),
    Mistake(
        "LBFGS",
        "half a calculation",
        lambda: lbfgs(max_eval=0.5),
        ArgumentError,
        ("max_eval", "0.5"),
    ),
    Mistake(
        "LBFGS", "no history", lambda: lbfgs(history_size=0), ArgumentError, ("history_size", "0")
    ),
    Mistake(
        "LBFGS",
        "a negative tolerance",
        lambda: lbfgs(tolerance_grad=-1.0),
        ArgumentError,
        ("tolerance_grad", "-1"),
    ),
    Mistake(
        "LBFGS",
        "another line search",
        lambda: lbfgs(line_search_fn="armijo"),
        ArgumentError,
        ("strong_wolfe", "'armijo'"),
    ),
    Mistake("LBFGS.step", "no closure", lambda: lbfgs().step(), ArgumentError, ("closure", "None")),
    Mistake(
        "LBFGS.step",
        "a closure that returns nothing",
        lambda: lbfgs().step(lambda: None),
        ArgumentError,
        ("return the loss", "None"),
    ),
    Mistake(
        "LBFGS.step",
        "in a recording",
        lambda: recorded_step(lbfgs(), lambda: 1.0),
        RecordingError,
        ("LBFGS.step", "closure", "jitted"),
    ),
    Mistake(
        "LBFGS.load_state_dict",
        "state of another size",
        lambda: lbfgs().load_state_dict(
            {"state": {0: {"d": tg.ones(5)}}, "param_groups": [{"params": [0]}]}
        ),
        StateDictError,
        ("d has shape (5,)", "2 elements"),
    ),
]

SCHEDULES = [
    Mistake(
        "StepLR",
        "a schedule in place of an optimizer",
        lambda: lr_scheduler.StepLR(lr_scheduler.StepLR(sgd(), 1), 1),
        ArgumentError,
        ("optimizer", "StepLR"),
    ),
    Mistake(
        "StepLR",
        "an optimizer without a rate",
        lambda: lr_scheduler.StepLR(no_rate(), 1),
        ArgumentError,
        ("no learning rate",),
    ),
    Mistake(
        "StepLR",
        "no epochs",
        lambda: lr_scheduler.StepLR(sgd(), 0),
        ArgumentError,
        ("step_size", "0"),
    ),
    Mistake(
        "StepLR",
        "text for gamma",
        lambda: lr_scheduler.StepLR(sgd(), 1, gamma="a"),
        ArgumentError,
        ("gamma", "'a'"),
    ),
    Mistake(
        "StepLR",
        "an epoch before the first",
        lambda: lr_scheduler.StepLR(sgd(), 1, last_epoch=-2),
        ArgumentError,
        ("last_epoch", "-2"),
    ),
    Mistake(
        "StepLR",
        "going on without initial rates",
        lambda: lr_scheduler.StepLR(sgd(), 1, last_epoch=3),
        ArgumentError,
        ("initial_lr", "load"),
    ),
    Mistake(
        "StepLR.step",
        "an epoch",
        lambda: lr_scheduler.StepLR(sgd(), 1).step(5),  # type: ignore[arg-type]
        UnsupportedError,
        ("no epoch", "last_epoch"),
    ),
    Mistake(
        "StepLR.step",
        "a group that was added afterwards",
        lambda: grown(lambda o: lr_scheduler.StepLR(o, 1)),
        ArgumentError,
        ("1 parameter groups", "2"),
    ),
    Mistake(
        "StepLR.load_state_dict",
        "a number",
        lambda: lr_scheduler.StepLR(sgd(), 1).load_state_dict(5),  # type: ignore[arg-type]
        StateDictError,
        ("last_epoch",),
    ),
    Mistake(
        "LRScheduler.step",
        "a schedule without a rule",
        lambda: lr_scheduler.LRScheduler(sgd()).step(),
        UnsupportedError,
        ("next_rate",),
    ),
    Mistake(
        "LambdaLR",
        "functions for other groups",
        lambda: lr_scheduler.LambdaLR(sgd(), [abs, abs]),
        ArgumentError,
        ("lr_lambda", "2", "1"),
    ),
    Mistake(
        "LambdaLR.step",
        "a list of factors in a recording",
        lambda: recorded_step(lr_scheduler.LambdaLR(sgd(), lambda e: [1, 1][e])),
        RecordingError,
        ("LambdaLR", "Step outside"),
    ),
    Mistake(
        "MultiplicativeLR.step",
        "a branch in a recording",
        lambda: recorded_step(
            lr_scheduler.MultiplicativeLR(sgd(), lambda e: 1 if e < 3 else 0)
        ),
        RecordingError,
        ("reads a number", "where()"),
    ),
    Mistake(
        "MultiStepLR",
        "one milestone that is no list",
        lambda: lr_scheduler.MultiStepLR(sgd(), 5),  # type: ignore[arg-type]
        ArgumentError,
        ("milestones", "5"),
    ),
    Mistake(
        "MultiStepLR",
        "half an epoch",
        lambda: lr_scheduler.MultiStepLR(sgd(), [1.5]),  # type: ignore[list-item]
        ArgumentError,
        ("milestones", "1.5"),
    ),
    Mistake(
        "ConstantLR",
        "a factor above 1",
        lambda: lr_scheduler.ConstantLR(sgd(), 2.0),
        ArgumentError,
        ("factor", "2.0"),
    ),
    Mistake(
        "LinearLR",
        "a start at 0",
        lambda: lr_scheduler.LinearLR(sgd(), 0.0),
        ArgumentError,
        ("start_factor", "above 0"),
    ),
    Mistake(
        "LinearLR",
        "an end below 0",
        lambda: lr_scheduler.LinearLR(sgd(), end_factor=-0.5),
        ArgumentError,
        ("end_factor", "-0.5"),
    ),
    Mistake(
        "PolynomialLR",
        "no epochs",
        lambda: lr_scheduler.PolynomialLR(sgd(), 0),
        ArgumentError,
        ("total_iters", "0"),
    ),
    Mistake(
        "CosineAnnealingLR",
        "no epochs",
        lambda: lr_scheduler.CosineAnnealingLR(sgd(), 0),
        ArgumentError,
        ("T_max", "0"),
    ),
    Mistake(
        "CosineAnnealingWarmRestarts",
        "periods that shrink",
        lambda: lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 5, 0),
        ArgumentError,
        ("T_mult", "0"),
    ),
    Mistake(
        "CosineAnnealingWarmRestarts.step",
        "an epoch below 0",
        lambda: lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 5).step(-1.0),
        ArgumentError,
        ("epoch", "-1"),
    ),
    Mistake(
        "CosineAnnealingWarmRestarts.step",
        "an epoch in a recording",
        lambda: recorded_step(lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 5), 2.5),
        RecordingError,
        ("step(epoch)", "outside"),
    ),
    Mistake(
        "OneCycleLR",
        "no number of steps",
        lambda: lr_scheduler.OneCycleLR(sgd(), 0.1),
        ArgumentError,
        ("total_steps", "steps_per_epoch"),
    ),
    Mistake(
        "OneCycleLR",
        "more than all steps",
        lambda: lr_scheduler.OneCycleLR(sgd(), 0.1, 10, pct_start=1.5),
        ArgumentError,
        ("pct_start", "1.5"),
    ),
    Mistake(
        "OneCycleLR",
        "one step up",
        lambda: lr_scheduler.OneCycleLR(sgd(), 0.1, 10, pct_start=0.1),
        ArgumentError,
        ("pct_start 0.1", "10 steps"),
    ),
    Mistake(
        "OneCycleLR",
        "another curve",
        lambda: lr_scheduler.OneCycleLR(sgd(), 0.1, 10, anneal_strategy="square"),
        ArgumentError,
        ("'cos'", "'square'"),
    ),
    Mistake(
        "OneCycleLR",
        "an optimizer without momentum",
        lambda: lr_scheduler.OneCycleLR(optim.Adagrad([parameter()]), 0.1, 10),
        ArgumentError,
        ("Adagrad", "cycle_momentum=False"),
    ),
    Mistake(
        "OneCycleLR.step",
        "after the end",
        lambda: steps(lr_scheduler.OneCycleLR(sgd(), 0.1, 3), 4),
        ArgumentError,
        ("step 4", "3 steps", "total_steps"),
    ),
    Mistake(
        "OneCycleLR.step",
        "momentum in a recording",
        lambda: recorded_step(lr_scheduler.OneCycleLR(sgd(), 0.1, 3)),
        RecordingError,
        ("cycle_momentum=False",),
    ),
    Mistake(
        "SequentialLR",
        "too few milestones",
        lambda: sequence(2, []),
        ArgumentError,
        ("2 schedules take 1 milestones", "[]"),
    ),
    Mistake(
        "SequentialLR",
        "milestones out of order",
        lambda: sequence(3, [4, 2]),
        ArgumentError,
        ("rising order", "[4, 2]"),
    ),
    Mistake("SequentialLR", "no schedules", lambda: sequence(0, []), ArgumentError, ("[]",)),
    Mistake(
        "SequentialLR",
        "going on",
        lambda: sequence(1, [], last_epoch=3),
        UnsupportedError,
        ("state dict",),
    ),
    Mistake("SequentialLR", "one inside another", nested, UnsupportedError, ("ChainedScheduler",)),
    Mistake(
        "SequentialLR.load_state_dict",
        "state of other schedules",
        lambda: sequence(2, [3]).load_state_dict(sequence(1, []).state_dict()),
        StateDictError,
        ("1 schedules", "2"),
    ),
    Mistake(
        "ChainedScheduler",
        "schedules of two optimizers",
        lambda: lr_scheduler.ChainedScheduler(
            [lr_scheduler.StepLR(sgd(), 1), lr_scheduler.StepLR(sgd(), 1)]
        ),
        ArgumentError,
        ("same optimizer",),
    ),
    Mistake(
        "ChainedScheduler",
        "one that needs a metric",
        lambda: lr_scheduler.ChainedScheduler([plateau()]),
        ArgumentError,
        ("ReduceLROnPlateau", "metric"),
    ),
    Mistake(
        "ChainedScheduler",
        "no list",
        lambda: lr_scheduler.ChainedScheduler(5),  # type: ignore[arg-type]
        ArgumentError,
        ("list of schedules", "5"),
    ),
    Mistake(
        "ChainedScheduler",
        "an optimizer",
        lambda: lr_scheduler.ChainedScheduler([sgd()]),  # type: ignore[list-item]
        ArgumentError,
        ("SGD",),
    ),
    Mistake(
        "ReduceLROnPlateau",
        "a factor above 1",
        lambda: plateau(factor=2.0),
        ArgumentError,
        ("factor", "below 1"),
    ),
    Mistake(
        "ReduceLROnPlateau",
        "another mode",
        lambda: plateau(mode="low"),
        ArgumentError,
        ("'min'", "'low'"),
    ),
    Mistake(
        "ReduceLROnPlateau",
        "another threshold",
        lambda: plateau(threshold_mode="percent"),
        ArgumentError,
        ("'rel'", "'percent'"),
    ),
    Mistake(
        "ReduceLROnPlateau",
        "limits for other groups",
        lambda: plateau(min_lr=[0.1, 0.2]),
        ArgumentError,
        ("min_lr", "2", "1"),
    ),
    Mistake(
        "ReduceLROnPlateau.step",
        "text",
        lambda: plateau().step("good"),
        ArgumentError,
        ("metric", "'good'"),
    ),
    Mistake(
        "ReduceLROnPlateau.step",
        "in a recording",
        lambda: recorded_step(plateau(), 1.0),
        RecordingError,
        ("ReduceLROnPlateau.step", "outside"),
    ),
    Mistake(
        "ReduceLROnPlateau.load_state_dict",
        "state of another schedule",
        lambda: plateau().load_state_dict(lr_scheduler.StepLR(sgd(), 1).state_dict()),
        StateDictError,
        ("num_bad_epochs",),
    ),
    Mistake(
        "lr_scheduler.CyclicLR",
        "a schedule that there is not",
        lambda: lr_scheduler.CyclicLR,
        UnsupportedError,
        ("OneCycleLR",),
    ),
]

WINDOWS = [
    Mistake(
        "truncated_windows",
        "no steps",
        lambda: nn.truncated_windows(tg.ones(4, 2, 3), 0),
        ArgumentError,
        ("k1", "0"),
    ),
    Mistake(
        "truncated_windows",
        "less history than steps",
        lambda: nn.truncated_windows(tg.ones(4, 2, 3), 3, 2),
        ArgumentError,
        ("k2", "k1 = 3", "2"),
    ),
    Mistake(
        "truncated_windows",
        "text",
        lambda: nn.truncated_windows("hello", 2),
        DtypeError,
        ("tensor", "str"),
    ),
    Mistake(
        "truncated_windows",
        "a single number",
        lambda: nn.truncated_windows(tg.tensor(1.0), 2),
        ShapeError,
        ("(T, B, ...)", "[()]"),
    ),
    Mistake(
        "truncated_windows",
        "sequences of two lengths",
        lambda: nn.truncated_windows((tg.ones(4, 2), tg.ones(5, 2)), 2),
        ShapeError,
        ("(4, 2)", "(5, 2)"),
    ),
    Mistake(
        "truncated_windows",
        "lengths for other rows",
        lambda: window(lengths=[1, 2, 3]),
        ShapeError,
        ("2", "(3,)"),
    ),
    Mistake(
        "truncated_windows",
        "a length beyond the end",
        lambda: window(lengths=[7, 1]),
        OutOfRangeError,
        ("6 steps", "7"),
    ),
    Mistake(
        "truncated_windows",
        "lengths that are no integers",
        lambda: window(lengths=np.ones(2)),
        DtypeError,
        ("integers", "float64"),
    ),
    Mistake(
        "TruncatedWindow.run",
        "the whole sequence",
        lambda: window().run(nn.RNN(3, 2), tg.ones(6, 2, 3), None),
        ShapeError,
        ("2 steps", "6", "window.steps"),
    ),
    Mistake(
        "TruncatedWindow.run",
        "a state of the model where there is history",
        lambda: window(2, 4, 1).run(nn.RNN(3, 2), tg.ones(4, 2, 3), None),
        ArgumentError,
        ("history", "run()", "NoneType"),
    ),
    Mistake(
        "TruncatedWindow.run",
        "two directions",
        lambda: window().run(nn.RNN(3, 2, bidirectional=True), tg.ones(2, 2, 3), None),
        ArgumentError,
        ("bidirectional", "whole sequence"),
    ),
    Mistake(
        "TruncatedWindow.run",
        "a model without a state",
        lambda: window().run(nn.Linear(3, 2), tg.ones(2, 2, 3), None),
        ArgumentError,
        ("Linear", "state"),
    ),
    Mistake(
        "TruncatedWindow.run",
        "a model that takes no lengths",
        lambda: window(lengths=[6, 2]).run(lambda x, s: (x, s), tg.ones(2, 2, 3), None),
        ArgumentError,
        ("lengths=",),
    ),
    Mistake(
        "TruncatedWindow.run",
        "a model that returns only outputs",
        lambda: window().run(lambda x, s: x, tg.ones(2, 2, 3), None),
        ArgumentError,
        ("(output, state)", "Tensor"),
    ),
]

TABLE = {
    "Optimizers and schedules": [*OPTIMIZERS, *SCHEDULES],
    "Truncated backpropagation through time": WINDOWS,
}
