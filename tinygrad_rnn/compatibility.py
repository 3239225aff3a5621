"""PyTorch's names that this library does not have, and what to use in place of each.

Module-level `__getattr__` functions and `Tensor.__getattr__` ask here, and only after a name was
not found, so that nothing is paid for the names that there are. Knows names, and nothing behind
them.
"""

from __future__ import annotations

import functools
import sys
from importlib.abc import MetaPathFinder
from opcode import opmap
from types import FrameType

from tinygrad_rnn.errors import MissingImportError, MissingNameError

_NUMPY = "use NumPy on x.detach().numpy(); no gradient goes through it"
_FORMULA = (
    "write it in exp, log, sqrt, sin, cos, tanh and where, through which gradients go, or use "
    "NumPy on x.detach().numpy() where none is needed"
)
_LINEAR_ALGEBRA = "use numpy.linalg on x.detach().numpy(); no gradient goes through it"
_COMPLEX = (
    "there are no complex tensors; use NumPy on x.detach().numpy(), or real and imaginary parts "
    "as two tensors"
)
_CPU = "this is a library for the CPU; leave it out"
_DENSE = "all tensors are dense; leave it out"
_FLOATS = "tensors are float32 or float64, integers or booleans; use one of these"
_REDRAWN = "use a Generator of your own: its manual_seed, get_state and set_state"
_SEQUENCES = (
    "this is a library for recurrent networks; read a sequence with nn.LSTM, nn.GRU or "
    "nn.Recurrent, or join slices x[i : i + width] with tg.cat and map them with nn.Linear"
)
_NORMS = "use nn.LayerNorm, or nn.functional.layer_norm"
_ATTENTION = (
    "use nn.DotAttention, nn.GeneralAttention or nn.AdditiveAttention, or "
    "nn.functional.scaled_dot_product_attention, under a module of your own"
)
_KINKED = "write it with where, such as where(x > 0, x, slope * x)"
_DETERMINISTIC = "leave it out: equal seeds give equal bits, always"
_BUFFERS = "leave it out: nothing is known about memory but what reshape, slices and clone say"
_LOSSES = "write it as tensor operations, with mean() or sum() at the end"
_STATISTICS = f"sort() gives the elements in order; or {_NUMPY}"
_SCATTER = "use scatter, scatter_add, index_add, or where with a mask"
_NEW = "make a new tensor: x = x.{base}(...)"
_ADAPTIVE = "use Adam, AdamW, RMSprop or Adagrad, or a subclass of Optimizer with its own update()"
_DATA = "use DataLoader, TensorDataset, Subset or random_split, or write the loop over batches"

