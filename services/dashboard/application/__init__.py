"""What the read model holds and how it is read: projections, estimates, search, figures."""
