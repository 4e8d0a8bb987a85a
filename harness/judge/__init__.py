"""A model at an endpoint as the judge of what finished runs answered."""
