"""Wrong settings and surroundings, found by looking only, each with what to do about it."""
