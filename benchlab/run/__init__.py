"""Measuring: a run, its blocks and visits; an entry up, verified, loaded and down again."""
