"""What an entry must answer: the rules, as pure functions of what came back."""
