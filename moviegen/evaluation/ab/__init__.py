"""Which of two models people prefer: blind studies that need no network, and net win rates of their votes as the paper defines them."""
