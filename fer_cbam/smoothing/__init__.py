"""What is said of a face over time: an average, a filter, or a recurrent network."""
