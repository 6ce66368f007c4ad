"""An entry up, verified and loaded: a visit, its samples, and what is shown meanwhile."""
