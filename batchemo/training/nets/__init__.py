"""The nets by name, the layers that they share, and logistic regression."""
