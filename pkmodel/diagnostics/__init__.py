"""Tables that judge a fit, each a function from a problem and its estimates to a DataFrame."""
