"""Full Bayes: priors, log densities, and draws from the posterior; one concept a file."""
