"""From score records to a leaderboard, a choice, and the sentences that explain both."""
