"""A shelf of recommendations for any page: one script, and the page that says how to use it."""
