"""Evidence: reading results, judging runs, binding numbers to what produced them, and checking what is claimed."""
