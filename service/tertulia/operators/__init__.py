"""What operators read in Redis and change there. None of it is hot."""
