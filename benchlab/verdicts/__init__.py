"""What is wrong with an answer or a sample: the rules, as pure functions of what came back."""