# What both the package and Tensor have in PyTorch: what to do instead, then the names.
_FUNCTIONS = {
    _FORMULA: """acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan
        atan2 atanh cosh sinh erfc erfinv expm1 exp2 lgamma digamma polygamma mvlgamma igamma
        igammac i0 sinc angle copysign frexp ldexp nextafter gcd lcm fmod fmax fmin frac fix trunc
        logit xlogy logcumsumexp cummax cummin float_power signbit positive gradient""",
    _LINEAR_ALGEBRA: """cholesky cholesky_inverse cholesky_solve det logdet slogdet eig geqrf
        inverse pinverse lu lu_solve lu_unpack lstsq lobpcg matrix_exp matrix_power matrix_rank
        nuclear_norm frobenius_norm orgqr ormqr pca_lowrank qr solve svd svd_lowrank symeig
        triangular_solve chain_matmul renorm vander""",
    _COMPLEX: """adjoint complex conj conj_physical imag is_complex is_conj is_neg isreal polar
        real resolve_conj resolve_neg view_as_complex view_as_real cdouble cfloat chalf complex32
        complex64 complex128 stft istft bartlett_window blackman_window hamming_window
        hann_window kaiser_window H mH""",
    _SEQUENCES: """adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d conv1d conv2d conv3d conv_tbc
        conv_transpose1d conv_transpose2d conv_transpose3d convolution max_pool1d
        max_pool1d_with_indices max_pool2d max_pool3d affine_grid_generator channel_shuffle
        grid_sampler grid_sampler_2d grid_sampler_3d pixel_shuffle pixel_unshuffle""",
    _NORMS: "batch_norm group_norm instance_norm native_batch_norm native_layer_norm rms_norm",
    _KINKED: "celu hardshrink heaviside prelu rrelu selu threshold sgn",
    _STATISTICS: """bincount bucketize corrcoef cov histc histogram histogramdd kthvalue median mode
        msort nanmean nanmedian nanquantile nansum quantile searchsorted unique unique_consecutive
        isin trapezoid trapz cumulative_trapezoid combinations""",
    _SCATTER: """index_copy index_put index_reduce masked_scatter put scatter_reduce segment_reduce
        diagonal_scatter select_scatter slice_scatter as_strided_scatter""",
    _BUFFERS: "as_strided is_same_size",
    _FLOATS: "half bfloat16",
    "use x.log().sum(dim).exp() for what is above 0, or a product of x.unbind(dim)": "prod cumprod",
    "use einsum": "addr addbmm inner kron tensordot vdot cross trace bilinear",
    "use outer": "ger",
    "use mv and +": "addmv",
    "index with i = tg.arange(n): x[i, i]; or multiply by tg.eye(n)": """diag diag_embed diagflat
        diagonal block_diag""",
    "use flip with the axes": "fliplr flipud rot90",
    "use reshape(-1)": "ravel",
    "use split with a list of sizes": """tensor_split hsplit vsplit dsplit split_with_sizes
        unsafe_split unsafe_split_with_sizes""",
    "use chunk": "unsafe_chunk",
    "use gather": "take take_along_dim",
    "use nonzero": "argwhere nonzero_static",
    "use x[1:] - x[:-1]": "diff",
    "use (x - y).norm(p)": "dist",
    "use (x.unsqueeze(-2) - y.unsqueeze(-3)).norm(2, -1)": "cdist pdist",
    "use tg.stack([x, y]).logsumexp(0)": "logaddexp logaddexp2",
    "use (x * x + y * y).sqrt()": "hypot",
    "use where(x.isnan(), 0.0, x)": "nan_to_num",
    "use x == math.inf or x == -math.inf": "isposinf isneginf",
    "multiply by math.pi / 180 or its inverse": "deg2rad rad2deg",
    "use amin and amax": "aminmax",
    "use the operators &, | and ^": """bitwise_and bitwise_or bitwise_xor bitwise_left_shift
        bitwise_right_shift""",
    "use x.item() != 0": "is_nonzero",
}

