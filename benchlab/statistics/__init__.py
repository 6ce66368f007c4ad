"""What a run's samples say: estimates, ratios, ranks, effects, bottlenecks, and how many blocks are enough. Pure."""
