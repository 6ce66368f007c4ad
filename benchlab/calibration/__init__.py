"""The instrument tested on itself: runs of known truth, and what they must come to."""
