"""Whether exposure and its parameters are comparable between groups, and how sure that is."""
