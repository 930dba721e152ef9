"""What one saga costs and leaves behind, and how many machines a load needs."""
