"""What samples show: estimates, ratios, outcomes, effects, bottlenecks. Numbers in, numbers out."""