_TORCH = {
    "decorate the training step with tg.jit, which compiles it whole": "compile compiler fx export",
    "operations take a batch on leading axes and broadcast; write them so": "vmap func",
    _CPU: """autocast amp distributed multiprocessing mtia set_default_device get_default_device
        get_device get_device_module pin_memory GradScaler Stream Event""",
    _DETERMINISTIC: """use_deterministic_algorithms set_deterministic_debug_mode
        are_deterministic_algorithms_enabled get_deterministic_debug_mode""",
    _REDRAWN: "get_rng_state set_rng_state initial_seed seed default_generator random fork_rng",
    "use set_default_dtype": "set_default_tensor_type",
    "use set_num_threads": "set_num_interop_threads get_num_interop_threads",
    "leave it out: products are taken in full precision": """set_float32_matmul_precision
        get_float32_matmul_precision set_flush_denormal""",
    "numbers are shown with 4 digits; print(x.numpy()) follows numpy.set_printoptions": (
        "set_printoptions"
    ),
    "use tg.tensor with dtype=": """ByteTensor CharTensor ShortTensor HalfTensor
        BFloat16Tensor scalar_tensor""",
    _FLOATS: """float16 uint16 uint32 uint64 qint8 qint32 quint8 quantize_per_tensor
        quantize_per_channel quantization ao""",
    _DENSE: "sparse sparse_coo_tensor sparse_csr_tensor sparse_coo sparse_csr nested",
    "use as_tensor, from_numpy or tensor": "asarray from_dlpack frombuffer from_file to_dlpack",
    "use arange": "range",
    "use 10 ** tg.linspace(...)": "logspace",
    "use mean + std * tg.randn(shape)": "normal",
    "use tg.randint(low, high, x.shape)": "randint_like",
    "use bernoulli, multinomial, rand and randn": "poisson binomial distributions",
    "use empty": "empty_strided empty_permuted",
    "use unsqueeze and broadcasting": """meshgrid cartesian_prod atleast_1d atleast_2d atleast_3d
        broadcast_tensors tril_indices triu_indices""",
    "use numpy.broadcast_shapes": "broadcast_shapes",
    "use stack or cat": "column_stack row_stack dstack",
    "use x.mean(...) beside it": "std_mean var_mean",
    "types are NumPy's; see numpy.result_type": "promote_types result_type can_cast",
    "use nn.LSTM, nn.GRU, nn.RNN, or their cells": """lstm gru rnn_tanh rnn_relu lstm_cell gru_cell
        rnn_tanh_cell rnn_relu_cell quantized_lstm quantized_gru""",
    "use x.detach()": "detach",
    "use x.fill_(value), or full": "fill",
    "check loss.isfinite() after each step; NaN is never hidden": """set_anomaly_enabled
        is_anomaly_enabled""",
    "use numpy.fft, numpy.linalg or scipy.special on x.detach().numpy(), without gradients": (
        "fft linalg special signal"
    ),
    "use tinygrad_rnn.interchange.export_onnx": "onnx",
    "a model is written out in Python here; there is nothing to download": "hub",
    "use cProfile, and step.program.explain() of a compiled step": "profiler",
    "use scatter_add for sums, and nn.Embedding": "embedding_bag embedding_renorm_",
    "use nn.functional.dropout": "alpha_dropout feature_dropout feature_alpha_dropout",
    _LOSSES: "ctc_loss hinge_embedding_loss margin_ranking_loss poisson_nll_loss",
    "use where; what a step does must not depend on numbers": "cond while_loop",
    "use nn.functional.{name}": """binary_cross_entropy_with_logits cosine_embedding_loss
        cosine_similarity dropout embedding kl_div layer_norm pairwise_distance
        triplet_margin_loss""",
    "use numpy.testing.assert_allclose on x.detach().numpy()": "testing",
    "use type(x)": "typename",
    "use x.is_floating_point()": "is_signed",
    "use x.relu_(), or relu without the underscore": "relu_",
    "use tinygrad_rnn.__version__": "version",
}

_TENSOR = {
    _CPU: """cuda xpu ipu mtia pin_memory is_pinned share_memory_ is_shared record_stream get_device
        is_cpu is_mps is_xpu is_meta""",
    _DENSE: """to_dense to_sparse to_sparse_coo to_sparse_csr sparse_dim dense_dim coalesce
        is_sparse is_coalesced indices values layout""",
    _BUFFERS: """data_ptr storage untyped_storage storage_offset storage_type stride set_ resize
        resize_ resize_as resize_as_ nbytes itemsize dim_order""",
    _FLOATS: "byte char dequantize is_quantized",
    "use tg.{name}(x, ...)": "bernoulli multinomial",
    "use new_zeros, new_ones, new_full or new_tensor": "new new_empty_strided",
    "use tg.stack([x[i : i + size] for i in ...], -1)": "unfold",
    "use to(dtype)": "short",
    "use x.is_floating_point()": "is_signed",
    "use tensor operations, which compute all elements at once": "apply_ map_ map2_",
    "cut a tensor off with a new one: x = x.detach()": "detach_",
    "hooks are registered on gradients: x.register_hook(function)": """reinforce
        register_post_accumulate_grad_hook""",
    "call retain_grad() for the gradient of a computed tensor": "retains_grad",
    "use tg.randint, tg.rand or tg.randn, and copy_": """random_ exponential_ geometric_ cauchy_
        log_normal_""",
    "index with i = tg.arange(n): x[i, i] = value": "fill_diagonal_",
    _NEW: """transpose_ t_ squeeze_ unsqueeze_ swapaxes_ swapdims_ eq_ ne_ lt_ le_ gt_ ge_ less_
        less_equal_ greater_ greater_equal_ not_equal_ logical_and_ logical_or_ logical_xor_
        logical_not_ logical_xor_""",
    "overwrite with x.assign(x.{base}(...))": """absolute_ acos_ addbmm_ addmm_ addmv_ addr_
        arctan_ asin_ atan_ baddbmm_ bitwise_and_ bitwise_not_ bitwise_or_ bitwise_xor_ ceil_ clip_
        cos_ cosh_ cumprod_ cumsum_ divide_ erf_ erfc_ exp2_ expm1_ fix_ floor_ floor_divide_ fmod_
        frac_ log10_ log1p_ log2_ logit_ multiply_ nan_to_num_ negative_ reciprocal_ remainder_
        renorm_ round_ rsqrt_ sign_ sin_ sinh_ square_ subtract_ tan_ tril_ triu_ true_divide_
        trunc_ xlogy_ index_copy_ index_put_ masked_scatter_ put_ scatter_reduce_""",
}

