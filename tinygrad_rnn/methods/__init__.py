"""The methods of Tensor, one file a family; each builds on the one before."""
