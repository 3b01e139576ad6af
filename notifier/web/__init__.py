"""The pages and the API: entry points with their own transactions, which plan and never send."""