_NN = {
    _SEQUENCES: """Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d
        LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d AvgPool1d AvgPool2d
        AvgPool3d LPPool1d LPPool2d LPPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
        AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d FractionalMaxPool2d
        FractionalMaxPool3d ChannelShuffle PixelShuffle PixelUnshuffle Upsample
        UpsamplingBilinear2d UpsamplingNearest2d Fold Unfold Softmax2d NLLLoss2d""",
    _ATTENTION: """MultiheadAttention Transformer TransformerEncoder TransformerDecoder
        TransformerEncoderLayer TransformerDecoderLayer""",
    _NORMS: """BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d
        InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d GroupNorm RMSNorm SyncBatchNorm LocalResponseNorm CrossMapLRN2d""",
    "use nn.Dropout, or Recurrent's variational=True for one mask for all steps": """AlphaDropout
        FeatureAlphaDropout Dropout1d Dropout2d Dropout3d""",
    "use nn.functional.pad": """ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d
        ConstantPad3d CircularPad1d CircularPad2d CircularPad3d ReflectionPad1d ReflectionPad2d
        ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d""",
    "use a module whose forward says it, with where, exp, log, sigmoid and tanh": """CELU GLU
        Hardshrink Hardsigmoid Hardswish Mish PReLU RReLU ReLU6 SELU Softmin Softshrink Softsign
        Tanhshrink Threshold Bilinear""",
    _LOSSES: """CTCLoss GaussianNLLLoss HingeEmbeddingLoss MarginRankingLoss MultiLabelMarginLoss
        MultiLabelSoftMarginLoss MultiMarginLoss PoissonNLLLoss SoftMarginLoss
        TripletMarginWithDistanceLoss AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss""",
    "say the input size": "LazyLinear UninitializedParameter UninitializedBuffer",
    "use nn.Embedding and a mean or sum over the axis of the bag": "EmbeddingBag",
    "use nn.Recurrent": "RNNBase",
    "use nn.GatedCell": "RNNCellBase",
    "use register_buffer": "Buffer",
    "use reshape": "Unflatten",
    "use nn.Sequential": "Container",
    "use nn.Parameter, nn.LSTM and the like from tinygrad_rnn.nn": "modules",
    _CPU: "DataParallel parallel quantized quantizable qat intrinsic",
}

_FUNCTIONAL = {
    _SEQUENCES: """conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
        adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d max_pool1d
        max_pool2d max_pool3d max_unpool1d max_unpool2d max_unpool3d lp_pool1d lp_pool2d lp_pool3d
        fractional_max_pool2d fractional_max_pool3d adaptive_max_pool1d_with_indices
        adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices
        fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices
        max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices affine_grid
        grid_sample channel_shuffle native_channel_shuffle pixel_shuffle pixel_unshuffle
        interpolate upsample upsample_bilinear upsample_nearest fold unfold""",
    _ATTENTION: "multi_head_attention_forward",
    _NORMS: "batch_norm group_norm instance_norm local_response_norm rms_norm",
    "use dropout": "alpha_dropout dropout1d dropout2d dropout3d feature_alpha_dropout",
    "write it with where, exp, log, sigmoid and tanh": """celu glu hardshrink hardsigmoid hardswish
        mish prelu relu6 rrelu selu softmin softshrink softsign tanhshrink threshold bilinear""",
    "use softmax((x + noise) / tau), noise = -(-tg.rand_like(x).log()).log()": "gumbel_softmax",
    "there are no functions that overwrite; use the one without the underscore": """celu_ elu_
        hardtanh_ leaky_relu_ relu_ rrelu_ selu_ threshold_""",
    _LOSSES: """ctc_loss gaussian_nll_loss hinge_embedding_loss margin_ranking_loss
        multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss poisson_nll_loss
        soft_margin_loss triplet_margin_with_distance_loss linear_cross_entropy""",
    "use embedding and a mean or sum over the axis of the bag": "embedding_bag",
    "use (x.unsqueeze(-2) - x.unsqueeze(-3)).norm(2, -1)": "pdist",
    "use matmul": "grouped_mm scaled_mm scaled_grouped_mm",
}

