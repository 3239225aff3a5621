"""Pages: HTML files to open from disk that show what this package finds, without any network."""

from tinygrad_rnn.inspect.pages.atlas import atlas_data, atlas_page
from tinygrad_rnn.inspect.pages.study import Run, study_data, study_page

__all__ = ["Run", "atlas_data", "atlas_page", "study_data", "study_page"]
