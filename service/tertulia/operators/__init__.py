"""What operators ask of Redis and change there: nothing of it is hot."""