_SEQUENCE_TOOLS = {
    "use argsort": "invert_permutation",
}

_OPTIM = {
    _ADAPTIVE: "Adadelta Adafactor Adamax Muon NAdam RAdam Rprop",
    "use SGD, and average the parameters yourself": "ASGD",
    "use Adam: gradients are never sparse": "SparseAdam",
    (
        "average the parameters of a second model: "
        "average.assign(average * decay + p * (1 - decay)) under no_grad()"
    ): "swa_utils",
}

_SCHEDULES = {
    (
        "use OneCycleLR for one cycle, CosineAnnealingWarmRestarts for many, or LambdaLR with a "
        "function of your own"
    ): "CyclicLR",
}

_AUTOGRAD = {
    "use tinygrad_rnn.{name}": "gradcheck",
    "write it as tensor operations; their gradients, of any order, are found": "Function",
    "check loss.isfinite() after each step; NaN is never hidden": """detect_anomaly
        set_detect_anomaly anomaly_mode""",
    "use jacobian and hvp of this package": "forward_ad",
    "use loss.backward()": "backward",
    "use gradcheck(function, x, order=2)": "gradgradcheck",
    "use cProfile, and step.program.explain() of a compiled step": "profiler",
    "use tinygrad_rnn.checkpoint to save memory": "graph",
}

_AUTOGRAD_FUNCTIONS = {
    "use hvp, which is the same for a Hessian": "vhp",
    "use tinygrad_rnn.grad with grad_outputs=v": "vjp",
    "use jacobian, and multiply": "jvp",
}

_UTILS = {
    "use clip_grad_norm_": "clip_grad_norm",
    "use Recurrent's weight_drop, or a forward that computes the weight": """weight_norm
        remove_weight_norm spectral_norm remove_spectral_norm parametrize parametrizations""",
    "call the module": "stateless",
    "make the module, then overwrite its parameters": "skip_init",
    "use clip_grad_norm_, which also measures": "clip_grads_with_norm_",
}

_INIT = {
    "use nn.init.{name}_": """constant eye kaiming_normal kaiming_uniform normal orthogonal sparse
        uniform xavier_normal xavier_uniform""",
    "there are no convolutions": "dirac dirac_",
}

_MODULE = {
    "decorate the training step with tg.jit, which compiles it whole": "compile",
    _CPU: "xpu ipu mtia share_memory to_empty",
    "put it into a buffer: register_buffer(name, tensor)": "get_extra_state set_extra_state",
    "call load_state_dict, and check what it returns": """register_load_state_dict_pre_hook
        register_load_state_dict_post_hook""",
    "override state_dict": "register_state_dict_pre_hook register_state_dict_post_hook",
    "assign to the attribute of the module that holds it": "set_submodule",
}

_DATA_TOOLS = {
    _DATA: """IterableDataset ConcatDataset ChainDataset Sampler RandomSampler SequentialSampler
        BatchSampler SubsetRandomSampler WeightedRandomSampler StackDataset DistributedSampler
        get_worker_info""",
}

_TOOLS = {
    "use tinygrad_rnn.checkpoint(function, ...)": "checkpoint",
    "use the history that a trainer returns, or a file of your own": "tensorboard",
    "use timeit": "benchmark bottleneck",
}

_JIT = {
    "decorate the training step with tg.jit, which compiles it whole": """script trace ScriptModule
        ScriptFunction script_method trace_module export ignore unused is_scripting is_tracing
        save load freeze Final""",
}

_DATA_MODULES = {
    "use tinygrad_rnn.utils.data, which has it": "dataset dataloader sampler distributed",
}

