"""Looking inside: the unrolled graph, the flow of gradients, and what each unit has learned.

`from tinygrad_rnn import inspect`. Nothing here changes a model, a gradient or a graph, and
everything shown is computed from the model at hand. Drawing plots needs matplotlib, which is
imported when the first plot is drawn.
"""

from tinygrad_rnn.inspect.activations import (
    Activations,
    Saturation,
    activations_of,
    record_activations,
)
from tinygrad_rnn.inspect.backward import Trace, trace, window_cut
from tinygrad_rnn.inspect.cells import Ranking, UnitScore, rank_units, search_units
from tinygrad_rnn.inspect.colour import (
    colour_ansi,
    colour_html,
    colour_svg,
    predictions_under,
)
from tinygrad_rnn.inspect.contributions import Contribution, Contributions, contributions_of
from tinygrad_rnn.inspect.dot import to_dot
from tinygrad_rnn.inspect.flow import (
    Flow,
    credit,
    elementwise_factor,
    gradient_flow,
    memory_factors,
    product_of,
    rnn_factors,
    series,
    singular_values,
    state_jacobian,
    state_jacobians,
)
from tinygrad_rnn.inspect.folding import Folded, fold
from tinygrad_rnn.inspect.graph import Graph, Source, Vertex, graph_of
from tinygrad_rnn.inspect.plots import (
    plot_contributions,
    plot_credit,
    plot_flow,
    plot_saturation,
    plot_singular_values,
)
from tinygrad_rnn.inspect.properties import PROPERTIES
from tinygrad_rnn.inspect.reading import Reading, read
from tinygrad_rnn.inspect.reporting import report
from tinygrad_rnn.inspect.svg import to_svg
from tinygrad_rnn.inspect.text import to_text
from tinygrad_rnn.nn.recording import Observation, observe

__all__ = [
    "PROPERTIES",
    "Activations",
    "Contribution",
    "Contributions",
    "Flow",
    "Folded",
    "Graph",
    "Observation",
    "Ranking",
    "Reading",
    "Saturation",
    "Source",
    "Trace",
    "UnitScore",
    "Vertex",
    "activations_of",
    "colour_ansi",
    "colour_html",
    "colour_svg",
    "contributions_of",
    "credit",
    "elementwise_factor",
    "fold",
    "gradient_flow",
    "graph_of",
    "memory_factors",
    "observe",
    "plot_contributions",
    "plot_credit",
    "plot_flow",
    "plot_saturation",
    "plot_singular_values",
    "predictions_under",
    "product_of",
    "rank_units",
    "read",
    "record_activations",
    "report",
    "rnn_factors",
    "search_units",
    "series",
    "singular_values",
    "state_jacobian",
    "state_jacobians",
    "to_dot",
    "to_svg",
    "to_text",
    "trace",
    "window_cut",
]
