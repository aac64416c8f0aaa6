"""What is known of a subject beside concentrations: body size and age, as arrays."""