# What PyTorch has as modules and this package as attributes, which `import` does not find.
_ATTRIBUTES = {
    "use the attribute, as in torch.{name}.is_available(), or leave the import out": """cuda mps
        xpu accelerator""",
    "use the attribute, as in torch.backends.cudnn, or leave the import out": "backends",
}

_PLACES = {
    "tinygrad_rnn": ("tinygrad_rnn.", (_FUNCTIONS, _TORCH)),
    "Tensor": ("Tensor.", (_FUNCTIONS, _TENSOR)),
    "Module": ("Module.", (_MODULE,)),
    "tinygrad_rnn.autograd": ("autograd.", (_AUTOGRAD,)),
    "tinygrad_rnn.autograd.functional": ("autograd.functional.", (_AUTOGRAD_FUNCTIONS,)),
    "tinygrad_rnn.jit": ("jit.", (_JIT,)),
    "tinygrad_rnn.nn": ("nn.", (_NN,)),
    "tinygrad_rnn.nn.functional": ("nn.functional.", (_FUNCTIONAL,)),
    "tinygrad_rnn.nn.init": ("nn.init.", (_INIT,)),
    "tinygrad_rnn.nn.utils": ("nn.utils.", (_UTILS,)),
    "tinygrad_rnn.nn.utils.rnn": ("nn.utils.rnn.", (_SEQUENCE_TOOLS,)),
    "tinygrad_rnn.optim": ("optim.", (_OPTIM,)),
    "tinygrad_rnn.optim.lr_scheduler": ("optim.lr_scheduler.", (_SCHEDULES,)),
    "tinygrad_rnn.utils": ("utils.", (_TOOLS,)),
    "tinygrad_rnn.utils.data": ("utils.data.", (_DATA_TOOLS,)),
}

# Modules that only `import` statements name.
_MODULES = {
    "tinygrad_rnn": ("tinygrad_rnn.", (_FUNCTIONS, _TORCH, _ATTRIBUTES)),
    "tinygrad_rnn.utils.data": ("utils.data.", (_DATA_TOOLS, _DATA_MODULES)),
}


@functools.cache
def _known(place: str, module: bool = False) -> dict[str, str]:
    """Return what to use in place of each name, or module, that is missing at a place."""
    shown, tables = _MODULES.get(place, _PLACES[place]) if module else _PLACES[place]
    return {
        name: f"there is no {shown}{name}: "
        + text.replace("{name}", name).replace("{base}", name.removesuffix("_"))
        for table in tables
        for text, names in table.items()
        for name in names.split()
    }


def instead(place: str, name: str) -> str | None:
    """Return what to use in place of a name of PyTorch's; None if it is none that is missing.

    Args:
        place: the full name of a module of this package, "Tensor" or "Module".
        name: the name that was asked for.
    """
    return _known(place).get(name)


def missing(place: str, name: str, found_in: object = None) -> Exception:
    """Return the error for an attribute that was not found.

    Args:
        place: as `instead` takes it; modules pass their `__name__`.
        name: the attribute.
        found_in: the object that has no such attribute; for suggestions of similar names.

    Returns:
        A MissingNameError if PyTorch has the name, a MissingImportError if it is being imported,
        else a plain AttributeError.
    """
    told = None if name.startswith("__") else instead(place, name)
    if told is not None:
        return MissingImportError(told) if _is_import(sys._getframe(2)) else MissingNameError(told)
    if place in sys.modules:
        found_in = sys.modules[place]
        kind = f"module {place!r}"
    else:
        kind = f"{type(found_in).__name__!r} object"
    # Python itself adds what was perhaps meant, when it shows the error.
    return AttributeError(f"{kind} has no attribute {name!r}", name=name, obj=found_in)


class MissingModules(MetaPathFinder):
    """Asked last by `import`, says what to use in place of a module that only PyTorch has."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raise MissingImportError if there is something to say."""
        place, _, name = fullname.rpartition(".")
        if place in _PLACES and name in _known(place, module=True):
            raise MissingImportError(_known(place, module=True)[name])


def _is_import(frame: FrameType) -> bool:
    """Whether a frame is in `from module import name`, which hides what an AttributeError says."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
